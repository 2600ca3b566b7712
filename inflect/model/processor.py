"""A processor: one JavaScript file of the user's directory, at one version.

A version is its content: the hash names it, so equal files are one version and a revision can pin it for ever.
Shared files under `lib/` are versions too (kind `library`); they cannot be steps.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

ProcessorKind = Literal["transformation", "filter", "library"]


def content_hash(source: str) -> str:
    """SHA-256 of the file's text as UTF-8, in hex: the identity of a processor version."""
    return hashlib.sha256(source.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ProcessorVersion:
    """One file at one content.

    `path` is relative to the processors directory, with its ending (`filters/only-paid.js`, `lib/rates.json`); `name`
    is the path below its folder without the ending; `code` is what the isolate runs (CommonJS, lines as in `source`);
    `requires` are the paths it requires, resolved, direct ones only.
    """

    path: str
    kind: ProcessorKind
    name: str
    hash: str
    source: str
    code: str
    requires: tuple[str, ...] = ()
    title: str = ""
    description: str = ""
    params: dict[str, Any] | None = field(default=None)
