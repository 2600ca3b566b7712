"""A fresh, migrated database for each test, copied from a template that is migrated once a session."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from inflect.embedded.postgres import PostgresServer
from inflect.store.database import Database
from inflect.store.migrations import migrate


def _database(url: str, name: str) -> str:
    """Return `url` with another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _run(server: PostgresServer, statement: sql.SQL, **names: str) -> None:
    """Run a statement outside of any test database; `names` fill its placeholders."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement.format(**{key: sql.Identifier(name) for key, name in names.items()}))


@pytest.fixture(scope="session")
def database_template(postgres: PostgresServer) -> str:
    """Name of a migrated database that nobody is connected to."""
    name = f"template_{secrets.token_hex(4)}"
    _run(postgres, sql.SQL("create database {name}"), name=name)
    with Database(_database(postgres.url, name)) as db:
        migrate(db)
    return name


@pytest.fixture
def empty_database_url(postgres: PostgresServer) -> Iterator[str]:
    """URL of a fresh database without a schema, dropped afterwards whoever is still connected."""
    name = f"empty_{secrets.token_hex(4)}"
    _run(postgres, sql.SQL("create database {name}"), name=name)
    yield _database(postgres.url, name)
    _run(postgres, sql.SQL("drop database {name} with (force)"), name=name)


@pytest.fixture
def database_url(postgres: PostgresServer, database_template: str) -> Iterator[str]:
    """URL of a fresh, migrated database, dropped afterwards whoever is still connected."""
    with fresh_database(postgres, database_template) as url:
        yield url


@contextmanager
def fresh_database(postgres: PostgresServer, template: str) -> Iterator[str]:
    """URL of a copy of the template, dropped afterwards whoever is still connected."""
    name = f"test_{secrets.token_hex(4)}"
    _run(postgres, sql.SQL("create database {name} template {of}"), name=name, of=template)
    yield _database(postgres.url, name)
    _run(postgres, sql.SQL("drop database {name} with (force)"), name=name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A fresh, migrated database, open."""
    with Database(database_url) as db:
        yield db
