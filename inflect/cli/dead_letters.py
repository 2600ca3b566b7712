"""`inflect dead-letters`: what failed and why, and back through the pipeline once it is mended."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from inflect.cli.session import (
    author,
    confirm,
    database,
    emit,
    fail,
    json_option,
    name_argument,
    registry,
    require_kafka,
    say,
    settings_of,
    table,
    yes_option,
)
from inflect.errors import UsageError

if TYPE_CHECKING:
    from inflect.control.selection import Order

USUAL_LIMIT = 1_000
_TELL_EVERY_S = 1.0
_MESSAGE_CHARACTERS = 80


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show and redrive events that failed."""


@dead_letters.command("list")
@name_argument()
@click.option("--group", is_flag=True, help="By cause: stage, step, kind and shape of the message.")
@click.option("--cause", metavar="CAUSE", help="Only letters of this cause, as --group names it.")
@click.option("--redriven", is_flag=True, help="Letters that have been redriven, too.")
@click.option("--limit", metavar="N", type=click.IntRange(1), default=USUAL_LIMIT, show_default=True)
@json_option
@click.pass_context
def list_(ctx: click.Context, /, name: str, *, group: bool, as_json: bool, **options: Any) -> None:
    """List the open dead letters of a pipeline, newest first, or count them by cause."""
    from inflect.control import dead_letters as control

    settings = settings_of(ctx)
    require_kafka(settings)
    if group and (options["cause"] or options["redriven"]):
        raise UsageError("--group counts all open letters: leave --cause and --redriven out")
    with database(settings) as db:
        if group:
            with _counting("read") as progress:
                causes = control.group_letters(db, settings.kafka, name, progress=progress)
            emit(causes) if as_json else _print_causes(causes, name)
            return
        page = control.list_letters(db, settings.kafka, name, **options)
    emit(page.letters) if as_json else _print_letters(page.letters, name)
    if page.next is not None:
        click.echo(f"These are the newest {len(page.letters):,}; --limit shows more, --group all.", err=True)


@dead_letters.command()
@name_argument()
@click.argument("letter", metavar="TOPIC:PARTITION:OFFSET")
@json_option
@click.pass_context
def show(ctx: click.Context, /, name: str, letter: str, *, as_json: bool) -> None:
    """Show one dead letter: its event, and the story of its failure."""
    from inflect.control import dead_letters as control

    settings = settings_of(ctx)
    require_kafka(settings)
    with database(settings) as db, registry(settings) as schemas:
        found = control.show_letter(db, settings.kafka, name, letter, schemas)
    if as_json:
        emit(found)
        return
    for key, value in found.items():
        if value is not None:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for line in f"{key:<10} {shown}".splitlines():
                say(line)


@dead_letters.command()
@name_argument()
@click.argument("more_ids", metavar="", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--id", "ids", metavar="TOPIC:PARTITION:OFFSET…", multiple=True, help="These letters.")
@click.option("--cause", metavar="CAUSE", help="The letters of one cause, as `list --group` names it.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["source", "failed-step"]),
    default="source",
    show_default=True,
    help="Where each begins: the whole pipeline, or the step that failed.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; say what would become of them.")
@click.option("--rate", metavar="N", type=float, help="At most N letters a second.")
@yes_option
@json_option
@click.pass_context
def redrive(ctx: click.Context, /, name: str, *, yes: bool, as_json: bool, **options: Any) -> None:
    """Send dead letters through the pipeline's current revision, exactly once.

    Each is marked in the transaction that delivers it, so a redrive that was interrupted is simply run again. Exit 1
    when it ended before its end, or a letter was refused.
    """
    from inflect.control import redriver

    order = _order(options)
    settings = settings_of(ctx)
    require_kafka(settings)
    with database(settings) as db:
        if not order.dry_run:
            confirm(f"Redrive {_chosen(order)} of {name}?", "`--dry-run` says what would become of them.", yes=yes)
        with _counting("looked at" if order.dry_run else "redriven") as progress:
            answer = redriver.run(db, settings, name, order, author=author(), progress=progress)
    emit(answer) if as_json else _print_answer(answer, dry_run=order.dry_run)
    fail(1 if answer.get("refused") or answer.get("stopped") else 0)


def _order(options: Mapping[str, Any]) -> "Order":
    from inflect.control.letters import place_of
    from inflect.control.selection import LEAST_RATE, MOST_RATE, Order, Selection, is_rate

    ids = (*options["ids"], *options["more_ids"])
    if options["more_ids"] and not options["ids"]:
        raise UsageError(f"{options['more_ids'][0]!r}: a letter to redrive is given with --id")
    if sum(map(bool, (options["everything"], ids, options["cause"]))) != 1:
        raise UsageError("say which letters to redrive: one of --all, --id and --cause")
    if options["rate"] is not None and not is_rate(options["rate"]):
        raise UsageError(f"--rate must be a number from {LEAST_RATE:g} to {MOST_RATE:,.0f}")
    for text in ids:
        place_of(text)
    return Order(Selection(ids, options["cause"]), options["start"], options["dry_run"], options["rate"])


def _chosen(order: "Order") -> str:
    if order.selection.ids:
        return f"{len(order.selection.ids)} dead letters"
    return f"the open dead letters of cause {order.selection.cause}" if order.selection.cause else "all dead letters"


@contextmanager
def _counting(did: str) -> Iterator[Callable[[Any], None]]:
    """Progress on stderr, once a second: on a terminal one line that counts and goes away, else a line each."""
    told, terminal = monotonic(), sys.stderr.isatty()

    def tell(progress: Any) -> None:
        nonlocal told
        if monotonic() - told < _TELL_EVERY_S:
            return
        told = monotonic()
        count = progress if isinstance(progress, int) else progress["selected"]
        click.echo(f"\r{did} {count:,}\033[K" if terminal else f"{did} {count:,}", err=True, nl=not terminal)

    try:
        yield tell
    finally:
        if terminal:
            click.echo("\r\033[K", err=True, nl=False)


def _print_letters(letters: Sequence[Mapping[str, Any]], name: str) -> None:
    if not letters:
        click.echo(f"{name} has no open dead letter.", err=True)
    table(
        ("ID", "WHEN", "CAUSE", "STAGE", "STEP", "KIND", "ATTEMPT", "MESSAGE"),
        [
            (
                letter["id"],
                letter["time"] or "",
                letter["cause"],
                *(letter[key] or "" for key in ("stage", "step", "kind")),
                letter["attempt"],
                _short(letter["message"]) if letter["redriven"] is None else f"redriven: {letter['redriven']}",
            )
            for letter in letters
        ],
    )


def _print_causes(causes: Sequence[Mapping[str, Any]], name: str) -> None:
    if not causes:
        click.echo(f"{name} has no open dead letter.", err=True)
    table(
        ("CAUSE", "COUNT", "STAGE", "STEP", "KIND", "FIRST", "LAST", "EXAMPLE", "MESSAGE"),
        [
            (
                cause["cause"],
                f"{cause['count']:,}",
                *(cause[key] or "" for key in ("stage", "step", "kind", "first", "last")),
                cause["example"]["id"],
                _short(cause["shape"]),
            )
            for cause in causes
        ],
    )


def _short(message: str | None) -> str:
    text = " ".join((message or "").split())
    return text if len(text) <= _MESSAGE_CHARACTERS else f"{text[: _MESSAGE_CHARACTERS - 1]}…"


def _print_answer(answer: Mapping[str, Any], *, dry_run: bool) -> None:
    verb = "would be " if dry_run else ""
    counts = f"{answer['delivered']:,} {verb}delivered, {answer['filtered']:,} {verb}filtered"
    say(f"{answer['selected']:,} letters: {counts}, {answer['failed']:,} {'would fail' if dry_run else 'failed'} again")
    for refusal in answer.get("refusals", ()):
        click.echo(f"refused {refusal['id']}: {refusal['reason']}", err=True)
    if (untold := answer.get("refused", 0) - len(answer.get("refusals", ()))) > 0:
        click.echo(f"refused {untold:,} more", err=True)
    if "stopped" in answer:
        click.echo(f"ended early: {answer['stopped']}", err=True)


VERBS = (dead_letters,)
