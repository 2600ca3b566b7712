"""Signals, orphans and core dumps, in processes of their own."""

import os
import resource
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from inflect import lifecycle
from inflect.lifecycle import StopSignals


def child(code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_signal_sets_the_flag_and_wakes_the_wait_and_nothing_else() -> None:
    with StopSignals() as signals:
        assert not signals.stop_requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert select.select([signals], [], [], 5)[0]
        assert signals.stop_requested
        assert signals.count == 1
        signals.drain()
        assert not select.select([signals], [], [], 0)[0]
        assert signals.stop_requested


def test_a_second_signal_can_be_told_from_the_first() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.count == 2


def test_leaving_gives_the_handlers_back_and_leaks_nothing() -> None:
    handlers = [signal.getsignal(number) for number in lifecycle.stop_signals()]
    descriptors = open_files()
    with StopSignals():
        assert [signal.getsignal(number) for number in lifecycle.stop_signals()] != handlers
    assert [signal.getsignal(number) for number in lifecycle.stop_signals()] == handlers
    assert open_files() == descriptors
    old = signal.set_wakeup_fd(-1)
    assert old == -1


def test_a_terminal_that_closes_asks_for_an_end_unless_nohup_says_otherwise() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals.count == 1
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.stop_requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thousand_signals_do_not_block_the_process() -> None:
    with StopSignals() as signals:
        for _ in range(100_000):
            signal.raise_signal(signal.SIGTERM)
        assert signals.count == 100_000
        signals.drain()


ORPHAN = """
    import sys, threading
    from inflect.lifecycle import hard_exit_when_orphaned
    hard_exit_when_orphaned(sys.stdin, {after_s})
    print("watching", flush=True)
    {then}
"""


def test_an_orphan_that_is_stuck_is_ended_after_its_bound() -> None:
    with child(ORPHAN.format(after_s=0.1, then="threading.Event().wait()")) as orphan:
        assert orphan.stdin
        assert orphan.stdout
        assert orphan.stdout.readline() == "watching\n"
        orphan.stdin.close()
        assert orphan.wait(10) == lifecycle.EXIT_ORPHANED


def test_the_watch_consumes_no_data_and_lets_an_orphan_end_by_itself() -> None:
    with child(ORPHAN.format(after_s=60, then="print(sys.stdin.read(), flush=True)")) as orphan:
        assert orphan.stdin
        assert orphan.stdout
        assert orphan.stdout.readline() == "watching\n"
        orphan.stdin.write("all of it")
        orphan.stdin.close()
        assert orphan.stdout.read() == "all of it\n"
        assert orphan.wait(10) == 0


def test_core_dumps_are_off_even_where_cores_are_piped() -> None:
    code = (
        "import resource; from inflect.lifecycle import quiet_core_dumps as q; q(); q(); print(*resource.getrlimit(4))"
    )
    assert resource.RLIMIT_CORE == 4
    with child(code) as quiet:
        output, _ = quiet.communicate(timeout=10)
    assert output.split() in (["1", "1"], ["0", "0"])


def test_the_open_files_limit_is_raised_as_far_as_it_goes() -> None:
    code = """
        import resource
        from inflect.lifecycle import raise_open_files_limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        raise_open_files_limit()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        print(soft == hard)
    """
    with child(code) as raised:
        output, _ = raised.communicate(timeout=10)
    assert output == "True\n"


def test_the_exit_codes_are_distinct_words() -> None:
    words = {lifecycle.EXIT_OK, lifecycle.EXIT_CANNOT_RUN, lifecycle.EXIT_HALTED, lifecycle.EXIT_ORPHANED, 1}
    assert len(words) == 5
