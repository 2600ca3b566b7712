"""What the user sees on stderr while servers are fetched and started: bars on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from inflect.embedded.download import Progress as ProgressCallback

_SIGN_OF_LIFE_S = 5.0


class Display:
    """A line per server; a context manager around the start."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def line(self, name: str) -> ProgressCallback:
        """Return the callback that a server reports to."""
        if not self._console.is_terminal:
            return plain_lines()
        task = self._bars.add_task(name, total=None)
        return lambda what, done, total: self._show(task, what, done, total)

    def _show(self, task: TaskID, what: str, done: int, total: int) -> None:
        if self._bars.tasks[task].finished:
            self._bars.reset(task, total=None)  # the next phase counts from its own beginning
        self._bars.update(task, description=what, completed=done, total=total or None)


def plain_lines() -> ProgressCallback:
    """Return a callback that writes a line where a phase begins or is over, and in a long one a sign of life."""
    console, due = Console(stderr=True), 0.0

    def report(what: str, done: int, total: int) -> None:
        nonlocal due
        if done == total or time.monotonic() >= due:
            due = time.monotonic() + _SIGN_OF_LIFE_S
            share = f" ({done} of {total})" if done != total else ""
            console.print(what + share, highlight=False, soft_wrap=True)

    return report
