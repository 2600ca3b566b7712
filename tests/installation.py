"""An Inflect installation as its users have it: `inflect serve` as a process, the command line, the API.

Everything from outside, through the public surface, so that what these tests prove is what users get.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil

from tests.waiting import eventually

READY_WITHIN_S = 60


class Installation:
    """One `inflect serve` on given servers, with a directory of its own for processors, pipelines and logs."""

    def __init__(self, directory: Path, bootstrap_servers: str, database_url: str) -> None:
        self.directory = directory
        self.processors = directory / "processors"
        self.processors.mkdir(parents=True, exist_ok=True)
        self.log = directory / "serve.log"
        self.address = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.environment = {
            **os.environ,
            "INFLECT_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "INFLECT_DATABASE_URL": database_url,
            "INFLECT_PROCESSORS": str(self.processors),
            "INFLECT_HTTP_ADDRESS": "127.0.0.1:0",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._forget()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start serving and wait for the line that holds the UI's address."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "inflect", "serve"],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        lines: list[str] = []
        self._reader = threading.Thread(target=self._read_lines, args=(self._process, lines), daemon=True)
        self._reader.start()
        try:
            eventually(lambda: self._announced(lines), within_s=READY_WITHIN_S, why="inflect serve says it is ready")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> int:
        """SIGTERM, as systemd does; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def kill(self) -> None:
        """SIGKILL the supervisor, and wait until nothing it started is left: its orphans end by themselves."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait(10)
        self._forget()
        _gone, alive = psutil.wait_procs(family, timeout=15)
        assert not alive, f"orphans: {alive}"

    def inflect(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line; its exit code is for the caller to judge."""
        return subprocess.run(
            [sys.executable, "-m", "inflect", *arguments],
            cwd=self.directory,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def must(self, *arguments: str, given: str | None = None) -> str:
        """Run the command line; what it printed. Anything but exit code 0 fails."""
        done = self.inflect(*arguments, given=given)
        assert done.returncode == 0, f"inflect {' '.join(arguments)} exited {done.returncode}: {done.stderr}"
        return done.stdout

    def show(self, name: str) -> dict[str, Any]:
        """`show`'s object, from the API."""
        answer = httpx.get(f"{self.address}/api/v1/pipelines/{name}", timeout=10)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def write_processors(self, files: Mapping[str, str]) -> None:
        """Write processor files; each appears whole, as an editor's save does."""
        for path, source in files.items():
            file = self.processors / path
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".tmp")
            draft.write_text(source)
            draft.replace(file)

    def apply(self, document: Mapping[str, Any]) -> None:
        """Apply one pipeline."""
        file = self.directory / f"{document['name']}.json"
        file.write_text(json.dumps(document))
        self.must("apply", str(file))

    def workers(self, name: str) -> list[int]:
        """Process ids of a pipeline's live workers."""
        return [worker["pid"] for worker in self.show(name)["workers"]]

    def _read_lines(self, process: subprocess.Popen[str], lines: list[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            lines.extend(process.stdout)

    def _forget(self) -> None:
        """End the process if it still lives, and the thread that reads what it prints."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        if self._reader is not None:
            self._reader.join(15)

    def _announced(self, lines: list[str]) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"inflect serve exited {self._process.returncode}:\n{self.log.read_text()[-4000:]}")
        words = [word for line in lines for word in line.split()]
        self.address = next((word.rstrip("/") for word in words if word.startswith("http://")), "")
        return bool(self.address)
