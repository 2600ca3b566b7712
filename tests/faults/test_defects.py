"""The checker proves itself: it finds every defect sown into the loop, and nothing where only the fault was sown."""

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from confluent_kafka import Producer

from inflect.embedded.kafka import KafkaServer
from inflect.model.pipeline import BatchLimits
from tests.faults.defects import DEFECTS, Defect
from tests.faults.stage import Scene, scene
from tests.soak import reference
from tests.soak.verdict import Verdict
from tests.waiting import eventually

LEAST = 12
EVENTS = 1_500
AT_ONCE = 8
SETTLED_WITHIN_S = {
    "none": 6.0,
    "refused": 6.0,
    "answer lost": 6.0,
    "half batches": 6.0,
    "killed": 12.0,
    "killed in a transaction": 2.0,
    "frozen": 12.0,
}


def test_a58_every_defect_sown_into_the_loop_turns_the_checker_red(kafka: KafkaServer, context: Any) -> None:
    sound = {(d.fault, d.source, d.kafka is not None): d for d in DEFECTS.values()}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = {name: pool.submit(play, kafka, context, defect, name) for name, defect in DEFECTS.items()}
        clean = {about: pool.submit(play, kafka, context, defect) for about, defect in sound.items()}

    assert {about: run.result() for about, run in clean.items() if not run.result().clean} == {}
    missed = {name: run.result() for name, run in found.items() if not getattr(run.result(), DEFECTS[name].figure)}
    assert missed == {}
    assert len(found) >= LEAST


def play(kafka: KafkaServer, context: Any, defect: Defect, *sown: str) -> Verdict:
    """The fault of a defect, with the defect itself when it is named; what the checker says then."""
    with scene(kafka.bootstrap_servers, context, batch=BatchLimits(defect.batch_events, 100)) as each:
        feed(each, defect.source)
        within_s = SETTLED_WITHIN_S[defect.fault] if sown else 60.0
        first = each.start(0, defect.fault, *sown, kafka=defect.kafka)
        if defect.fault.startswith("killed"):
            assert first.wait() == -signal.SIGKILL or sown  # a defect may have ended it before
            each.start(0, *sown)
        if defect.fault == "frozen":
            eventually(first.frozen, within_s=30)
            each.start(1)
            each.settled()
            heard = len(first.hear())
            first.send_signal(signal.SIGCONT)
            eventually(lambda: len(first.hear()) > heard or first.ended(), within_s=20)
        if defect.source == "growing":
            each.settled()
            each.add_partitions(each.crew.source, 6)
            each.write(500)
        with suppress(AssertionError):
            each.settled(within_s)
        return each.verdict(stable_within_s=2 if sown else 25)


def feed(each: Scene, source: str) -> None:
    """The events; `transactional`: each of them also in a transaction that is aborted."""
    if source != "transactional":
        return each.write(EVENTS)
    upstream = Producer({**each.crew.kafka, "transactional.id": each.crew.name, "partitioner": "murmur2_random"})
    upstream.init_transactions(20)
    for first in range(0, EVENTS, 300):
        for committed in (False, True):
            upstream.begin_transaction()
            for n in range(first, first + 300):
                key, value = reference.event(n)
                upstream.produce(each.crew.source, value, key)
            upstream.flush(10)
            upstream.commit_transaction(10) if committed else upstream.abort_transaction(10)
    each.written = EVENTS
    return None
