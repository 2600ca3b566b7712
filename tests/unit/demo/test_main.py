from inflect.demo.load import SHIPMENTS, STREAMS
from inflect.demo.main import PROCESSORS, documents
from inflect.demo.shipments import HERE, PIPELINE, SCHEMAS, SUBJECT, TOPIC
from inflect.model.document import parse_pipeline, read_documents

LATE = read_documents(PIPELINE.read_text(), PIPELINE.name)


def test_the_samples_are_whole_pipelines_with_tests() -> None:
    pipelines = [parse_pipeline(document) for document in documents()]
    assert len(pipelines) == 4
    assert all(pipeline.tests for pipeline in pipelines)
    assert {pipeline.source.topic for pipeline in pipelines} == {stream.topic for stream in STREAMS}


def test_every_step_has_its_file() -> None:
    steps = [step for document in [*documents(), *LATE] for step in parse_pipeline(document).steps]
    for step in steps:
        assert (PROCESSORS / f"{step.path}.js").is_file()
    used = {f"{step.path}.js" for step in steps}
    there = {path.relative_to(PROCESSORS).as_posix() for path in PROCESSORS.rglob("*.js")}
    assert there - used == {"lib/money.js"}


def test_the_sample_with_schemas_is_whole_too() -> None:
    (pipeline,) = map(parse_pipeline, LATE)
    assert pipeline.tests
    assert pipeline.source.topic == SHIPMENTS.topic == TOPIC
    assert pipeline.source.schema is not None
    assert pipeline.target.schema is not None
    assert [pipeline.source.schema.subject, pipeline.target.schema.subject] == [subject for subject, _, _ in SCHEMAS]
    assert SCHEMAS[0][0] == SUBJECT
    assert all((HERE / file).is_file() for _, file, _ in SCHEMAS)
