"""Changing what runs: pause, resume, delete, rollback."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

from typing import Any

import click

from inflect.cli.session import (
    author,
    confirm,
    database,
    emit,
    json_option,
    name_argument,
    say,
    settings_of,
    yes_option,
)

_LARGEST_REVISION = 2**31 - 1  # as the database counts them


@click.command()
@name_argument()
@json_option
@click.pass_context
def pause(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Stop a pipeline's workers after their batch in flight; offsets are kept."""
    from inflect.control import operate

    with database(settings_of(ctx)) as db:
        operate.pause(db, name, author=author())
    _done({"name": name, "paused": True}, f"{name} is pausing; workers finish their batch", as_json=as_json)


@click.command()
@name_argument()
@json_option
@click.pass_context
def resume(ctx: click.Context, /, name: str, *, as_json: bool) -> None:
    """Start a paused, stopped or failed pipeline again, where it left off."""
    from inflect.control import operate

    with database(settings_of(ctx)) as db:
        operate.resume(db, name, author=author())
    _done({"name": name, "paused": False}, f"{name} goes on", as_json=as_json)


@click.command()
@name_argument()
@yes_option
@json_option
@click.pass_context
def delete(ctx: click.Context, /, name: str, *, yes: bool, as_json: bool) -> None:
    """Delete a pipeline. Its topics, offsets and revisions are kept."""
    from inflect.control import operate
    from inflect.store import pipelines

    with database(settings_of(ctx)) as db:
        source = (pipelines.get_pipeline(db, name).document.get("source") or {}).get("topic", "its source topic")
        confirm(f"Delete {name}?", f"Its workers stop. Offsets are kept. Events wait in {source}.", yes=yes)
        operate.delete(db, name, author=author())
    _done({"name": name, "deleted": True}, f"{name} is deleted", as_json=as_json)


@click.command()
@name_argument()
@click.argument("revision", type=click.IntRange(1, _LARGEST_REVISION))
@json_option
@click.pass_context
def rollback(ctx: click.Context, /, name: str, revision: int, *, as_json: bool) -> None:
    """Make an old revision's document and code current again, as a new revision."""
    from inflect.control import operate

    with database(settings_of(ctx)) as db:
        number = operate.rollback(db, name, revision, author=author())
    _done(
        {"name": name, "revision": number, "restored": revision},
        f"{name} runs the content of revision {revision} again, as revision {number}",
        as_json=as_json,
    )


def _done(result: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        emit(result)
    else:
        say(sentence)


VERBS = (pause, resume, delete, rollback)
