"""Long-running verbs: serve, demo, worker.

The supervisor starts its forkserver before any thread or Kafka client exists in this process, so nothing here opens a
client: what a demo has to prepare is done by its companion, in a process of its own.
"""

# A verb imports its rooms inside itself, so that help and completion are quick.
# ruff: noqa: PLC0415

import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from inflect.cli.session import fail, require_database, require_kafka, settings_of
from inflect.errors import UsageError

if TYPE_CHECKING:
    from inflect.embedded.servers import EmbeddedServers
    from inflect.settings import Settings
    from inflect.supervisor.companions import Companion

processors_option = click.option(
    "--processors", type=click.Path(path_type=Path, file_okay=False), help="The processors directory."
)
address_option = click.option("--http-address", metavar="HOST:PORT", help="Where UI and API listen.")


@click.command()
@click.option(
    "--embedded", is_flag=True, help="Start Kafka, Postgres and a schema registry here too, where none are set."
)
@click.option("--kubernetes", is_flag=True, help="Let Kubernetes run the workers.")
@processors_option
@address_option
@click.pass_context
def serve(ctx: click.Context, /, *, embedded: bool, kubernetes: bool, **flags: Any) -> None:
    """Run the supervisor, its pools of workers, and the UI, until SIGTERM or Ctrl-C."""
    from inflect.embedded.claim import claim

    if kubernetes:
        flags["mode"] = "kubernetes"
    settings = settings_of(ctx, find_servers=False, **flags)
    if settings.mode == "kubernetes":
        raise UsageError("the Kubernetes mode is not in this version yet; leave out --kubernetes and INFLECT_MODE")
    _refuse_exposure(settings)
    on_ready: Callable[[str], None] = _announce
    with _life(settings) as life:
        if embedded:
            life.enter_context(claim(settings.data_dir / "lock"))
            settings, servers = _start_servers(life, settings)
            on_ready = _then_the_registry(servers, _announce)
        require_database(settings)
        require_kafka(settings)
        code = _supervise(settings, [], on_ready)
    fail(code)


@click.command()
@address_option
@click.pass_context
def demo(ctx: click.Context, /, http_address: str | None) -> None:
    """Show it working: embedded servers, sample pipelines under live load, the UI. Ctrl-C leaves nothing behind."""
    from inflect.demo.main import PROCESSORS
    from inflect.embedded.claim import claim
    from inflect.settings import Settings
    from inflect.supervisor.companions import Companion

    given = settings_of(ctx, find_servers=False, http_address=http_address)
    folder = given.data_dir / "demo"
    settings = Settings(
        processors=folder / "processors",
        http_address=given.http_address if http_address else _free_address(given.http_address),
        data_dir=folder,
        no_auth=given.no_auth,
        log_format=given.log_format,
    )
    _refuse_exposure(settings)
    with _life(settings) as life:
        life.enter_context(claim(given.data_dir / "demo.lock"))
        life.callback(shutil.rmtree, folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PROCESSORS, settings.processors)
        click.echo(f"The functions are in {settings.processors}: edit one and watch it go live.", err=True)
        settings, servers = _start_servers(life, settings, late_registry=True)
        on_ready = _then_the_registry(servers, _announce_and_open)
        code = _supervise(settings, [Companion("demo", run_demo, (settings,))], on_ready)
    fail(code)


@click.command()
@click.argument("pipeline")
@click.pass_context
def worker(ctx: click.Context, /, pipeline: str) -> None:
    """Run one worker of PIPELINE; what a pod runs."""
    from inflect import logs
    from inflect.worker.pod import run_pod

    settings = settings_of(ctx)
    require_database(settings)
    require_kafka(settings)
    logs.configure(settings.log_format)
    fail(run_pod(settings, pipeline))


def run_web(connection: Any, settings: "Settings") -> None:
    """Run the UI; the target of a companion process."""
    from inflect.web.app import run

    run(settings, connection)


def run_lookout(connection: Any, settings: "Settings") -> None:
    """Follow schemas and the lag of resting pipelines; the target of a companion process."""
    from inflect.supervisor.lookout import look_out

    look_out(connection, settings)


def run_demo(connection: Any, settings: "Settings") -> None:
    """Prepare the demo's topics and pipelines, then load them; the target of a companion process."""
    from inflect import logs
    from inflect.demo.main import generate_load, prepare
    from inflect.kafka.admin import Admin
    from inflect.store.database import Database

    logs.configure(settings.log_format)
    with Database(settings.database_url) as db, Admin(settings.kafka) as admin:
        prepare(settings, db, admin)
    generate_load(connection, settings)


def _supervise(settings: "Settings", more: list["Companion"], on_ready: Callable[[str], None]) -> int:
    from inflect.supervisor.companions import Companion
    from inflect.supervisor.main import serve as supervise

    beside = [Companion("web", run_web, (settings,)), Companion("lookout", run_lookout, (settings,))]
    return supervise(settings, companions=[*beside, *more], on_ready=on_ready)


def _life(settings: "Settings") -> ExitStack:
    """Return the stack that everything started here hangs on; a signal before the supervisor listens unwinds it."""
    from inflect import lifecycle, logs

    logs.configure(settings.log_format)
    for number in lifecycle.stop_signals():
        if number != signal.SIGINT:  # that one is an exception already
            signal.signal(number, _end)
    return ExitStack()


def _end(*_signal: Any) -> NoReturn:
    sys.exit(0)


def _start_servers(
    life: ExitStack, settings: "Settings", *, late_registry: bool = False
) -> tuple["Settings", "EmbeddedServers"]:
    """Start the servers that are not set and keep them running; the settings that reach them, and the servers."""
    from inflect.embedded.servers import start_servers

    want = []
    if "bootstrap.servers" not in settings.kafka:
        want.append("kafka")
    if not settings.database_url:
        want.append("postgres")
    if not settings.registry_url:
        want.append("registry")
    servers = life.enter_context(start_servers(settings.data_dir, want, late_registry=late_registry))
    if servers.kafka is not None:
        settings = replace(settings, kafka={**settings.kafka, "bootstrap.servers": servers.kafka.bootstrap_servers})
    if servers.postgres is not None:
        settings = replace(settings, database_url=servers.postgres.url)
    if servers.registry is not None:
        settings = replace(settings, registry_url=servers.registry.url)
    servers.keep()
    return settings, servers


def _then_the_registry(servers: "EmbeddedServers", announce: Callable[[str], None]) -> Callable[[str], None]:
    """Announce, then start a registry that comes late: nobody waits for it, and it takes no time from the others."""

    def on_ready(address: str) -> None:
        announce(address)
        servers.start_registry()

    return on_ready


def _refuse_exposure(settings: "Settings") -> None:
    from inflect.settings import is_loopback

    if not is_loopback(settings.http_address) and settings.no_auth != "behind-proxy":
        raise UsageError(
            f"{settings.http_address} can be reached from other machines and nobody would be asked to log in; listen "
            "on 127.0.0.1, or set INFLECT_NO_AUTH=behind-proxy where a proxy in front decides who may in"
        )


def _free_address(address: str) -> str:
    """Return the address, with another port where its own is taken."""
    from inflect.embedded.ports import choose_port
    from inflect.settings import split_address

    host, port = split_address(address)
    return f"[{host}]:{choose_port(port)}" if ":" in host else f"{host}:{choose_port(port)}"


def _announce(address: str) -> None:
    click.echo(f"Inflect is ready: {address}")


def _announce_and_open(address: str) -> None:
    from inflect.settings import has_display

    _announce(address)
    if sys.stdout.isatty() and has_display():
        click.launch(address)


VERBS = (serve, demo, worker)
