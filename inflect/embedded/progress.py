"""What the user sees on stderr while servers are fetched and started: bars on a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from inflect.embedded.download import Progress as ProgressCallback


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
        task = self._bars.add_task(name, total=None)

        def report(what: str, done: int, total: int) -> None:
            if self._console.is_terminal:
                self._show(task, what, done, total)
            elif done == total:  # a phase begins or is over; the steps between are for eyes
                self._console.print(what, highlight=False, soft_wrap=True)

        return report

    def _show(self, task: TaskID, what: str, done: int, total: int) -> None:
        if self._bars.tasks[task].finished:
            self._bars.reset(task, total=None)  # the next phase counts from its own beginning
        self._bars.update(task, description=what, completed=done, total=total or None)
