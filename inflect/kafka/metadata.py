"""What rides in the metadata of an offset commit: the counts of a partition, exact across any kill.

The string is committed in the same transaction as the outputs, so whoever owns the partition next reads figures that
agree
with the offset to the event. Brokers cap it at 4096 bytes (`offset.metadata.max.bytes`); step counts are left out
when a
pipeline has so many steps that they do not fit, never the outcome counts.
"""

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import orjson

from inflect.model.event import Counts, StepCounts
from inflect.model.status import PartitionProgress

MAX_METADATA_BYTES = 4000

_VERSION = 1


def write_metadata(progress: PartitionProgress) -> str:
    """Progress of one partition as the text to commit beside its offset."""
    document = {
        "v": _VERSION,
        "r": progress.revision,
        "c": astuple(progress.counts),
        "t": progress.last_timestamp,
        "s": {name: astuple(counts) for name, counts in progress.steps.items()},
    }
    text = orjson.dumps(document)
    if len(text) > MAX_METADATA_BYTES:
        document["s"] = {}
        text = orjson.dumps(document)
    return text.decode()


def read_metadata(offset: int, metadata: str | None) -> PartitionProgress:
    """Progress as committed; counts start at nothing where another tool moved the offset and left no figures."""
    try:
        document = _of_our_version(orjson.loads(metadata or ""))
        return PartitionProgress(
            offset=offset,
            end=-1,
            revision=document["r"],
            counts=Counts(*document["c"]),
            steps=_steps(document["s"]),
            last_timestamp=document["t"],
        )
    except (ValueError, KeyError, TypeError):
        return PartitionProgress(offset=offset, end=-1, revision=0, counts=Counts())


def _of_our_version(document: dict[str, Any]) -> dict[str, Any]:
    if document["v"] != _VERSION:
        raise ValueError(f"offset metadata of version {document['v']}")
    return document


def _steps(document: Mapping[str, list[int]]) -> dict[str, StepCounts]:
    return {name: StepCounts(*counts) for name, counts in document.items()}
