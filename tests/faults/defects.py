"""Defects sown into the loop, each with the fault that brings it to light: the checker must find every one.

They live in the worker's process only: `run_defective` patches it before it runs the worker. A defect is the kind of
mistake that a change could really make; a fault is what happens to any worker now and then, and a sound one survives
it.
"""

import os
import signal
import struct
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException

import inflect.kafka.config
import inflect.kafka.consumer
import inflect.kafka.producer
import inflect.worker.loop
from inflect.kafka.consumer import Fetched, SourceConsumer
from inflect.kafka.producer import Checkpoint, Outputs, TransactionSink, plain_producer
from inflect.model.event import Record
from inflect.model.pipeline import Pipeline
from inflect.processing.chain import Chain, Settled
from inflect.worker.main import run_local

Patch = Callable[[], None]


def run_defective(connection: Any, slot: int, kafka: Mapping[str, str], log_format: str, *sown: str) -> None:
    """`run_local` with faults and defects, by their names; runs in the child only."""
    for name in sown:
        sow = FAULTS[name] if name in FAULTS else DEFECTS[name].sow
        sow()
    run_local(connection, slot, kafka, log_format)


def put(owner: Any, name: str, patch: Any) -> None:
    """Replace a function of a module or a class."""
    setattr(owner, name, patch)


# --- faults: what a sound worker survives


def _wrap(module: Any, name: str, method: str, act: Callable[[int, Callable[[], Any]], Any]) -> None:
    """Let `act(nth, call)` stand for every call of a Kafka client's method."""
    client, calls = vars(module)[name], count(1)

    def stand_in(self: Any, *args: Any, **named: Any) -> Any:
        return act(next(calls), lambda: getattr(client, method)(self, *args, **named))

    vars(module)[name] = type(name, (client,), {method: stand_in})


def _refuse_third(nth: int, call: Callable[[], Any]) -> Any:
    if nth == 3:
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "sown", txn_requires_abort=True))
    return call()


def _lose_third_answer(nth: int, call: Callable[[], Any]) -> Any:
    answer = call()
    if nth == 3:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "sown"))
    return answer


def _die_at_third(nth: int, call: Callable[[], Any]) -> Any:
    if nth == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return call()


def _die_with_records_written() -> None:
    """Die in the third transaction when its records have arrived and its offsets have not been sent."""
    client, calls = vars(_PRODUCER)["Producer"], count(1)

    def stand_in(self: Any, *args: Any) -> None:
        if next(calls) == 3:
            self.flush(10)
            os.kill(os.getpid(), signal.SIGKILL)
        client.send_offsets_to_transaction(self, *args)

    vars(_PRODUCER)["Producer"] = type("Producer", (client,), {"send_offsets_to_transaction": stand_in})


def _freeze_at_third(nth: int, call: Callable[[], Any]) -> Any:
    if nth == 3:
        os.kill(os.getpid(), signal.SIGSTOP)
    return call()


def _freeze_at_first(nth: int, call: Callable[[], Any]) -> Any:
    if nth == 1:
        os.kill(os.getpid(), signal.SIGSTOP)
    return call()


def _freeze_after_third(nth: int, call: Callable[[], Any]) -> Any:
    answer = call()
    if nth == 3:
        os.kill(os.getpid(), signal.SIGSTOP)
    return answer


def _die_after_third(nth: int, call: Callable[[], Any]) -> Any:
    answer = call()
    if nth == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


def _every_call_fails() -> None:
    """The second and the fifth call of each method fail: as abortable, as fatal, as nothing in particular."""
    kinds: Sequence[dict[str, bool]] = ({"txn_requires_abort": True}, {"fatal": True}, {})
    consumer = ("consume", "committed", "position", "seek", "consumer_group_metadata")
    producer = (
        "init_transactions",
        "begin_transaction",
        "produce",
        "send_offsets_to_transaction",
        "commit_transaction",
    )
    methods = [(inflect.kafka.consumer, "Consumer", name) for name in consumer]
    methods += [(_PRODUCER, "Producer", name) for name in producer]
    for index, (module, client, method) in enumerate(methods):
        _wrap(module, client, method, _failing(kinds[index % 3], kinds[(index + 1) % 3]))


def _failing(second: Mapping[str, bool], fifth: Mapping[str, bool]) -> Callable[[int, Callable[[], Any]], Any]:
    def act(nth: int, call: Callable[[], Any]) -> Any:
        if nth in {2, 5}:
            raise KafkaException(KafkaError(KafkaError._FAIL, "sown", **(second if nth == 2 else fifth)))
        return call()

    return act


def _slow_third_batch() -> None:
    """The third batch takes longer than the group allows between two polls."""
    inflect.kafka.config._CONSUMER_OWNED["max.poll.interval.ms"] = 6_000
    sound, calls = Chain.settle, count(1)

    def settle(self: Chain, batch: Any, **named: Any) -> Settled:
        if next(calls) == 3:
            threading.Event().wait(8)  # the fault itself: a step that computes for so long
        return sound(self, batch, **named)

    put(Chain, "settle", settle)


def _half_batches() -> None:
    sound = Chain.settle

    def settle(self: Chain, batch: Any, **named: Any) -> Settled:
        if len(batch) < 2:
            return sound(self, batch, **named)
        half = len(batch) // 2
        columns: dict[str, Any] = {
            n: getattr(batch, n)[:half] for n in ("values", "keys", "headers", "timestamps", "partitions", "offsets")
        }
        return sound(self, replace(batch, **columns), **named)

    put(Chain, "settle", settle)


_PRODUCER = inflect.kafka.producer
FAULTS: dict[str, Patch] = {
    "none": lambda: None,
    "refused": lambda: _wrap(_PRODUCER, "Producer", "send_offsets_to_transaction", _refuse_third),
    "answer lost": lambda: _wrap(_PRODUCER, "Producer", "commit_transaction", _lose_third_answer),
    "killed": lambda: _wrap(_PRODUCER, "Producer", "commit_transaction", _die_at_third),
    "killed in a transaction": _die_with_records_written,
    "frozen": lambda: _wrap(_PRODUCER, "Producer", "send_offsets_to_transaction", _freeze_at_third),
    "half batches": _half_batches,
    "dead after offsets": lambda: _wrap(_PRODUCER, "Producer", "send_offsets_to_transaction", _die_after_third),
    "frozen in a transaction": lambda: _wrap(_PRODUCER, "Producer", "begin_transaction", _freeze_after_third),
    "frozen at handover": lambda: _wrap(inflect.kafka.consumer, "Consumer", "incremental_unassign", _freeze_at_first),
    "every call fails": _every_call_fails,
    "slow": _slow_third_batch,
}


# --- defects


def _no_rewind() -> None:
    put(SourceConsumer, "recall", lambda _self: None)


def _recall_from_memory() -> None:
    def recall(self: SourceConsumer) -> None:
        self.rewind({p: max(progress.offset, 0) for p, progress in self.progress.items()})

    put(SourceConsumer, "recall", recall)


def _prefix_not_rewound() -> None:
    put(SourceConsumer, "rewind", lambda _self, _offsets: None)


def _last_plus_one() -> None:
    def positions(_self: SourceConsumer, events: Any) -> dict[int, int]:
        return {m.partition(): m.offset() + 1 for m in events}

    put(SourceConsumer, "_positions", positions)


def _position_late() -> None:
    """Fetch ahead and commit the position of the fetch instead of the batch's."""
    sound, ahead = SourceConsumer.fetch, dict[int, Fetched]()

    def fetch(self: SourceConsumer, *args: Any, **named: Any) -> Fetched:
        now = ahead.pop(id(self), None) or sound(self, *args, **named)
        ahead[id(self)] = sound(self, *args, **named)
        held = set(now.batch.partitions)
        late = {p: o for p, o in ahead[id(self)].positions.items() if p in held}
        return replace(now, positions={**now.positions, **late})

    put(SourceConsumer, "fetch", fetch)


def _no_membership() -> None:
    """What a consumer has that assigns partitions to itself; the broker fences nobody by it."""
    sound = TransactionSink.commit

    def commit(self: TransactionSink, outputs: Outputs, checkpoint: Checkpoint) -> None:
        membership = checkpoint.membership
        group, _member, rest = membership[11:].split(b"\0", 2)
        nobody = membership[:7] + struct.pack(">i", -1) + group + b"\0\0" + rest
        sound(self, outputs, replace(checkpoint, membership=nobody))

    put(TransactionSink, "commit", commit)


def _offsets_first() -> None:
    """Commit the offsets, then write: outside the transaction."""
    sound = TransactionSink.commit

    def commit(self: TransactionSink, outputs: Outputs, checkpoint: Checkpoint) -> None:
        checkpoint.source.commit(checkpoint.progress)
        sound(self, outputs, checkpoint)

    put(TransactionSink, "commit", commit)


def _auto_commit() -> None:
    inflect.kafka.config._CONSUMER_OWNED |= {
        "enable.auto.commit": True, "enable.auto.offset.store": True, "auto.commit.interval.ms": 10,
    }  # fmt: skip


def _read_uncommitted() -> None:
    inflect.kafka.config._CONSUMER_OWNED["isolation.level"] = "read_uncommitted"


def _partitions_cached() -> None:
    """What the first assignment held is taken for all there is."""
    sound, known = SourceConsumer._on_assign, set[int]()

    def on_assign(self: SourceConsumer, consumer: Any, partitions: list[Any]) -> None:
        if not known:
            known.update(place.partition for place in partitions)
        sound(self, consumer, [place for place in partitions if place.partition in known])

    put(SourceConsumer, "_on_assign", on_assign)


def _queue_swallowed() -> None:
    def push(producer: Any, record: Record, _deadline: float) -> None:
        try:
            producer.produce(record.topic, record.value, record.key, timestamp=record.timestamp)
        except BufferError:
            producer.poll(0.01)

    put(inflect.kafka.producer, "push", push)


def _queue_twice() -> None:
    """A record that waited for room in the queue is sent again."""
    sound = inflect.kafka.producer.push

    def push(producer: Any, record: Record, deadline: float) -> None:
        sound(producer, record, deadline)
        sound(producer, record, deadline)

    put(inflect.kafka.producer, "push", push)


def _random_transactional_id() -> None:
    put(Pipeline, "transactional_id", lambda _self, _slot: f"inflect-{uuid.uuid4()}")


def _dead_letters_outside() -> None:
    """Dead letters are written at once, by a producer of their own."""
    sound = TransactionSink.commit

    def commit(self: TransactionSink, outputs: Outputs, checkpoint: Checkpoint) -> None:
        beside = plain_producer({"bootstrap.servers": self._config["bootstrap.servers"]})
        for records in outputs.records.values():
            for record in records:
                beside.produce(record.topic, record.value, record.key)
        beside.flush(10)
        sound(self, replace(outputs, records={}), checkpoint)

    put(TransactionSink, "commit", commit)


def _settled_otherwise(change: Callable[[list[str | bytes]], list[str | bytes]]) -> None:
    sound = Chain.settle

    def settle(self: Chain, batch: Any, **named: Any) -> Settled:
        settled = sound(self, batch, **named)
        return replace(settled, values=change(settled.values))

    put(Chain, "settle", settle)


def _drop_one(values: list[str | bytes]) -> list[str | bytes]:
    first = next((i for i, value in enumerate(values) if value), None)
    return ["" if i == first else value for i, value in enumerate(values)]


def _swap(values: list[str | bytes]) -> list[str | bytes]:
    """Values change places with their neighbours: each leaves under another event's key."""
    filled = [i for i, value in enumerate(values) if value]
    swapped = list(values)
    for one, other in zip(filled[::2], filled[1::2], strict=False):
        swapped[one], swapped[other] = values[other], values[one]
    return swapped


def _backwards() -> None:
    """Write the batch from its end."""
    sound = inflect.kafka.producer.send

    def send(producer: Any, outputs: Outputs, deadline: float) -> None:
        batch, size = outputs.batch, len(outputs.values)
        names = ("values", "keys", "headers", "timestamps", "partitions", "offsets")
        turned: dict[str, Any] = {name: list(getattr(batch, name))[:size][::-1] for name in names}
        records = {size - 1 - index: kept for index, kept in outputs.records.items()}
        sound(producer, Outputs(outputs.topic, replace(batch, **turned), outputs.values[::-1], records), deadline)

    put(inflect.kafka.producer, "send", send)


def _books_forgotten() -> None:
    """Offsets are committed without the counts."""
    sound = vars(inflect.kafka.producer)["offsets_of"]

    def offsets_of(topic: str, progress: Any) -> list[Any]:
        offsets = sound(topic, progress)
        return [confluent_kafka.TopicPartition(o.topic, o.partition, o.offset) for o in offsets]

    put(inflect.kafka.producer, "offsets_of", offsets_of)


def _fetched_and_lost() -> None:
    """An exception in the middle of a fetch is swallowed, and with it what was fetched."""
    sound, calls = SourceConsumer._gather, count(1)

    def gather(self: SourceConsumer, *args: Any) -> list[Any]:
        messages = sound(self, *args)
        return [] if messages and next(calls) == 2 else messages

    put(SourceConsumer, "_gather", gather)


@dataclass(frozen=True, slots=True)
class Defect:
    """A mistake, the fault under which it shows, and the figure of the verdict that must tell."""

    sow: Patch
    fault: str
    figure: str
    source: str = "plain"
    kafka: Mapping[str, str] | None = None
    batch_events: int = 200


_NARROW = {"queue.buffering.max.messages": "20"}
DEFECTS: dict[str, Defect] = {
    "nothing is fetched again after a failed transaction": Defect(_no_rewind, "refused", "lost"),
    "a worker whose commit was not answered believes its memory": Defect(
        _recall_from_memory, "answer lost", "duplicated"
    ),
    "the rest of a batch is not fetched again": Defect(_prefix_not_rewound, "half batches", "lost"),
    "the last offset plus one is committed": Defect(_last_plus_one, "none", "books", "transactional"),
    "the position is read late": Defect(_position_late, "killed", "lost"),
    "offsets are committed for nobody": Defect(_no_membership, "frozen", "duplicated"),
    "offsets are committed before the outputs": Defect(_offsets_first, "killed", "lost"),
    "the client commits by itself": Defect(_auto_commit, "killed", "lost"),
    "uncommitted events are read": Defect(_read_uncommitted, "none", "duplicated", "transactional"),
    "added partitions are passed over": Defect(_partitions_cached, "none", "lost", "growing"),
    "a full queue is ignored": Defect(_queue_swallowed, "none", "lost", kafka=_NARROW),
    "what waited for the queue is sent twice": Defect(_queue_twice, "none", "duplicated", kafka=_NARROW),
    "the transactional id is random": Defect(_random_transactional_id, "killed in a transaction", "hidden"),
    "dead letters are written outside the transaction": Defect(_dead_letters_outside, "refused", "duplicated"),
    "an event is dropped and counted as delivered": Defect(lambda: _settled_otherwise(_drop_one), "none", "lost"),
    "values change places": Defect(lambda: _settled_otherwise(_swap), "none", "wrong"),
    "a batch is written backwards": Defect(_backwards, "none", "reordered", batch_events=5_000),
    "offsets are committed without the counts": Defect(_books_forgotten, "none", "books"),
    "what an interrupted fetch had is forgotten": Defect(_fetched_and_lost, "none", "lost"),
}  # fmt: skip
