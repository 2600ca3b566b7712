"""Migrations: forward only, numbered without gaps, one transaction each, one process at a time.

The table `schema_migrations` remembers number, name and checksum of what was applied. Whoever is killed in between
leaves the old or the new schema, never half of one, and the next start goes on. A database that a newer version of
Inflect migrated, or that has another history than this code, is refused before anything is touched.
"""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from inflect.errors import InflectError
from inflect.store.database import Database

# Any fixed number does, as long as it stays: processes of different versions must meet at the same lock.
_LOCK = 0x1AF1EC7
_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/migrations`; `text` may hold several statements."""

    number: int
    name: str
    text: str

    @property
    def title(self) -> str:
        """The file's name without its ending."""
        return f"{self.number:04}_{self.name}"

    @property
    def checksum(self) -> str:
        """SHA-256 of the text: a migration that changed after it was applied is another migration."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """One row of `schema_migrations`."""

    number: int
    name: str
    checksum: str


def _read() -> tuple[Migration, ...]:
    folder = resources.files("inflect.store").joinpath("sql", "migrations")
    found = ((_FILE.match(file.name), file) for file in folder.iterdir())
    migrations = [Migration(int(name[1]), name[2], file.read_text("utf-8")) for name, file in found if name]
    return tuple(sorted(migrations, key=lambda migration: migration.number))


KNOWN = _read()
"""The migrations of this version, in order; read with the code, so that an upgrade beside a process changes nothing."""


def pending(db: Database) -> list[str]:
    """Return what `migrate` would apply; InflectError for a newer or foreign database."""
    with db.connection() as connection:
        return [migration.title for migration in _missing(_applied(connection), db.server)]


def migrate(db: Database, *, migrations: tuple[Migration, ...] | None = None) -> list[str]:
    """Bring the schema to this version; return the names applied, empty when there was nothing to do.

    Waits for another process that is migrating. Raises InflectError for a newer or foreign database.
    """
    done: list[str] = []
    while name := _migrate_next(db, KNOWN if migrations is None else migrations):
        done.append(name)
    return done


def _migrate_next(db: Database, migrations: tuple[Migration, ...]) -> str | None:
    """Apply the next migration in a transaction of its own; None when all are applied."""
    with db.transaction() as connection:
        # The lock is the transaction's: a process that dies lets go of it and leaves nothing.
        connection.execute("set local lock_timeout = '60s'; set local statement_timeout = '60s'")
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("set local lock_timeout = '3s'; set local statement_timeout = 0")
        _create_history(connection)
        missing = _missing(_applied(connection), db.server, migrations)
        if not missing:
            return None
        _apply(connection, missing[0])
        return missing[0].title


def _apply(connection: Connection[Any], migration: Migration) -> None:
    connection.execute(migration.text)
    connection.execute(
        "insert into schema_migrations (number, name, checksum) values (%s, %s, %s)",
        [migration.number, migration.name, migration.checksum],
    )


def _create_history(connection: Connection[Any]) -> None:
    if not _applied_exists(connection):
        connection.execute(
            "create table schema_migrations (number integer primary key, name text not null,"
            " checksum text not null, applied_at timestamptz not null default now())"
        )


def _applied_exists(connection: Connection[Any]) -> bool:
    answer = connection.execute("select to_regclass('schema_migrations') is not null").fetchone()
    return bool(answer and answer[0])


def _applied(connection: Connection[Any]) -> list[Applied]:
    """Return what was applied, in order; nothing in an empty database."""
    if not _applied_exists(connection):
        return []
    with connection.cursor(row_factory=class_row(Applied)) as cursor:
        return cursor.execute("select number, name, checksum from schema_migrations order by number").fetchall()


def _missing(applied: list[Applied], server: str, migrations: tuple[Migration, ...] | None = None) -> list[Migration]:
    """Return what is still to be applied; raise when the database's history is not a beginning of ours."""
    migrations = KNOWN if migrations is None else migrations
    if len(applied) > len(migrations):
        raise InflectError(
            f"the database {server} is newer than this version of Inflect: it has migration"
            f" {applied[-1].number:04} {applied[-1].name}, this version ends at"
            f" {migrations[-1].number:04}; install the newer version, or restore the backup made before"
        )
    for row, migration in zip(applied, migrations, strict=False):
        if (row.number, row.checksum) != (migration.number, migration.checksum):
            raise InflectError(
                f"migration {row.number:04} {row.name} in the database {server} is not the one of this version"
                f" ({migration.number:04} {migration.name}); it was made by another build of Inflect: use that build"
            )
    return list(migrations[len(applied) :])
