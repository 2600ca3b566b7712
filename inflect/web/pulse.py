"""One look a second for everybody: the thread that reads the store, keeps five minutes of figures and draws fragments.

However many pages are open, the database sees four statements a second and each fragment is drawn once. When Postgres
is away the last frame stays, says since when, and the next look that succeeds replaces it. Pages read `frame` and cost
no statement.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from inflect import logs
from inflect.errors import InflectError
from inflect.model.pipeline import Pipeline
from inflect.store.workers import by_pipeline
from inflect.web import overview
from inflect.web.figures import Figures, Track
from inflect.web.live import Fragments, Hub, Topic
from inflect.web.overview import Reading
from inflect.web.views import ChangeView, HealthView, PipelineView

PERIOD_S = 1.0
FIRST_LOOK_S = 6.0
CHANGES_SHOWN = 8
CHANGES_READ = 50
_LOG = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the last look failed, and from when what is shown dates (None: nothing was ever seen)."""

    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything pages show of running pipelines, at one moment. Immutable: one frame serves all viewers."""

    at: datetime
    health: HealthView
    pipelines: Mapping[str, PipelineView] = field(default_factory=dict)
    figures: Mapping[str, Figures] = field(default_factory=dict)
    models: Mapping[str, Pipeline] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    changes: Sequence[ChangeView] = ()
    outage: Outage | None = None

    def newest_change(self, name: str) -> str:
        """A word that changes when somebody changes this pipeline."""
        moments = [change.at.isoformat() for change in self.changes if change.subject == name]
        return f"{self.pipelines[name].revision}@{moments[0] if moments else ''}"


Read = Callable[[], Reading]
Draw = Callable[[Topic, Frame], Fragments]


class Pulse:
    """The thread; use it as a context manager. `read` may raise InflectError (the database is away), never hangs."""

    def __init__(self, read: Read, draw: Draw, hub: Hub) -> None:
        self._read, self._draw, self._hub = read, draw, hub
        self._tracks: dict[str, Track] = {}
        self._models: dict[tuple[str, int], Pipeline] = {}
        self._frame = Frame(datetime.now(UTC), overview.health(()))
        self._looks = 0
        self._looked = threading.Condition()
        self._hurry = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping = True
        self._hurry.set()
        self._thread.join(timeout=PERIOD_S)

    @property
    def frame(self) -> Frame:
        """The newest frame; waits for the first look, at most a few seconds."""
        with self._looked:
            self._looked.wait_for(lambda: self._looks > 0, timeout=FIRST_LOOK_S)
            return self._frame

    def refresh(self) -> Frame:
        """Look again now and wait for it: a page that just changed something must show it."""
        with self._looked:
            wanted = self._looks + 2 if self._looks else 1  # the look under way may have read before the change
            deadline = time.monotonic() + PERIOD_S * 2
            while self._looks < wanted and time.monotonic() < deadline:
                self._hurry.set()
                self._looked.wait(timeout=0.1)
            return self._frame

    def _run(self) -> None:
        while not self._stopping:
            begun = time.monotonic()
            self._look()
            self._hurry.wait(timeout=max(0.0, PERIOD_S - (time.monotonic() - begun)))
            self._hurry.clear()

    def _look(self) -> None:
        try:
            frame = self._see(self._read())
        except InflectError as error:
            frame = self._keep(str(error))
        except Exception:  # noqa: BLE001  the thread must outlive a defect: pages would freeze without a word
            _LOG.exception("the look at the database failed")
            frame = self._keep("Inflect could not read its own tables; the log says why.")
        drawn = {topic: self._drawn(topic, frame) for topic in self._hub.watched()}
        with self._looked:
            self._frame = frame
            self._looks += 1
            self._looked.notify_all()
        self._hub.publish(drawn)

    def _drawn(self, topic: Topic, frame: Frame) -> Fragments:
        try:
            return self._draw(topic, frame)
        except Exception:  # noqa: BLE001  one page's defect must not stop the others
            _LOG.exception("a live page could not be drawn", topic=topic.kind, pipeline=topic.name)
            return {}

    def _keep(self, reason: str) -> Frame:
        old = self._frame
        since = old.outage.since if old.outage else (old.at if self._looks else None)
        sentence = "PostgreSQL does not answer; pipelines run on"
        return replace(
            old,
            health=replace(old.health, level="waiting", sentence=sentence, href="/"),
            outage=Outage(reason, since),
        )

    def _see(self, reading: Reading) -> Frame:
        views, figures, models = {}, {}, {}
        all_workers, all_progress = by_pipeline(reading.workers), by_pipeline(reading.progress)
        for row in reading.pipelines:
            workers, progress = all_workers[row.name], all_progress[row.name]
            models[row.name] = model = self._model(row.name, row.revision, row.document)
            track = self._tracks.setdefault(row.name, Track())
            track.add(overview.sample(row, progress, reading.at.timestamp()))
            figures[row.name] = track.figures()
            views[row.name] = overview.assemble(row, model, workers, progress, figures[row.name], reading.at)
        self._forget(views)
        documents = {row.name: row.document for row in reading.pipelines}
        changes = [overview.change(row) for row in reading.changes]
        verdict = overview.health(tuple(views.values()))
        return Frame(reading.at, verdict, views, figures, models, documents, changes)

    def _model(self, name: str, revision: int, document: Mapping[str, Any]) -> Pipeline:
        """The document read once a revision."""
        if (name, revision) not in self._models:
            self._models[name, revision] = overview.read_pipeline(document)
        return self._models[name, revision]

    def _forget(self, views: Mapping[str, PipelineView]) -> None:
        """Let go of what belongs to pipelines and revisions that are gone."""
        self._tracks = {name: track for name, track in self._tracks.items() if name in views}
        self._models = {
            key: model for key, model in self._models.items() if key[0] in views and views[key[0]].revision == key[1]
        }
