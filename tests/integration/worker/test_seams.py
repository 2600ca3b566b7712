"""Workers killed, frozen and replaced at every seam between two calls to Kafka; a real process each."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.producer import NotReadyError, TransactionSink
from inflect.model.pipeline import BatchLimits
from inflect.model.status import Report
from tests.integration.worker.crew import Crew, Hand, Names, Seam, crew
from tests.waiting import eventually

EVENTS = 2_000
BATCH = {"batch": BatchLimits(max_events=300, max_wait_ms=50)}
SEAMS = (
    Seam("consume", "after", 1),
    Seam("consume", "after", 4),
    Seam("init_transactions", "before"),
    Seam("init_transactions", "after"),
    Seam("begin_transaction", "before", 2),
    Seam("produce", "before", 700),
    Seam("send_offsets_to_transaction", "before", 2),
    Seam("send_offsets_to_transaction", "after", 2),
    Seam("commit_transaction", "before", 2),
    Seam("commit_transaction", "after", 2),
)


@pytest.fixture
def crews(kafka: KafkaServer, topic_name: Names) -> Iterator[list[Crew]]:
    """As many crews as there are seams: they suffer at the same time, because a lost session takes its time."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(crew(kafka.bootstrap_servers, topic_name, partitions=2, options=BATCH)) for _ in SEAMS
        ]


@pytest.mark.row("A01", "A03")
def test_a_worker_killed_at_any_seam_loses_and_doubles_nothing(crews: list[Crew]) -> None:
    struck: list[Hand] = []
    for each, seam in zip(crews, SEAMS, strict=True):
        each.write(EVENTS)
        struck.append(each.start(seam=seam))
    for each, hand in zip(crews, struck, strict=True):
        assert hand.wait() == -signal.SIGKILL
        each.start()
    for each in crews:
        eventually(lambda each=each: each.settled(EVENTS), within_s=60)  # type: ignore[misc]  # bound now
        each.judge()


@pytest.mark.row("A06", "A07")
def test_a_worker_frozen_past_its_session_commits_nothing_when_it_wakes(kafka: KafkaServer, topic_name: Names) -> None:
    """The zombie's successor has another slot, the same slot, or finds the zombie's transaction open with offsets."""
    before = Seam("send_offsets_to_transaction", "before", 2, signal.SIGSTOP)
    after = Seam("send_offsets_to_transaction", "after", 2, signal.SIGSTOP)
    cases = ((before, 1), (before, 0), (after, 1))
    with ExitStack() as stack:
        crews = [
            stack.enter_context(crew(kafka.bootstrap_servers, topic_name, partitions=2, options=BATCH)) for _ in cases
        ]
        zombies = []
        for each, (seam, _) in zip(crews, cases, strict=True):
            each.write(EVENTS)
            zombies.append(each.start(seam=seam))
        for zombie in zombies:
            eventually(zombie.frozen, within_s=30)
        for each, (_, slot) in zip(crews, cases, strict=True):
            each.start(slot)
        for each, zombie in zip(crews, zombies, strict=True):
            eventually(lambda each=each: each.settled(EVENTS), within_s=60)  # type: ignore[misc]  # bound now
            heard = len(zombie.hear())
            zombie.send_signal(signal.SIGCONT)
            eventually(lambda zombie=zombie, heard=heard: len(zombie.hear()) > heard, within_s=20)  # type: ignore[misc]  # bound now
        for each, zombie in zip(crews, zombies, strict=True):
            each.write(500, first=EVENTS)
            eventually(lambda each=each: each.settled(EVENTS + 500), within_s=60)  # type: ignore[misc]  # bound now
            results = [
                (dict(sample.labels)["result"], sample.amount)
                for word in zombie.hear()
                if isinstance(word, Report)
                for sample in word.samples
                if sample.name == "inflect_transactions_total"
            ]
            assert ("aborted", 1.0) in results or zombie.ended()
            each.judge()


@pytest.mark.row("A31")
def test_a_worker_gives_way_to_a_rival_that_keeps_its_transactional_id(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        worker = each.start()
        written = 0

        def rival_comes() -> bool:
            nonlocal written
            each.write(100, first=written)
            written += 100
            eventually(lambda: each.settled(written) or worker.ended(), within_s=20)
            sink = TransactionSink(each.kafka, each.revision().pipeline.transactional_id(0))
            try:
                sink.open()
            except NotReadyError:
                return False
            finally:
                sink.close()
            return worker.ended()

        eventually(rival_comes, within_s=60)
        assert worker.wait() == 1
        assert worker.report is not None
        assert "another process uses the transactional id" in worker.report.detail
        each.start()
        eventually(lambda: each.settled(written), within_s=30)
        each.judge()
