"""What psycopg raises, in our words."""

import pytest
from psycopg import errors

from inflect.errors import ConflictError, InflectError, UnreachableError, UsageError
from inflect.store.failures import address, translate


def test_an_address_never_shows_the_password() -> None:
    assert address("postgresql://ada:secret@db.example:6432/inflect") == "db.example:6432/inflect"


def test_what_is_no_url_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="the database URL cannot be read"):
        address("mysql//nonsense")


@pytest.mark.parametrize(
    ("raised", "meant", "words"),
    [
        (errors.UndefinedTable('relation "pipelines" does not exist'), InflectError, "inflect migrate"),
        (errors.UniqueViolation("duplicate key"), ConflictError, "read it again"),
        (errors.LockNotAvailable("lock timeout"), UnreachableError, "is busy"),
        (errors.QueryCanceled("statement timeout"), UnreachableError, "is busy"),
        (errors.ReadOnlySqlTransaction("cannot execute"), UnreachableError, "read-only"),
        (errors.InsufficientPrivilege("permission denied"), InflectError, "grant"),
        (errors.InvalidTextRepresentation("invalid input"), UsageError, "cannot be stored"),
        (errors.AdminShutdown("terminating connection"), UnreachableError, "cannot reach Postgres at here"),
        (errors.RestrictViolation("UPDATE on audit is refused"), InflectError, "refused"),
    ],
)
def test_each_family_of_errors_has_its_own_meaning(raised: Exception, meant: type, words: str) -> None:
    translated = translate(raised, "here")
    assert type(translated) is meant
    assert words in str(translated)


def test_a_message_stays_on_one_line() -> None:
    assert "\n" not in str(translate(errors.AdminShutdown("first\nsecond"), "here"))
