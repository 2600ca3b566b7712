"""Schema files of a project: found by name, read with everything they refer to.

Nothing outside of the project is read, however a name or a link leads there, and nothing but what looks like a schema:
the names come from documents that may have been sent over HTTP.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from inflect.errors import Fault, NotFoundError, RefusedError
from inflect.model.schema import Schema, SchemaKind

ENDINGS: Final[dict[SchemaKind, tuple[str, ...]]] = {
    "json": (".json",),
    "avro": (".avsc", ".json"),
    "protobuf": (".proto",),
}
MAX_FILE_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_REFERENCES: Final = 100
_SHOWN = 100

_PROTO_TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\bimport\s+(?:public\s+|weak\s+)?["'](?P<name>[^"'\n]+)["']|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)
_BUILT_IN = "google/protobuf/"

Links = Callable[[str, str], Iterator[str]]
"""(name of a file, its text) to the names of the files it refers to; names are relative to the first file's folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to look in; what is found may lead to anything below `fence`, and to nothing else."""

    folder: Path
    fence: Path


def places(beside: Path | None, root: Path | None, here: Path | None = None) -> tuple[Place, ...]:
    """Return where a schema file is looked for: beside the pipeline file, at the project's root, and `here`.

    `here` is where a person works; a server works anywhere. The root of the file system is no place: it fences nothing.
    """
    folders = dict.fromkeys(folder.resolve() for folder in (beside, root, here) if folder is not None)
    fence = root.resolve() if root is not None else None
    if fence is not None and _is_everything(fence):
        fence = None
    return tuple(
        Place(folder, fence if fence is not None and folder.is_relative_to(fence) else folder)
        for folder in folders
        if not _is_everything(folder)
    )


def _is_everything(folder: Path) -> bool:
    return folder == folder.parent


def read_schema(name: str, kind: SchemaKind, looked_in: Sequence[Place]) -> Schema:
    """Return the schema in the first file of this name, with all it refers to.

    NotFoundError where there is none; RefusedError where it, or a file it refers to, cannot be a schema.
    """
    path, fence = _find(name, kind, looked_in)
    text = _read(path, name)
    links: dict[SchemaKind, Links] = {"json": _json_links, "avro": _no_links, "protobuf": _proto_links}
    return Schema(kind, text, _gather(path, text, links[kind], fence))


def _find(name: str, kind: SchemaKind, looked_in: Sequence[Place]) -> tuple[Path, Path]:
    if not name.isprintable() or PurePosixPath(name).is_absolute():
        raise _refused(name, "must be a path relative to the pipeline file or to the project's folder")
    if not name.endswith(ENDINGS[kind]):
        raise _refused(name, f"must end in {' or '.join(ENDINGS[kind])}: the format is {kind}")
    outside = None
    for place in looked_in:
        path = _resolved(place.folder / name, name)
        if not _is_inside(path, place.fence):
            outside = place.fence
        elif path.is_file():
            return path, place.fence
    if outside is not None:
        raise _refused(name, f"leads out of the project's folder {outside}; move the schema into it")
    folders = ", ".join(str(place.folder) for place in looked_in) or "any folder: none but / was given to look in"
    raise NotFoundError(f"there is no file {name} in {folders}")


def _resolved(path: Path, name: str) -> Path:
    """Where a path leads, through links; RefusedError where it cannot be one: it is too long, or goes in a circle."""
    try:
        resolved = path.resolve()
        resolved.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a circle of links is a RuntimeError before Python 3.13
        raise _refused(
            name[:_SHOWN], f"is no path: {error.strerror if isinstance(error, OSError) else error}"
        ) from error
    return resolved


def _is_inside(path: Path, fence: Path) -> bool:
    """Whether a resolved path is below the fence and not hidden there."""
    if not path.is_relative_to(fence):
        return False
    return not any(part.startswith(".") for part in path.relative_to(fence).parts)


def _read(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _refused(name, f"is larger than {MAX_FILE_BYTES >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(name, f"cannot be read: {error}") from error
    if "\0" in text:
        raise _refused(name, "holds the character U+0000; is it text?")
    return text


def _gather(start: Path, text: str, links: Links, fence: Path) -> dict[str, str]:
    """Return the texts of all files that are reached, by name, those that others need first."""
    found: dict[str, str] = {}
    ways: set[str] = set()

    def visit(name: str, text: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _refused(name, f"is referred to over more than {MAX_DEPTH} files")
        for other in links(name, text):
            if other in ways:
                continue
            ways.add(other)
            if len(ways) > MAX_REFERENCES:
                raise _refused(start.name, f"refers to more than {MAX_REFERENCES} files")
            content = _referred(start.parent / other, other, name, fence)
            visit(other, content, depth + 1)
            found[other] = content

    visit(start.name, text, 0)
    return found


def _referred(path: Path, name: str, referring: str, fence: Path) -> str:
    resolved = _resolved(path, name)
    if not _is_inside(resolved, fence):
        raise _refused(referring, f"refers to {name}, which leads out of the project's folder {fence}")
    if resolved.suffix not in {ending for endings in ENDINGS.values() for ending in endings}:
        raise _refused(referring, f"refers to {name}, which is no schema file")
    if not resolved.is_file():
        raise _refused(referring, f"refers to {name}, which is not there")
    return _read(resolved, name)


def _no_links(_name: str, _text: str) -> Iterator[str]:
    return iter(())


def _proto_links(_name: str, text: str) -> Iterator[str]:
    """Yield what a .proto imports: as written, from the folder of the first file; Google's own types are built in."""
    for token in _PROTO_TOKENS.finditer(text):
        if token["name"] and not token["name"].startswith(_BUILT_IN):
            yield token["name"]


def _json_links(name: str, text: str) -> Iterator[str]:
    """Yield the files that relative `$ref`s lead to. An absolute URI names no file."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(name, f"is no JSON: {error}") from error
    for reference in _references(document):
        try:
            parts = urlsplit(reference)
        except ValueError:  # no address, and no file; what uses the schema says so
            continue
        if parts.path and not parts.scheme and not parts.netloc:
            yield posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path)))


def _references(document: Any) -> Iterator[str]:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if isinstance(reference := value.get("$ref"), str):
                yield reference


def _refused(name: str, why: str) -> RefusedError:
    return RefusedError(name, [Fault("", why)])
