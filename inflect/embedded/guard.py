"""The process between an owner and its server: no server outlives its owner, and no descendant outlives its server.

Run as a script, by path, with the standard library alone. It starts the command, writes the command's pid to stdout,
then waits on stdin: one byte `k` kills the server, end-of-file (the owner closed the pipe, or died) stops it with the
given signal and, after a grace, kills it. It adopts what a killed server leaves behind and exits, with the server's
exit code, when all of it is gone. Should the guard itself be killed, the kernel signals the server.

A pipe and not only the parent-death signal, because that signal follows the *thread* that started the child: a broker
restarted from a short-lived thread would end with the thread.
"""

import ctypes
import os
import pwd
import select
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

ORPHAN_GRACE_S = 5.0
KILL = b"k"

_libc = ctypes.CDLL(None, use_errno=True)


def main(argv: Sequence[str]) -> int:
    """Guard `argv`: stop signal (number), grace in seconds, user (`-`: stay who we are), then the command."""
    stop_signal, grace_s, user, *command = argv
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = _catch_signals()
    guard = os.getpid()
    server = os.fork()
    if server == 0:
        _become_server(command, int(stop_signal), user, guard)
    os.write(1, b"%d\n" % server)
    os.close(1)
    code = _watch(server, wake, int(stop_signal), float(grace_s))
    _end_orphans()
    return code


def _catch_signals() -> int:
    """Make the signals that end us, and a child's end, readable from a pipe."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return read


def _become_server(command: list[str], stop_signal: int, user: str, guard: int) -> None:
    """Turn this forked child into the server; never returns."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        if user != "-":
            _change_user(user)
        # After the change of user, which clears it.
        _libc.prctl(PR_SET_PDEATHSIG, stop_signal)
        if os.getppid() != guard:
            os._exit(1)
        os.execv(command[0], command)  # noqa: S606  the command is a list, no shell is meant
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _change_user(name: str) -> None:
    """Become `name`, for servers that refuse to run as root, but keep root's right to *reach* files.

    The alternative, opening every directory above the installation to everybody, would change permissions of
    directories that are none of our business (a home, a private temporary directory).
    """
    entry = pwd.getpwnam(name)
    _libc.prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, for 64 capabilities
    _libc.capget(header, sets)
    held = sets[1]
    # Reading and searching is enough; containers often grant only the wider right.
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        if held & (1 << capability):
            sets[0] = sets[1] = sets[2] = 1 << capability
            _libc.capset(header, sets)
            _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            return


def _watch(server: int, wake: int, stop_signal: int, grace_s: float) -> int:
    """Wait for the server's end or the owner's word; return the server's exit code (128 + n for a signal)."""
    inputs, deadline = [0, wake], None
    while True:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(inputs, [], [], timeout)
        code = _reap(server)
        if code is not None:
            return code
        numbers = os.read(wake, 512) if wake in ready else b""
        word = os.read(0, 1) if 0 in ready else None
        if word == KILL or (not ready and deadline is not None):
            os.kill(server, signal.SIGKILL)
            deadline = None
        elif deadline is None and (word == b"" or numbers.strip(bytes([signal.SIGCHLD]))):
            os.kill(server, stop_signal)
            deadline = time.monotonic() + grace_s
        if word is not None:
            inputs = [wake] if word == b"" else inputs


def _reap(server: int) -> int | None:
    """Collect every child that ended; the server's exit code when it was among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == server:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code


def _end_orphans() -> None:
    """Wait for what the server left behind; kill it when it stays."""
    deadline = time.monotonic() + ORPHAN_GRACE_S
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0 and time.monotonic() > deadline:
            for orphan in children.read_text().split():
                os.kill(int(orphan), signal.SIGKILL)
        if pid == 0:
            select.select([], [], [], 0.01)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
