"""Runs a function in a child process with limits: for code that is tried out, not yet trusted to end.

A V8 isolate that aborts, or a loop that nothing interrupts, takes its process along; here that is a child's, and the
caller gets a SandboxError. The child inherits neither environment nor open files, and answers in JSON: nothing that
comes from it is ever unpickled. RLIMIT_AS would break V8's address space reservations, so memory is limited as data.
"""

import json
import os
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from inflect.errors import InflectError

# What Python, V8's code and its tables take beside the heap that `memory_mb` speaks of.
_OVERHEAD_MB = 1024
_MESSAGE_CHARACTERS = 500
_CHILD = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from inflect.engine.sandbox import serve; serve()"


class SandboxError(InflectError):
    """The child did not answer: it took too long, too much memory, or died."""


def run_in_sandbox(function: Callable[..., Any], *args: Any, timeout_s: float, memory_mb: int) -> Any:
    """What `function(*args)` returns, as JSON gives it back; the function is found by its import path.

    Raises SandboxError when it does not answer within `timeout_s` or dies.
    """
    command = [sys.executable, "-I", "-c", _CHILD, json.dumps(sys.path)]
    request = pickle.dumps((function, args, timeout_s, memory_mb))
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter with our own code
            command, input=request, capture_output=True, timeout=timeout_s, env={"LANG": "C.UTF-8"}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"no answer after {timeout_s:g} s; look for a loop that does not end") from error
    if done.returncode != 0:
        detail = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:_MESSAGE_CHARACTERS]
        raise SandboxError(
            f"the sandbox died ({_death(done.returncode)}); {detail or 'it may have taken too much memory'}"
        )
    return json.loads(done.stdout)


def _death(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def serve() -> None:
    """The child: read the request, answer on stdout, and leave without waiting for V8's threads."""
    function, args, timeout_s, memory_mb = pickle.load(sys.stdin.buffer)  # noqa: S301  the parent's own words
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed goes to stderr
    limits = {
        resource.RLIMIT_DATA: (memory_mb + _OVERHEAD_MB) << 20,
        resource.RLIMIT_CPU: int(timeout_s) + 5,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    with answers:
        answers.write(json.dumps(function(*args)).encode())
    os._exit(0)
