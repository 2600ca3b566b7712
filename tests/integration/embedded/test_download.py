"""The cache of jars: filled once, and never half."""

from pathlib import Path

import pytest

from inflect.embedded import download
from inflect.errors import InflectError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory in the user's place."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "inflect"


def test_without_a_network_the_error_says_what_to_do_and_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:1")  # nothing listens there
    with pytest.raises(InflectError, match=r"cannot download Apache Kafka .* check the network"):
        download.kafka_jars()
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InflectError, match=f"{tmp_path}/file/inflect"):
        download.kafka_jars()


def test_a_filled_cache_needs_no_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = cache / f"kafka-{download.KAFKA_VERSION}"
    jars.mkdir(parents=True)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert download.kafka_jars() == jars
