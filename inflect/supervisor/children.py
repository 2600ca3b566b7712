"""All children of the supervisor in one wait: what they say, when they end, and whatever else wakes the loop.

One selector in one thread. Whoever starts a child hands over three functions to be called from `wait`;
nothing here knows what the children are for.
"""

import selectors
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from inflect.lifecycle import HasFileno
from inflect.supervisor.process import Child, Target
from inflect.supervisor.wire import GarbageError

_END_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Ears:
    """Who listens to a child: to its messages, to what is none (it is killed then), to its exit code."""

    on_message: Callable[[Any], None]
    on_garbage: Callable[[str], None]
    on_end: Callable[[int | None], None]


class Children:
    """The living children; leaving the block kills those that are left."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._selector = selectors.DefaultSelector()
        self._living: dict[Child, Ears] = {}
        self._born_dead: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self._living:
            child.signal(signal.SIGKILL)
        while self._living and self.wait(_END_WAIT_S):
            pass
        self._selector.close()

    def __len__(self) -> int:
        return len(self._living)

    def watch(self, waitable: HasFileno, on_ready: Callable[[], None]) -> None:
        """Call `on_ready` from `wait` whenever `waitable` is readable."""
        self._selector.register(waitable, selectors.EVENT_READ, lambda _mask: on_ready())

    def start(self, ears: Ears, name: str, target: Target, *args: Any) -> Child:
        """Start a child; raises OSError or EOFError when the machine cannot."""
        child = Child(self._context, name, target, *args)
        self._living[child] = ears
        self._selector.register(child.pipe_fd, selectors.EVENT_READ, lambda mask: self._pipe_ready(child, mask))
        if child.end_fd < 0:
            self._born_dead.append(child)
        else:
            self._selector.register(child.end_fd, selectors.EVENT_READ, lambda _mask: self._ended(child))
        return child

    def send(self, child: Child, message: object) -> None:
        """Send a message without waiting for the child to read it."""
        child.send(message)
        self._follow_pipe(child)

    def wait(self, timeout_s: float) -> bool:
        """Wait for whatever comes first, hand all of it out, and return whether there was anything."""
        born_dead, self._born_dead = self._born_dead, []
        for child in born_dead:
            self._ended(child)
        ready = self._selector.select(0 if born_dead else timeout_s)
        for key, mask in ready:
            key.data(mask)
        return bool(ready or born_dead)

    def _pipe_ready(self, child: Child, mask: int) -> None:
        if child not in self._living:
            return  # it ended earlier in the same round
        if mask & selectors.EVENT_WRITE:
            child.flush()
        if mask & selectors.EVENT_READ:
            self._hear(child)
        self._follow_pipe(child)

    def _hear(self, child: Child) -> None:
        ears = self._living[child]
        try:
            for message in child.receive():
                ears.on_message(message)
        except GarbageError as error:
            child.hung_up = True  # nothing after it can be trusted
            child.signal(signal.SIGKILL)
            ears.on_garbage(str(error))

    def _follow_pipe(self, child: Child) -> None:
        """Wait for exactly what the child's pipe can still do."""
        if child.hung_up:
            if child.pipe_fd in self._selector.get_map():
                self._selector.unregister(child.pipe_fd)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if child.wants_to_write else 0)
        self._selector.modify(child.pipe_fd, events, self._selector.get_key(child.pipe_fd).data)

    def _ended(self, child: Child) -> None:
        """Take the last words, then the exit code, and let go."""
        self._hear(child)
        for fd in (child.pipe_fd, child.end_fd):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        ears = self._living.pop(child)
        code = child.exit_code()
        child.close()
        ears.on_end(code)
