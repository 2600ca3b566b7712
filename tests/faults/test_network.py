"""What a network does: answers that are lost, late or out of their time, and connections that break or go dumb."""

import struct
from contextlib import ExitStack
from typing import Any

from confluent_kafka import Producer

from inflect.kafka.admin import Admin
from tests.faults.proxy import (
    END_TXN,
    HEARTBEAT,
    JOIN_GROUP,
    PRODUCE,
    TXN_OFFSET_COMMIT,
    Deed,
    Frame,
    Proxy,
    on,
)
from tests.faults.stage import Scene, scene, together
from tests.waiting import eventually

FENCED = {22, 25, 27, 47, 48, 51, 90}  # illegal generation, unknown member, rebalance, old epoch, no such transaction …


def through(stack: ExitStack, servers: str, context: Any, events: int) -> tuple[Scene, Proxy]:
    """A scene with events, and a proxy that its workers may go through."""
    each = stack.enter_context(scene(servers, context))
    each.write(events)
    return each, stack.enter_context(Proxy(servers))


@together
def test_a12_a_lost_answer_to_a_commit_costs_and_doubles_nothing(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 2_000)
        proxy.rule = on("answer", END_TXN, "lose and cut", 2, 4, 5)
        each.start(kafka=proxy.kafka)
        each.passes()
        assert proxy.seen["answer", END_TXN] > 5


def haunt(proxy: Proxy, api: int) -> None:
    """Hold the second request of its kind; let it go when a later transaction is about to end."""

    def rule(frame: Frame) -> Deed:
        if (frame.way, frame.api, frame.nth) == ("request", api, 2):
            return "hold and cut"
        if (frame.way, frame.api) == ("request", END_TXN) and frame.nth > 4 and proxy.held:
            proxy.release()
            eventually(lambda: proxy.ghosts, within_s=5)
        return "pass"

    proxy.rule = rule


@together
def test_a13_a_commit_that_comes_late_ends_no_later_transaction(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 3_000)
        haunt(proxy, END_TXN)
        each.start(kafka=proxy.kafka)
        each.passes()
        (ghost,) = proxy.ghosts
        assert struct.unpack_from(">h", ghost, 12)[0] in FENCED


@together
def test_a13_without_a_new_epoch_the_late_commit_would_tear_a_transaction(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 0)
        proxy.rule = on("request", END_TXN, "hold and cut", 1)
        naive = Producer({**proxy.kafka, "transactional.id": each.crew.name})
        naive.init_transactions(20)
        for key in (b"first", b"second"):
            naive.begin_transaction()
            naive.produce(each.crew.target, b"{}", key, partition=0)
            naive.flush(10)
            if key == b"first":
                naive.commit_transaction(20)
        with Admin(each.crew.kafka) as admin:
            before = admin.ends(each.crew.target)[0]
            assert proxy.release() == 1
            eventually(lambda: admin.ends(each.crew.target)[0] > before, within_s=10, why="it ends what is open")


@together
def test_a14_offsets_of_an_attempt_that_was_given_up_are_refused(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 3_000)
        haunt(proxy, TXN_OFFSET_COMMIT)
        each.start(kafka=proxy.kafka)
        each.passes()
        (ghost,) = proxy.ghosts
        assert any(struct.pack(">h", code) in ghost[12:] for code in FENCED)


@together
def test_a15_lost_answers_to_writes_double_and_turn_round_nothing(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 3_000)
        proxy.rule = on("answer", PRODUCE, "lose and cut", 2, 5, 6, 9)
        each.start(kafka=proxy.kafka)
        each.passes()
        assert proxy.seen["answer", PRODUCE] > 9


@together
def test_a16_a_slow_network_that_breaks_now_and_then_is_only_slow(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 2_000)
        proxy.delay_s = 0.03
        proxy.rule = lambda frame: "cut" if frame.way == "answer" and sum(proxy.seen.values()) % 211 == 0 else "pass"
        each.start(kafka=proxy.kafka)
        each.passes()


@together
def test_a17_a_connection_that_went_dumb_is_noticed_said_and_replaced(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 500)
        hand = each.start(kafka=proxy.kafka)
        each.settled()
        proxy.rule = lambda _frame: "lose"
        each.write(500)
        eventually(lambda: hand.report and hand.report.state == "waiting", within_s=40, why="it says that it waits")
        proxy.rule = lambda _frame: "pass"
        each.passes()
        assert not hand.ended()


@together
def test_a22_a_worker_whose_heartbeats_are_lost_joins_anew(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        each, proxy = through(stack, servers, context, 500)
        proxy.rule = on("request", HEARTBEAT, "lose")
        hand = each.start(kafka=proxy.kafka)
        each.settled()
        joined = proxy.seen["request", JOIN_GROUP]
        each.write(500)
        eventually(lambda: proxy.seen["request", JOIN_GROUP] > joined, within_s=40, why="it joins again")
        proxy.rule = lambda _frame: "pass"
        each.write(500)
        each.passes()
        assert not hand.ended()
