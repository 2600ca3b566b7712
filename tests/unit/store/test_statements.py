"""Reading named statements."""

from importlib import resources

from inflect.store.statements import STATEMENTS


def test_every_sql_file_gives_its_statements_under_its_own_name() -> None:
    files = [file.name for file in resources.files("inflect.store").joinpath("sql").iterdir()]
    rooms = {name.removesuffix(".sql") for name in files if name.endswith(".sql")}
    assert {key.split(".")[0] for key in STATEMENTS} == rooms


def test_no_statement_is_lost_or_empty() -> None:
    folder = resources.files("inflect.store").joinpath("sql")
    texts = [file.read_text() for file in folder.iterdir() if file.name.endswith(".sql")]
    assert len(STATEMENTS) == sum(text.count("-- name:") for text in texts)
    assert all(statement.strip() for statement in STATEMENTS.values())
