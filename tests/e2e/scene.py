"""A pipeline on stage: its functions, its topics, what it says of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.traffic import Broker, Found
from tests.installation import Installation
from tests.waiting import eventually

SETTLED_WITHIN_S = 45


@dataclass(frozen=True, slots=True)
class Flow:
    """One pipeline and its topics."""

    name: str
    document: dict[str, Any]

    @property
    def source(self) -> str:
        topic: str = self.document["source"]["topic"]
        return topic

    @property
    def target(self) -> str:
        topic: str = self.document["target"]["topic"]
        return topic

    @property
    def dead_letter(self) -> str:
        topic: str = self.document["dead_letter"]
        return topic


@dataclass(frozen=True, slots=True)
class Scene:
    """An installation, its broker, and topics of its own."""

    installation: Installation
    broker: Broker
    topic_name: Callable[[str], str]

    def flow(
        self,
        name: str,
        functions: Mapping[str, str],
        *,
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
        **document: Any,
    ) -> Flow:
        """Write the functions, make the topics and apply a pipeline that runs the functions in their order.

        `document` overrides and adds; a key given as None is left out.
        """
        self.installation.write_processors(functions)
        topics = {
            end: self.broker.create(self.topic_name(f"{name}-{end}"), partitions, config) for end in ("in", "out")
        }
        given = {
            "name": name,
            "source": {"topic": topics["in"]},
            "steps": [step_of(path) for path in functions if not path.startswith("lib/")],
            "target": {"topic": topics["out"]},
            "dead_letter": f"{topics['out']}-dlq",
            "workers": {"min": 1, "max": 4},
            **document,
        }
        flow = Flow(name, {key: value for key, value in given.items() if value is not None})
        eventually(lambda: self._taken(flow.document), 15, why=f"{name} is accepted")
        return flow

    def _taken(self, document: Mapping[str, Any]) -> bool:
        """Whether the API takes the pipeline: not before the supervisor has seen the functions it names."""
        answer = httpx.post(f"{self.installation.address}/api/v1/pipelines", json=document, timeout=30)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return True

    def counts(self, flow: Flow) -> dict[str, int]:
        """The pipeline's counts, balanced."""
        counts: dict[str, int] = self.installation.show(flow.name)["counts"]
        assert counts["unaccounted"] == 0, counts
        return counts

    def settled(self, flow: Flow, events: int, within_s: float = SETTLED_WITHIN_S) -> dict[str, int]:
        """Wait until so many events are settled; the counts, which hold exactly as many."""

        def counts() -> dict[str, int] | None:
            now = self.counts(flow)
            return now if now["consumed"] >= events else None

        found = eventually(counts, within_s, why=f"{events} events of {flow.name} settled")
        assert found is not None
        assert found["consumed"] == events
        return found

    def state(self, flow: Flow, wanted: str, within_s: float = 20) -> dict[str, Any]:
        """Wait for the state; what `show` says then."""

        def shown() -> dict[str, Any] | None:
            now = self.installation.show(flow.name)
            assert now["state"] == wanted, now
            return now

        found = eventually(shown, within_s, why=f"{flow.name} is {wanted}")
        assert found is not None
        return found

    def running(self, flow: Flow, workers: int = 1, within_s: float = 30) -> list[int]:
        """Wait until so many workers run; their process ids."""

        def pids() -> list[int]:
            shown = self.installation.show(flow.name)
            assert shown["state"] == "running", shown
            alive = [worker for worker in shown["workers"] if worker["state"] == "running"]
            assert len(alive) == workers, shown
            return [worker["pid"] for worker in alive]

        return eventually(pids, within_s, why=f"{workers} workers of {flow.name} run")

    def first(self, topic: str, within_s: float = SETTLED_WITHIN_S) -> Found:
        """Wait for the first committed record of a topic."""
        return eventually(lambda: self.broker.read(topic), within_s, why=f"a record in {topic}")[0]

    def clear(self) -> None:
        """Delete all pipelines and functions, so that the next ones are not taken for those."""
        address = f"{self.installation.address}/api/v1/pipelines"
        for shown in httpx.get(address, timeout=10).raise_for_status().json():
            httpx.delete(f"{address}/{shown['name']}", timeout=10).raise_for_status()
        for file in self.installation.processors.rglob("*.js"):
            file.unlink()
        self.installation.must("sync")

    def metrics(self) -> str:
        """What /metrics answers."""
        return httpx.get(f"{self.installation.address}/metrics", timeout=10).raise_for_status().text


def step_of(path: str) -> dict[str, str]:
    """The step that runs a file."""
    kind, _, name = path.removesuffix(".js").partition("/")
    return {kind.removesuffix("s"): name}
