"""A redrive in a process of its own: V8 and a transactional producer belong neither into the web nor into a terminal.

The request goes in pickled, the tally comes out as lines of JSON, nothing that comes out is unpickled. The pipe in is
the child's lifeline: when it ends, the child finishes its transaction and stops; a child that dies has lost nothing,
since what it had not committed stays an open letter.
"""

import json
import os
import pickle
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from inflect import errors, lifecycle, logs
from inflect.control.redrive import Watcher, redrive
from inflect.control.selection import Order
from inflect.control.tally import Tally
from inflect.errors import Fault, InflectError, RefusedError
from inflect.model.revision import Revision
from inflect.schemas.writers import WriterSchemas
from inflect.settings import RegistryAccess, Settings
from inflect.store import audit
from inflect.store import pipelines as store
from inflect.store.database import Database

# How long a child may take to finish its transaction once nobody waits for it any more.
ORPHAN_EXIT_S = 40.0
_CHILD = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from inflect.control.redriver import serve; serve()"

Told = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What the child is told: everything it needs, so that it asks no database."""

    revision: Revision
    kafka: Mapping[str, str]
    order: Order
    log_format: str = "auto"
    registry: RegistryAccess | None = None
    schemas_dir: Path | None = None


def run(  # noqa: PLR0913  what to redrive, who asks, who is told
    db: Database,
    settings: Settings,
    name: str,
    order: Order,
    *,
    author: str,
    progress: Told = lambda _answer: None,
) -> dict[str, Any]:
    """Redrive letters of a pipeline through its current revision; the tally, see `Tally.answer`.

    Who asked for what, and what came of it, is audited. Raises NotFoundError without the pipeline, and what
    `control.redrive.redrive` raises.
    """
    revision = store.load_revision(db, name, store.get_pipeline(db, name).revision)
    request = Request(
        revision, settings.kafka, order, settings.log_format, settings.registry(), settings.data_dir / "schemas"
    )
    if order.dry_run:
        return _ask(request, progress)
    asked = {"ids": list(order.selection.ids[:100]), "cause": order.selection.cause, "from": order.start}
    _record(db, author, "redrive", name, asked | {"revision": revision.number})
    answer = _ask(request, progress)
    _record(db, author, "redriven", name, {k: v for k, v in answer.items() if k != "refusals"})
    return answer


def _record(db: Database, author: str, action: str, name: str, detail: Mapping[str, Any]) -> None:
    with db.transaction() as connection:
        audit.record(connection, author, action, name, detail)


def _ask(request: Request, progress: Told) -> dict[str, Any]:
    with _child(request) as (process, words):
        for line in words:
            word = json.loads(line)
            if "progress" in word:
                progress(word["progress"])
            elif "answer" in word:
                answer: dict[str, Any] = word["answer"]
                return answer
            else:
                _raise(**word)
    code = process.wait()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    raise InflectError(
        f"the process of the redrive died ({how}). What it had redriven stays so; run the redrive again for the rest."
    )


@contextmanager
def _child(request: Request) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The child while somebody waits for it; left early, it finishes its transaction first."""
    command = [sys.executable, "-I", "-c", _CHILD, json.dumps(sys.path)]
    process = subprocess.Popen(  # noqa: S603  our own interpreter with our own code
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a child without pipes; this is a defect")
    try:
        with suppress(BrokenPipeError):  # a child that is dead already says so by its exit code
            process.stdin.write(pickle.dumps(request))
            process.stdin.flush()
        yield process, process.stdout
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(ORPHAN_EXIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()
        process.wait()


def _raise(error: str, message: str, faults: list[list[str]], subject: str) -> None:
    """Raise what the child met, as the class it was where that crosses rooms."""
    kind = getattr(errors, error, InflectError)
    if kind is RefusedError:
        raise RefusedError(subject, [Fault(path, text) for path, text in faults])
    raise kind(message)


# The child.


def serve() -> None:
    """The child: read the request, say how it goes on stdout, and leave without waiting for V8's threads."""
    source = sys.stdin.buffer
    request: Request = pickle.load(source)  # noqa: S301  the parent's own words
    words = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever is printed goes to stderr
    logs.configure(request.log_format)
    lifecycle.quiet_core_dumps()
    lifecycle.hard_exit_when_orphaned(source, ORPHAN_EXIT_S)
    with words:
        _say(words, _result(request, words))
    os._exit(0)


def _result(request: Request, words: IO[str]) -> dict[str, Any]:
    def progress(tally: Tally) -> None:
        _say(words, {"progress": tally.answer()})

    def pause(seconds: float) -> bool:
        """The parent never writes again, so that its pipe is readable when it is gone."""
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], seconds)
        return bool(ready)

    try:
        with _writers(request) as writers:
            tally = redrive(request.revision, request.kafka, request.order, Watcher(progress, pause), writers)
    except InflectError as error:
        faults = [(f.path, f.message) for f in error.faults] if isinstance(error, RefusedError) else []
        subject = error.subject if isinstance(error, RefusedError) else ""
        known = next(kind.__name__ for kind in type(error).__mro__ if hasattr(errors, kind.__name__))
        return {"error": known, "message": str(error), "faults": faults, "subject": subject}
    return {"answer": tally.answer()}


@contextmanager
def _writers(request: Request) -> Iterator[WriterSchemas | None]:
    if request.registry is None:
        yield None
        return
    with WriterSchemas(request.registry, request.schemas_dir, request.revision.pinned) as writers:
        yield writers


def _say(words: IO[str], word: Mapping[str, Any]) -> None:
    try:
        words.write(json.dumps(word) + "\n")
        words.flush()
    except BrokenPipeError:
        return  # nobody listens any more; `pause` notices
