"""Workers in real processes, driven by their pipe as the supervisor does, and the judgement of what they leave."""

import json
import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

import inflect.kafka.consumer
import inflect.kafka.producer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.event import Counts
from inflect.model.pipeline import Pipeline, Source, Step, Target
from inflect.model.revision import Revision
from inflect.model.status import Halted, PartitionProgress, Quarantined, Report, Run, Stop
from inflect.supervisor.process import Child, start_forkserver
from inflect.worker.equipment import NO_SCHEMAS, SchemaAccess
from inflect.worker.main import run_local
from tests.waiting import eventually

Names = Callable[[str], str]

JUDGE = """
module.exports = (event, context) => {
  if (event.n % 50 === 7) throw new TypeError('sevens fail')
  if (event.n % 10 === 3) return null
  event.rev = context.revision
  return event
}
"""


@dataclass(frozen=True)
class Seam:
    """At the `nth` call of a Kafka client's method, before or after it, the process sends itself a signal."""

    method: str
    when: str
    nth: int = 1
    signal: int = signal.SIGKILL


def run_with_seam(connection: Any, slot: int, kafka: Mapping[str, str], log_format: str, seam: Seam) -> None:
    """`run_local` whose Kafka clients strike at the seam; runs in the child only."""
    calls = Counter[str]()

    def strike(method: str, when: str) -> None:
        calls[when] += 1
        if (method, when, calls[when]) == (seam.method, seam.when, seam.nth):
            os.kill(os.getpid(), seam.signal)

    def wrapped(base: Any) -> Any:
        def call(self: Any, *args: Any, **named: Any) -> Any:
            strike(seam.method, "before")
            answer = getattr(base, seam.method)(self, *args, **named)
            if seam.method != "consume" or answer:
                strike(seam.method, "after")
            return answer

        return type(base.__name__, (base,), {seam.method: call})

    if seam.method == "consume":
        vars(inflect.kafka.consumer)["Consumer"] = wrapped(confluent_kafka.Consumer)
    else:
        vars(inflect.kafka.producer)["Producer"] = wrapped(confluent_kafka.Producer)
    run_local(connection, slot, kafka, log_format)


class Hand:
    """One worker process and everything it has said."""

    def __init__(self, child: Child, revision: Revision) -> None:
        self.child = child
        self.words: list[Any] = []
        child.send(Run(revision))

    def hear(self) -> list[Any]:
        self.words.extend(self.child.receive())
        return self.words

    @property
    def report(self) -> Report | None:
        return next((word for word in reversed(self.hear()) if isinstance(word, Report)), None)

    @property
    def last_word(self) -> Halted | Quarantined | None:
        return next((word for word in self.hear() if isinstance(word, Halted | Quarantined)), None)

    def send_signal(self, number: signal.Signals) -> None:
        self.child.signal(number)

    def frozen(self) -> bool:
        with open(f"/proc/{self.child.pid}/stat") as stat:  # noqa: PTH123  one word of a special file
            return stat.read().rpartition(")")[2].split()[0] == "T"

    def ended(self) -> bool:
        self.hear()
        return self.child.hung_up

    def wait(self, within_s: float = 30) -> int | None:
        eventually(self.ended, within_s=within_s, why=f"worker {self.child.pid} should end")
        return self.child.exit_code()


@dataclass
class Crew:
    """A pipeline, its topics and its workers."""

    servers: str
    source: str
    target: str
    dead_letter: str
    name: str
    code: str = JUDGE
    context: Any = field(default_factory=start_forkserver)
    hands: list[Hand] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def kafka(self) -> dict[str, str]:
        return {"bootstrap.servers": self.servers}

    def revision(self, number: int = 1, **changed: Any) -> Revision:
        step = Step("judge", "transformation", "judge", dead_letter=self.dead_letter, on_error="dead_letter")
        facts = {
            "dead_letter": self.dead_letter,
            "on_error": "dead_letter",
            "steps": (step,),
            **self.options,
            **changed,
        }
        code = facts.pop("code", self.code)
        pipeline = Pipeline(self.name, Source(self.source), Target(self.target), **facts)
        return Revision(number, pipeline, {"transformations/judge.js": code}, ("transformations/judge.js",))

    def start(
        self,
        slot: int = 0,
        *,
        revision: Revision | None = None,
        seam: Seam | None = None,
        schemas: SchemaAccess = NO_SCHEMAS,
    ) -> Hand:
        args = (slot, self.kafka, "json")
        if seam is None:
            child = Child(self.context, f"{self.name}-{slot}", run_local, *args, schemas)
        else:
            child = Child(self.context, f"{self.name}-{slot}", run_with_seam, *args, seam)
        hand = Hand(child, revision or self.revision())
        self.hands.append(hand)
        return hand

    def stop(self, hand: Hand) -> int | None:
        hand.child.send(Stop())
        return hand.wait()

    def dismiss(self) -> None:
        for hand in self.hands:
            hand.send_signal(signal.SIGKILL)
            hand.child.exit_code()
            hand.child.close()

    def admin(self) -> AdminClient:
        return AdminClient({**self.kafka})

    def write(self, count: int, *, first: int = 0) -> None:
        producer = plain_producer(self.kafka | {"queue.buffering.max.messages": "1000000", "message.timeout.ms": "0"})
        for n in range(first, first + count):
            producer.produce(self.source, json.dumps({"n": n}), key=f"key-{n % 37}")
        assert producer.flush(60) == 0

    def settled(self, count: int) -> bool:
        """Whether the workers say that `count` events have an outcome; `judge` asks Kafka."""
        stand: dict[int, PartitionProgress] = {}
        for word in (word for hand in self.hands for word in hand.hear() if isinstance(word, Report)):
            for partition, progress in word.progress.items():
                if partition not in stand or progress.offset > stand[partition].offset:
                    stand[partition] = progress
        return sum(progress.counts.consumed for progress in stand.values()) >= count

    def judge(self) -> None:
        """Nothing lost, nothing doubled, order per key, counts and offsets that agree; all by read_committed."""
        found = committed(self.kafka, self.source, self.target, self.dead_letter)
        events = {json.loads(m.value())["n"]: m for m in found[self.source]}
        delivered = [(m, json.loads(m.value())["n"]) for m in found[self.target]]
        dead = [json.loads(m.value())["n"] for m in found[self.dead_letter]]
        assert Counter(n for _, n in delivered) == Counter(n for n in events if n % 50 != 7 and n % 10 != 3)
        assert Counter(dead) == Counter(n for n in events if n % 50 == 7)
        last: dict[tuple[bytes, int], int] = defaultdict(lambda: -1)
        for message, n in delivered:
            of = (message.key(), events[n].partition())
            assert last[of] < events[n].offset(), f"event {n} is out of order"
            last[of] = events[n].offset()
        self._judge_counts(len(events), len(delivered), len(dead))

    def _judge_counts(self, events: int, delivered: int, dead: int) -> None:
        with Admin(self.kafka) as admin:
            progress = admin.committed(f"inflect-{self.name}", self.source)
            ends = admin.ends(self.source)
        counts = sum((p.counts for p in progress.values()), Counts())
        assert counts == Counts(events, delivered, events - delivered - dead, dead)
        assert {p: s.offset for p, s in progress.items()} == {p: end for p, end in ends.items() if end > 0}


def committed(kafka: Mapping[str, str], *topics: str) -> dict[str, list[Any]]:
    """Every committed record of the topics, each partition in the order of its offsets."""
    config = {"group.id": "judge", "isolation.level": "read_committed", "enable.partition.eof": True}
    reader = Consumer({**kafka, **config, "enable.auto.commit": False, "fetch.wait.max.ms": 10})
    known = reader.list_topics(timeout=10).topics
    unread = {(topic, partition) for topic in topics for partition in known[topic].partitions}
    found: dict[str, list[Any]] = {topic: [] for topic in topics}
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in unread])
    while unread:
        for message in reader.consume(10_000, 0.1):
            error = message.error()
            if error is None:
                found[str(message.topic())].append(message)
                continue
            assert error.code() == KafkaError._PARTITION_EOF, error.str()
            unread.discard((message.topic(), message.partition()))
    return found


@contextmanager
def crew(
    servers: str, name: Names, *, partitions: int = 4, config: dict[str, str] | None = None, **facts: Any
) -> Iterator[Crew]:
    """A crew with new topics; its workers are gone when the block ends. `config` is the target's."""
    made = Crew(servers, name("in"), name("out"), name("dlq"), name("crew"), **facts)
    with Admin(made.kafka) as admin:
        admin.create_topics(
            [
                NewTopicSpec(made.source, partitions),
                NewTopicSpec(made.target, 3, config=config or {}),
                NewTopicSpec(made.dead_letter, 1),
            ]
        )
    try:
        yield made
    finally:
        made.dismiss()
