"""Looking at pipelines: list, show, history."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from inflect.cli.session import database, emit, json_option, name_argument, say, settings_of, table

_HEAD = ("NAME", "STATE", "REVISION", "WORKERS", "CONSUMED", "DELIVERED", "FILTERED", "DEAD LETTERS", "LAG", "REASON")


@click.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, /, *, as_json: bool) -> None:
    """List the pipelines: state, workers, counts, lag."""
    from inflect.control import show as control

    with database(settings_of(ctx)) as db:
        found = control.show_all(db)
    if as_json:
        emit(found)
    elif found:
        table(_HEAD, [_row(one) for one in found])
    else:
        click.echo("No pipeline yet; `inflect apply FILE` makes one.", err=True)


@click.command()
@name_argument()
@json_option
@click.pass_context
def show(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Show one pipeline: state, counts, lag, workers."""
    from inflect.control import show as control

    with database(settings_of(ctx)) as db:
        found = control.show(db, name)
    if as_json:
        emit(found)
        return
    say(f"{found['name']}: {found['state']}{' — ' + found['reason'] if found['reason'] else ''}")
    say(f"revision {found['revision']}")
    say(f"lag      {_lag(found)}")
    for outcome, count in found["counts"].items():
        say(f"{outcome:<14}{count:>14,}")
    table(
        ("WORKER", "PID", "HOST", "STATE", "REVISION", "PARTITIONS"),
        [
            (w["id"], w["pid"] or "", w["host"], w["state"], w["revision"], ",".join(map(str, w["partitions"])))
            for w in found["workers"]
        ],
    )


@click.command()
@name_argument()
@json_option
@click.pass_context
def history(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """List a pipeline's revisions, newest first."""
    from inflect.store import pipelines

    with database(settings_of(ctx)) as db:
        revisions = pipelines.history(db, name)
        current = {row.name: row.revision for row in pipelines.list_pipelines(db)}.get(name)
    if as_json:
        emit(
            [
                {
                    "revision": row.number,
                    "current": row.number == current,
                    "author": row.author,
                    "origin": row.origin,
                    "comment": row.comment,
                    "created_at": row.created_at,
                    "document": row.document,
                    "pins": row.pins,
                    "schemas": {side: asdict(pin) for side, pin in row.schemas.items()},
                }
                for row in revisions
            ]
        )
        return
    table(
        ("REVISION", "", "MADE", "BY", "FROM", "COMMENT"),
        [
            (
                row.number,
                "current" if row.number == current else "",
                row.created_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
                row.author,
                row.origin,
                row.comment,
            )
            for row in revisions
        ],
    )


def _row(found: Mapping[str, Any]) -> tuple[Any, ...]:
    counts = found["counts"]
    return (
        found["name"],
        found["state"],
        found["revision"],
        len(found["workers"]),
        *(f"{counts[key]:,}" for key in ("consumed", "delivered", "filtered", "dead_lettered")),
        _lag(found),
        found["reason"],
    )


def _lag(found: Mapping[str, Any]) -> str:
    events, seconds = found["lag"]["events"], found["lag"]["seconds"]
    if events is None:
        return "not known yet"
    age = "" if seconds is None else f", {seconds:.0f} s"
    return f"{events:,} events{age}" if events else "none"


VERBS = (list_, show, history)
