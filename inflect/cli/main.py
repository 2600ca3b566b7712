"""`inflect`: the group of all verbs, and the one place where an error becomes an exit code."""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from inflect.cli import changes, dead_letters, inspect, operate, server, trial, upkeep
from inflect.errors import InflectError

INTERRUPTED = 130


class Verbs(click.Group):
    """Turns errors, ours and those of usage, into lines on stderr and their exit code."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        """Read the flags that stand before the verb."""
        try:
            return super().make_context(*arguments, **extra)
        except click.UsageError as error:
            _misused(error)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _misused(error)
        except InflectError as error:
            from inflect.logs import printable, without_secrets

            for line in str(error).splitlines():
                click.echo(f"error: {printable(without_secrets(line))}", err=True)
            ctx.exit(error.exit_code)


def _misused(error: click.UsageError) -> NoReturn:
    """One line for scripts and logs, where click writes four; a bare `inflect` still gets the whole help."""
    from inflect.logs import printable

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        raise error
    verb = error.ctx.command_path if error.ctx else "inflect"
    words = " ".join(error.format_message().split())
    click.echo(printable(f"error: {words.rstrip('.')}; see `{verb} --help`"), err=True)
    raise click.exceptions.Exit(error.exit_code)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file (TOML). Default: inflect.toml, when there is one.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Files of the embedded servers.")
@click.option("--log-format", type=click.Choice(["auto", "json", "text"]), help="How logs are written to stderr.")
@click.version_option(package_name="inflect", message="inflect %(version)s")
@click.pass_context
def cli(ctx: click.Context, /, **flags: Any) -> None:
    """Reshape, clean and route Kafka events with small JavaScript functions, exactly once.

    Settings come from a TOML file, then INFLECT_… variables, then flags.
    """
    ctx.obj = flags


for module in (server, changes, inspect, operate, trial, dead_letters, upkeep):
    for verb in module.VERBS:
        cli.add_command(verb)


def main() -> None:
    """Run the command line and end the process."""
    try:
        cli(prog_name="inflect")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
