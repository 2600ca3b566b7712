"""Which files a pipeline reaches."""

from inflect.control.code import entries_of, missing_processors, pins_of, reached, revision_of
from inflect.model.document import parse_pipeline
from inflect.model.processor import ProcessorKind, ProcessorVersion


def file(path: str, *requires: str, kind: ProcessorKind = "library", name: str = "") -> ProcessorVersion:
    return ProcessorVersion(path, kind, name or path, f"hash of {path}", "source", f"code of {path}", requires)


FILES = {
    f.path: f
    for f in (
        file("filters/paid.mjs", "lib/a.js", kind="filter", name="paid"),
        file("transformations/lower.js", kind="transformation", name="lower"),
        file("lib/a.js", "lib/b.js"),
        file("lib/b.js", "lib/a.js", "lib/rates.json"),
        file("lib/rates.json"),
        file("lib/unused.js"),
    )
}


def pipeline(*steps: dict[str, str]):  # type: ignore[no-untyped-def]  # noqa: ANN201  the parser's type
    ends = {"source": {"topic": "in"}, "target": {"topic": "out"}}
    return parse_pipeline({"name": "p", **ends, "steps": list(steps)})


def test_a_revision_pins_everything_its_steps_require_and_nothing_else() -> None:
    steps = pipeline({"transformation": "lower"}, {"filter": "paid"}, {"filter": "paid"})
    assert entries_of(steps, FILES) == ("transformations/lower.js", "filters/paid.mjs", "filters/paid.mjs")
    pins = pins_of(entries_of(steps, FILES), FILES)
    assert set(pins) == {"transformations/lower.js", "filters/paid.mjs", "lib/a.js", "lib/b.js", "lib/rates.json"}
    assert pins["lib/b.js"] == "hash of lib/b.js"


def test_files_that_require_each_other_end() -> None:
    assert set(reached(("lib/a.js",), FILES)) == {"lib/a.js", "lib/b.js", "lib/rates.json"}


def test_a_draft_is_a_revision_with_code() -> None:
    revision = revision_of(pipeline({"filter": "paid"}), FILES)
    assert revision.entries == ("filters/paid.mjs",)
    assert revision.modules["lib/rates.json"] == "code of lib/rates.json"
    assert revision.number == 0


def test_a_missing_processor_is_told_with_the_nearest_name() -> None:
    steps = pipeline({"filter": "payed"}, {"filter": "lower"}, {"transformation": "sum"})
    assert [(f.path, f.message) for f in missing_processors(steps, FILES)] == [
        ("steps[0].filter", "there is no filter 'payed', did you mean 'paid'?"),
        ("steps[1].filter", "there is no filter 'lower', but a transformation of that name; write `transformation:`"),
        (
            "steps[2].transformation",
            "there is no transformation 'sum'; add transformations/sum.js and run `inflect sync`",
        ),
    ]


def test_a_lost_library_is_told_with_who_requires_it() -> None:
    files = {path: one for path, one in FILES.items() if path != "lib/rates.json"}
    [fault] = missing_processors(pipeline({"filter": "paid"}), files)
    assert str(fault).startswith("steps[0].filter: filters/paid.mjs requires lib/rates.json, which is not there")
