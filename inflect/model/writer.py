"""Documents as text: YAML that `model.reader` reads back to the same values, whatever their words look like."""

from collections.abc import Sequence
from typing import Any

import yaml

from inflect.model.reader import WORDS, Document


class _Dumper(yaml.SafeDumper):
    """YAML's safe dumper without aliases; quotes words that YAML 1.1 or our reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base's signature
        """Write equal values out each time: aliases are refused on reading."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  the base's signature
        """Indent lists below their key, as people write them."""
        super().increase_indent(flow, indentless=False)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Quote text with line breaks other than newline: in any other style they are folded on reading."""
    style = '"' if any(c in text for c in "\r\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
for _tag, _pattern, _first in WORDS:
    _Dumper.add_implicit_resolver(_tag, _pattern, _first)


def write_documents(documents: Sequence[Document]) -> str:
    """Return the documents as one YAML text, keys in their order."""
    return yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, explicit_start=len(documents) > 1
    )
