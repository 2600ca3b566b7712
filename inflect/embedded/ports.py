"""Ports for servers on loopback: the usual one where it is free, else one that no client can take by accident."""

import random
import socket
from collections.abc import Iterable

from inflect.errors import InflectError

LOOPBACK = "127.0.0.1"

# Below the kernel's ephemeral range: a client that retries towards a server that is down could otherwise be given the
# server's own port as its source, connect to itself, and keep the port from the server that comes back.
_FIRST, _LAST = 15_000, 32_000
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on `port`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def choose_port(*preferred: int | None, avoid: Iterable[int] = ()) -> int:
    """Return the first free port of `preferred`, else any free one."""
    taken = set(avoid)
    anywhere = random.sample(range(_FIRST, _LAST), _ATTEMPTS)
    for port in (*preferred, *anywhere):
        if port is not None and port not in taken and is_free(port):
            return port
    raise InflectError(f"no free port on {LOOPBACK} between {_FIRST} and {_LAST}; stop a server that is not needed")
