"""Apache Kafka's jars, fetched once through jgo into the user's cache.

The cache holds a directory per version that is complete or absent: jars are gathered beside it and renamed into place,
so a download that is cut off leaves nothing that a later start would trust. Checksums are the resolver's work.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from inflect.embedded.wheels import wheel
from inflect.errors import InflectError

KAFKA_VERSION = "4.1.0"
_BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# What Kafka's own distribution adds so that the broker's log goes anywhere; the version is that of its log4j.
_LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"

Progress = Callable[[str, int, int], None]
"""Called with what is happening, how much is done and of how much (0: not known yet)."""


def no_progress(what: str, done: int, total: int) -> None:
    """Show nothing."""


def kafka_jars(progress: Progress = no_progress) -> Path:
    """Return the directory of the broker's jars, filling the cache when needed.

    Raises InflectError when the cache cannot be filled.
    """
    cache = Path(wheel("platformdirs").user_cache_path("inflect"))
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if jars.is_dir():
        return jars
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            if not jars.is_dir():
                _fill(cache, jars, progress)
    except Exception as error:
        raise InflectError(
            f"cannot download Apache Kafka {KAFKA_VERSION} into {cache}: {_reason(error)}; check the network, "
            "the repositories in jgo's configuration and the free space there, or name a running broker in "
            "INFLECT_KAFKA_BOOTSTRAP_SERVERS"
        ) from error
    return jars


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time fill the cache."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fill(cache: Path, jars: Path, progress: Progress) -> None:
    for cut_off in cache.glob("download-*"):
        shutil.rmtree(cut_off)
    with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as work:
        gathered = Path(work, "jars")
        gathered.mkdir()
        for jar in _resolve(Path(work, "repository"), progress):
            shutil.move(jar, gathered / jar.name)
        gathered.rename(jars)


def _resolve(repository: Path, progress: Progress) -> list[Path]:
    """Resolve the coordinates and download every jar into `repository`."""
    from jgo.config import GlobalSettings  # noqa: PLC0415  a warm start needs none of it
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415  a warm start needs none of it
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  a warm start needs none of it

    name = f"Apache Kafka {KAFKA_VERSION}"
    progress(f"{name}: resolving", 0, 0)
    received = [0]

    @contextmanager
    def follow(_file: str, _size: int) -> Generator[Callable[[int], None]]:
        def add(count: int) -> None:
            received[0] += count
            progress(f"{name}: {received[0] / 1e6:.0f} MB", index, len(artifacts))

        yield add

    context = MavenContext(
        PythonResolver(progress_callback=follow),
        repo_cache=repository,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
        timeout=30,
    )
    index, artifacts = 0, []
    # Not resolved together: the binding's own dependency management would change the broker's versions.
    given, more = context.resolver.resolve([context.create_dependency(_BROKER)])
    artifacts = [d.artifact for d in (*given, *more) if d.scope in {None, "compile", "runtime"}]
    artifacts.append(context.create_dependency(_LOG_BINDING).artifact)
    paths = []
    for index, artifact in enumerate(artifacts):
        paths.append(artifact.resolve())
        progress(f"{name}: downloaded {index + 1} files", index + 1, len(artifacts))
    return paths


def _reason(error: Exception) -> str:
    """Return the first line of the innermost cause, short enough to read."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return first.split(" (Caused by ")[0][:300]
