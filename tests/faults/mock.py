"""The cluster that librdkafka brings for its own tests: it answers any request with any error, once.

It speaks the protocol over TCP, so the product's own clients talk to it; only making it and asking for errors goes
through C.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka

_HANDLE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_PRODUCER = 0


def _library() -> ctypes.CDLL:
    """The library that the client itself has loaded."""
    (path,) = Path(confluent_kafka.__file__).parent.parent.joinpath("confluent_kafka.libs").glob("librdkafka-*.so*")
    library = ctypes.CDLL(str(path))
    signatures: tuple[tuple[str, Any, list[Any]], ...] = (
        ("rd_kafka_conf_new", _HANDLE, []),
        ("rd_kafka_new", _HANDLE, [_INT, _HANDLE, _TEXT, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [_HANDLE]),
        ("rd_kafka_mock_cluster_new", _HANDLE, [_HANDLE, _INT]),
        ("rd_kafka_mock_cluster_destroy", None, [_HANDLE]),
        ("rd_kafka_mock_cluster_bootstraps", _TEXT, [_HANDLE]),
        ("rd_kafka_mock_topic_create", _INT, [_HANDLE, _TEXT, _INT, _INT]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [_HANDLE, ctypes.c_int32]),
        (
            "rd_kafka_mock_push_request_errors_array",
            None,
            [_HANDLE, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(_INT)],
        ),
        ("rd_kafka_mock_clear_request_errors", None, [_HANDLE, ctypes.c_int16]),
    )
    for name, result, arguments in signatures:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """One broker that answers as it is told."""

    def __init__(self, library: ctypes.CDLL, handle: int) -> None:
        self._library, self._handle = library, handle
        self.kafka = {"bootstrap.servers": library.rd_kafka_mock_cluster_bootstraps(handle).decode()}

    def create_topic(self, name: str) -> None:
        """A topic of one partition."""
        assert self._library.rd_kafka_mock_topic_create(self._handle, name.encode(), 1, 1) == 0

    def answer_next(self, api: int, error: int) -> None:
        """The next request of this kind gets this error."""
        self._library.rd_kafka_mock_push_request_errors_array(self._handle, api, 1, (_INT * 1)(error))

    def forget(self, api: int) -> None:
        """Errors that nobody asked for yet are taken back."""
        self._library.rd_kafka_mock_clear_request_errors(self._handle, api)


@contextmanager
def mock_cluster() -> Iterator[MockCluster]:
    """A cluster of one broker inside this process."""
    library, reason = _library(), ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(_PRODUCER, library.rd_kafka_conf_new(), reason, 512)
    assert client, reason.value
    handle = library.rd_kafka_mock_cluster_new(client, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(handle, 0)
    try:
        yield MockCluster(library, handle)
    finally:
        library.rd_kafka_mock_cluster_destroy(handle)
        library.rd_kafka_destroy(client)
