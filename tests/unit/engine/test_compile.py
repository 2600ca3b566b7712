"""Processors are refused with the place of every fault, and accepted with what they say about themselves."""

# ruff: noqa: E501  a step's JavaScript stays on the line of its test

import pytest

from inflect.engine.compile import Compiled, compile_files

FILES = {
    "filters/good.js": "const m = require('../lib/m')\nmodule.exports = e => m.ok(e)\nmodule.exports.title = 'Good'\nmodule.exports.params = { type: 'object' }",
    "lib/m.js": "exports.ok = e => e",
    "lib/rates.json": '{"eur": 1}',
    "transformations/module.mjs": "import { ok } from '../lib/m.js'\nimport rates from '../lib/rates.json'\nexport const description = 'a module'\nexport default function (event) {\n  return ok(event) && rates\n}",
    "transformations/deep/er.js": "#!/usr/bin/env node\r\nexports.default = async event => event",
    "filters/syntax.js": "module.exports = e =>\n  e +* 2",
    "filters/first-line.js": "const = 1",
    "filters/module-syntax.js": "export default function (e) {\n  return e e\n}",
    "filters/no-function.js": "exports.a = 1",
    "filters/missing.js": "\nrequire('./nope')",
    "filters/outside.js": "require('../../etc')",
    "filters/package.js": "require('fs')",
    "filters/throws.js": "\n\n  throw new Error('boom')",
    "filters/endless.js": "while (true) {}",
    "filters/promises.js": "(async () => { for (;;) await 1 })(); module.exports = e => e",
    "filters/braces.js": "}); while (1) {}; (function () {",
    "lib/broken.json": "{\n a}",
}


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    return compile_files(FILES)


def test_good_files_have_versions_and_only_they(compiled: Compiled) -> None:
    assert set(compiled.versions) == {
        "filters/good.js",
        "lib/m.js",
        "lib/rates.json",
        "transformations/module.mjs",
        "transformations/deep/er.js",
    }


def test_a_version_says_what_the_file_exports_and_requires(compiled: Compiled) -> None:
    good = compiled.versions["filters/good.js"]
    assert (good.kind, good.name, good.requires, good.title, good.params) == (
        "filter",
        "good",
        ("lib/m.js",),
        "Good",
        {"type": "object"},
    )
    assert good.code == good.source == FILES["filters/good.js"]
    assert compiled.versions["transformations/deep/er.js"].name == "deep/er"
    assert compiled.versions["lib/m.js"].kind == "library"


def test_modules_become_common_js_with_the_same_lines(compiled: Compiled) -> None:
    version = compiled.versions["transformations/module.mjs"]
    assert (version.description, version.requires) == ("a module", ("lib/m.js", "lib/rates.json"))
    assert version.source == FILES["transformations/module.mjs"]
    assert [line for line, text in enumerate(version.code.split("\n")) if "rates" in text and "return" in text] == [4]


@pytest.mark.row("B29")
@pytest.mark.parametrize(
    ("place", "word"),
    [
        ("filters/syntax.js:2:6", "Unexpected token '*'"),
        ("filters/first-line.js:1:7", "Unexpected token '='"),
        ("filters/module-syntax.js:2:12", "Unexpected token"),
        ("filters/no-function.js", "exports an object, not a function"),
        ("filters/missing.js:2:1", "cannot find './nope'"),
        ("filters/outside.js:1:1", "outside the processors directory"),
        ("filters/package.js:1:1", "only relative files"),
        ("filters/throws.js:3:9", "boom"),
        ("filters/endless.js", "does not end"),
        ("filters/promises.js", "does not end"),
        ("filters/braces.js", "SyntaxError"),
        ("lib/broken.json:2:2", "not JSON"),
    ],
)
def test_every_fault_is_told_with_its_place(compiled: Compiled, place: str, word: str) -> None:
    assert [word in fault.message for fault in compiled.faults if fault.path == place] == [True]
