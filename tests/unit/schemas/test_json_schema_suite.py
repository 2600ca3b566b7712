"""The official JSON-Schema-Test-Suite through our validator, with the suite's remote documents as references.

The files are the suite as the source distribution of jsonschema 4.26.0 carries it, one case a line (see `LICENSE`
beside them): everything required of drafts 4 to 2020-12, and the optional cases of formats, which we assert.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from inflect.model.schema import Schema
from inflect.schemas.json_schema import JsonValidator

SUITE = Path(__file__).parents[2] / "vendored/json_schema_test_suite"
DIALECTS = {
    "draft4": "http://json-schema.org/draft-04/schema#",
    "draft6": "http://json-schema.org/draft-06/schema#",
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}
# How many verdicts the suite asks of each draft: a file that lost its cases would pass everything.
VERDICTS = {"draft4": 763, "draft6": 1043, "draft7": 1347, "draft2019-09": 1710, "draft2020-12": 1748}
# Formats are asserted here, which 2020-12 leaves to the user; its `format.json` expects of an implementation that does
# not assert them that these pass.
LEFT_OUT = ("format.json", "is only an annotation by default")


@cache
def remotes() -> dict[str, str]:
    """The documents that cases refer to, by URI."""
    documents = json.loads((SUITE / "remotes.json").read_text())
    return {uri: json.dumps(document) for uri, document in documents.items()}


def cases(draft: str) -> list[dict[str, Any]]:
    """The cases of a draft, each with its schema naming the draft."""
    found = [json.loads(line) for line in (SUITE / f"{draft}.jsonl").read_text().splitlines()]
    for case in found:
        if isinstance(case["schema"], dict):
            case["schema"] = {"$schema": DIALECTS[draft]} | case["schema"]
    return found


def left_out(case: dict[str, Any], test: dict[str, Any]) -> bool:
    """Whether a verdict is about formats that are not asserted."""
    return bool(case["file"] == LEFT_OUT[0] and test["description"].endswith(LEFT_OUT[1]))


@pytest.mark.parametrize("draft", DIALECTS)
def test_every_verdict_of_the_official_suite_is_ours_too(draft: str) -> None:
    wrong, asked, not_asked = [], 0, 0
    for case in cases(draft):
        validator = JsonValidator(Schema("json", json.dumps(case["schema"]), remotes()))
        for test in case["tests"]:
            asked += 1
            if left_out(case, test):
                not_asked += 1
            elif (validator.check(json.dumps(test["data"])) is None) is not test["valid"]:
                wrong.append(f"{case['file']}: {case['description']}: {test['description']}")
    assert wrong == []
    assert asked == VERDICTS[draft]
    assert not_asked == (19 if draft == "draft2020-12" else 0)
