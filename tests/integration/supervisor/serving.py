"""A supervisor of fake workers as a process of its own: `python -m … DATABASE_URL PROCESSORS`."""

import sys
from pathlib import Path

from inflect import logs
from inflect.errors import InflectError
from inflect.settings import Settings
from inflect.supervisor.main import Companion, serve
from tests.integration.supervisor import fake_worker


def announce(address: str) -> None:
    """Say where the companion serves."""
    sys.stderr.write(f"ready {address}\n")


def main(database_url: str, processors: str) -> int:
    """Serve until told to stop."""
    logs.configure("text")
    settings = Settings(database_url=database_url, processors=Path(processors), kafka={})
    try:
        return serve(
            settings,
            companions=[Companion("web", fake_worker.web, ("http://127.0.0.1:8080",))],
            on_ready=announce,
            worker=fake_worker.run,
            preload=("tests.integration.supervisor.fake_worker",),
        )
    except InflectError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
