"""What the embedded servers are made of, fetched once through jgo into the user's cache.

The cache holds a directory per version that is complete or absent: files are gathered beside it and renamed into place,
so a download that is cut off leaves nothing that a later start would trust. Checksums are the resolver's work, but for
the registry's archive, which must be the very one that was tried.
"""

import fcntl
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from inflect.embedded.wheels import wheel
from inflect.errors import InflectError

KAFKA_VERSION = "4.1.0"
_BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# What Kafka's own distribution adds so that the broker's log goes anywhere; the version is that of its log4j.
_LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"

REGISTRY_VERSION = "3.3.3"
_REGISTRY_SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"

Progress = Callable[[str, int, int], None]
"""Called with what is happening, how much is done and of how much (0: not known yet)."""


def no_progress(what: str, done: int, total: int) -> None:
    """Show nothing."""


def kafka_jars(progress: Progress = no_progress) -> Path:
    """Return the directory of the broker's jars, filling the cache when needed.

    Raises InflectError when the cache cannot be filled.
    """
    mend = "name a running broker in INFLECT_KAFKA_BOOTSTRAP_SERVERS"
    return _cached(f"kafka-{KAFKA_VERSION}", f"Apache Kafka {KAFKA_VERSION}", mend, partial(_gather_jars, progress))


def registry_app(progress: Progress = no_progress) -> Path:
    """Return the directory of the registry's application, filling the cache when needed; errors as `kafka_jars`."""
    mend = "name a running registry in INFLECT_REGISTRY_URL"
    title = f"Apicurio Registry {REGISTRY_VERSION}"
    return _cached(f"apicurio-registry-{REGISTRY_VERSION}", title, mend, partial(_unpack_registry, progress))


Fill = Callable[[Path, Path], None]
"""Called with a directory to work in, and an empty one to fill."""


def _cached(name: str, title: str, mend: str, fill: Fill) -> Path:
    cache = Path(wheel("platformdirs").user_cache_path("inflect"))
    target = cache / name
    if target.is_dir():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            if not target.is_dir():
                _fill(cache, target, fill)
    except Exception as error:
        raise InflectError(
            f"cannot download {title} into {cache}: {_reason(error)}; check the network, the repositories in jgo's "
            f"configuration and the free space there, or {mend}"
        ) from error
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time fill the cache."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fill(cache: Path, target: Path, fill: Fill) -> None:
    for cut_off in cache.glob("download-*"):
        shutil.rmtree(cut_off)
    with tempfile.TemporaryDirectory(dir=cache, prefix="download-") as work:
        gathered = Path(work, "gathered")
        gathered.mkdir()
        fill(Path(work, "repository"), gathered)
        gathered.rename(target)


def _gather_jars(progress: Progress, repository: Path, target: Path) -> None:
    """Resolve the broker's coordinates and download every jar."""
    name = f"Apache Kafka {KAFKA_VERSION}"
    progress(f"{name}: resolving", 0, 0)
    received = done = 0
    artifacts: list[Any] = []

    def follow(count: int) -> None:
        nonlocal received
        received += count
        if artifacts:
            progress(f"{name}: {received / 1e6:.0f} MB", done, len(artifacts))

    context = _maven(repository, follow)
    # Not resolved together: the binding's own dependency management would change the broker's versions.
    given, more = context.resolver.resolve([context.create_dependency(_BROKER)])
    artifacts = [d.artifact for d in (*given, *more) if d.scope in {None, "compile", "runtime"}]
    artifacts.append(context.create_dependency(_LOG_BINDING).artifact)
    for artifact in artifacts:
        jar = artifact.resolve()
        shutil.move(jar, target / jar.name)
        done += 1
    progress(f"{name}: downloaded {len(artifacts)} files", len(artifacts), len(artifacts))


def _unpack_registry(progress: Progress, repository: Path, target: Path) -> None:
    """Download the registry's archive, which is no dependency of anything, and unpack it."""
    name, megabytes, received = f"Apicurio Registry {REGISTRY_VERSION}", 159, 0
    progress(f"{name}: downloading {megabytes} MB", 0, 0)

    def follow(count: int) -> None:
        nonlocal received
        received += count
        progress(f"{name}: downloading", min(received // 1_000_000, megabytes - 1), megabytes)

    component = _maven(repository, follow).project("io.apicurio", "apicurio-registry-app").at_version(REGISTRY_VERSION)
    archive = component.artifact(classifier="all", packaging="tar.gz").resolve()
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _REGISTRY_SHA256:
            raise InflectError("the archive is not the one that this version of Inflect was tried with")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    progress(f"{name}: downloaded", megabytes, megabytes)


def _maven(repository: Path, follow: Callable[[int], None]) -> Any:
    """Return jgo's way to the repositories that the user has; `follow` gets the sizes of what arrives."""
    from jgo.config import GlobalSettings  # noqa: PLC0415  a warm start needs none of it
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415  a warm start needs none of it
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  a warm start needs none of it

    @contextmanager
    def report(_file: str, _size: int) -> Generator[Callable[[int], None]]:
        yield follow

    return MavenContext(
        PythonResolver(progress_callback=report),
        repo_cache=repository,
        remote_repos={"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories},
        timeout=30,
    )


def _reason(error: Exception) -> str:
    """Return the first line of the innermost cause, short enough to read."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return first.split(" (Caused by ")[0][:300]
