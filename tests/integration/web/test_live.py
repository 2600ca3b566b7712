import threading
from collections.abc import Iterator

from inflect.store import database
from tests.integration.web.house import Web, report, save


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Name and text of each event of a stream."""
    name, data = "", []
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data.append(line.removeprefix("data: "))
        elif not line:
            yield name, "\n".join(data)
            data = []


def test_a_stream_tells_numbers_as_they_change(web: Web) -> None:
    save(web.db)
    report(web.db, consumed=100)
    with web.client.stream("GET", "/live/fleet") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = (text for name, text in events(answer.iter_lines()) if name == "row-orders-clean")
        assert "100 events" in next(text for text in told if "100 events" in text)
        report(web.db, consumed=2500)
        assert "2,500 events" in next(text for text in told if "2,500 events" in text)


def test_many_viewers_cost_the_database_what_one_costs(web: Web) -> None:
    save(web.db)

    def looks_while(viewers: int) -> int:
        """Statements of the pages' connections while so many dashboards are open for a few beats."""
        ends = threading.Barrier(viewers + 1)
        before = transactions(web.db)

        def watch() -> None:
            with web.client.stream("GET", "/live/fleet") as answer:
                told = (name for name, _ in events(answer.iter_lines()) if name == "beat")
                for _ in range(4):
                    next(told)
            ends.wait()

        for _ in range(viewers):
            threading.Thread(target=watch, daemon=True).start()
        ends.wait()
        return transactions(web.db) - before

    assert looks_while(40) <= looks_while(1) + 20


def transactions(db: database.Database) -> int:
    """How many transactions this database has seen."""
    with db.connection() as connection:
        connection.execute("select pg_stat_force_next_flush()")
        row = connection.execute(
            "select xact_commit from pg_stat_database where datname = current_database()"
        ).fetchone()
    assert row
    return int(row[0])
