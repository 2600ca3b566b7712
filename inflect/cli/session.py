"""What every verb needs: settings, a way to the servers, who is asking, and how results are printed."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import json
import os
import pwd
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from inflect.errors import InflectError, UsageError

if TYPE_CHECKING:
    from inflect.control.schemas import SchemaSources
    from inflect.kafka.admin import Admin
    from inflect.schemas.registry import Registry
    from inflect.settings import Settings
    from inflect.store.database import Database

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def settings_of(ctx: click.Context, *, find_servers: bool = True, **flags: Any) -> "Settings":
    """Read the settings with the group's flags and the verb's own.

    With `find_servers`, servers that are not set are those that `serve --embedded` or `demo` runs here.
    """
    from inflect.settings import load

    given = dict(ctx.find_root().obj or {})
    settings = load(given.pop("config", None), **given, **flags)
    return _with_running(settings) if find_servers else settings


def _with_running(settings: "Settings") -> "Settings":
    for folder in (settings.data_dir, settings.data_dir / "demo"):
        servers = running_servers(folder)
        if not settings.database_url and "postgres" in servers:
            settings = replace(settings, database_url=servers["postgres"]["url"])
        if "bootstrap.servers" not in settings.kafka and "kafka" in servers:
            kafka = {"bootstrap.servers": servers["kafka"]["bootstrap_servers"]} | settings.kafka
            settings = replace(settings, kafka=kafka)
        if not settings.registry_url and "registry" in servers:
            settings = replace(settings, registry_url=servers["registry"]["url"])
    return settings


def running_servers(folder: Path) -> dict[str, Any]:
    """Return the servers that an embedded run announced in its data directory and that still live."""
    try:
        servers = json.loads((folder / "servers.json").read_text())
        return {name: server for name, server in servers.items() if Path(f"/proc/{int(server['pid'])}").exists()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@contextmanager
def database(settings: "Settings") -> Iterator["Database"]:
    """Open the database; UsageError when none is set."""
    from inflect.store.database import Database

    require_database(settings)
    with Database(settings.database_url, max_connections=2) as db:
        yield db


@contextmanager
def kafka_admin(settings: "Settings") -> Iterator["Admin"]:
    """Open Kafka's admin client; UsageError when no brokers are set."""
    from inflect.kafka.admin import Admin

    require_kafka(settings)
    with Admin(settings.kafka) as admin:
        yield admin


@contextmanager
def registry(settings: "Settings") -> Iterator["Registry | None"]:
    """Open the schema registry; None when none is set."""
    from inflect.schemas.registry import Registry

    access = settings.registry()
    if access is None:
        yield None
        return
    with Registry(access) as opened:
        yield opened


@contextmanager
def schema_sources(settings: "Settings", beside: Mapping[str, Path] | None = None) -> Iterator["SchemaSources"]:
    """Open what schemas come from; `beside` is the folder of each pipeline's file, by its name."""
    from inflect.control.schemas import SchemaSources

    with registry(settings) as opened:
        yield SchemaSources(opened, settings.processors.absolute().parent, beside or {}, Path.cwd())


def require_database(settings: "Settings") -> None:
    """Raise UsageError when no database is set."""
    if not settings.database_url:
        raise UsageError(
            "no database is set: give INFLECT_DATABASE_URL, or start `inflect serve --embedded` in this directory"
        )


def require_kafka(settings: "Settings") -> None:
    """Raise UsageError when no brokers are set."""
    if not any(settings.kafka.get(key) for key in ("bootstrap.servers", "metadata.broker.list")):
        raise UsageError(
            "no Kafka brokers are set: give INFLECT_KAFKA_BOOTSTRAP_SERVERS, or start `inflect serve --embedded` "
            "in this directory"
        )


def author() -> str:
    """Return who is asking, for the audit: `user@host`."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def confirm(question: str, consequence: str, *, yes: bool) -> None:
    """Ask before something destructive; without a terminal `--yes` must have been given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question.rstrip('?')} needs --yes when nobody can be asked. {consequence}")
    click.echo(consequence, err=True)
    if not click.confirm(question, err=True):
        raise click.exceptions.Exit(1)


def emit(value: Any) -> None:
    """Print a value as JSON, every digit of numbers kept."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns; the head is left out where there are none."""
    from inflect.logs import printable

    if not rows:
        return
    cells = [list(head), *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Print a line of the result, safe for a terminal."""
    from inflect.logs import printable

    click.echo(printable(text))


def fail(code: int) -> NoReturn:
    """End the verb with an exit code."""
    raise click.exceptions.Exit(code)


def complete_pipelines(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a pipeline; nothing where the database cannot be asked."""
    from inflect.store import pipelines

    try:
        with database(settings_of(ctx)) as db:
            return [row.name for row in pipelines.list_pipelines(db) if row.name.startswith(incomplete)]
    except InflectError:
        return []


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def name_argument(**more: Any) -> Decorator:
    """Declare an argument that is a pipeline's name."""
    return click.argument("name", shell_complete=complete_pipelines, **more)


def lines_of(difference: Any) -> Iterator[tuple[str, str]]:
    """Yield `(sign, text)` for a difference, safe for a terminal: `-` what was, `+` what is now."""
    from inflect.logs import printable

    for sign, value in (("-", difference.before), ("+", difference.after)):
        if value is not None:
            place = f"{difference.path}: " if difference.path else ""
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield sign, printable(place + text)
