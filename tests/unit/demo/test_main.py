from inflect.demo.load import STREAMS
from inflect.demo.main import PROCESSORS, documents
from inflect.model.document import parse_pipeline


def test_the_samples_are_whole_pipelines_with_tests() -> None:
    pipelines = [parse_pipeline(document) for document in documents()]
    assert len(pipelines) == 4
    assert all(pipeline.tests for pipeline in pipelines)
    assert {pipeline.source.topic for pipeline in pipelines} == {stream.topic for stream in STREAMS}


def test_every_step_has_its_file() -> None:
    steps = [step for document in documents() for step in parse_pipeline(document).steps]
    for step in steps:
        assert (PROCESSORS / f"{step.path}.js").is_file()
    used = {f"{step.path}.js" for step in steps}
    there = {path.relative_to(PROCESSORS).as_posix() for path in PROCESSORS.rglob("*.js")}
    assert there - used == {"lib/money.js"}
