from collections.abc import Iterator

from inflect.kafka.consumer import most_beside
from inflect.model.event import Batch, Headers


def batch_of(keys: list[bytes | None], headers: list[Headers | None]) -> Batch:
    count = len(keys)
    return Batch("given", [b"{}"] * count, keys, headers, [-1] * count, [0] * count, list(range(count)))


class CountedHeaders(tuple[tuple[str, bytes | None], ...]):
    """Headers that tell how often any were read."""

    __slots__ = ()
    read = 0

    def __iter__(self) -> Iterator[tuple[str, bytes | None]]:
        type(self).read += 1
        return super().__iter__()


def test_what_is_beside_values_is_the_largest_key_and_the_largest_headers() -> None:
    batch = batch_of([b"k", None, b"key"], [None, (("a", b"bc"), ("d", None)), (("e", b"f"),)])
    assert most_beside(batch) == len("key") + len("abcd")
    assert most_beside(batch_of([None], [None])) == 0
    assert most_beside(batch_of([], [])) == 0


def test_headers_of_a_large_batch_are_measured_on_a_sample_that_spans_it() -> None:
    count = 100_000
    headers: list[Headers | None] = [CountedHeaders((("place", bytes(index // 1_000)),)) for index in range(count)]
    keys: list[bytes | None] = [b"k"] * count
    keys[12_345] = b"the largest key"
    CountedHeaders.read = 0
    largest = most_beside(batch_of(keys, headers))
    assert CountedHeaders.read <= 500
    assert largest == len("the largest key") + len("place") + 99
