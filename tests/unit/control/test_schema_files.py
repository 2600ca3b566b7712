"""Schema files: found beside the pipeline, at the project's root or where we work; read with all they refer to."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from inflect.control.schema_files import MAX_DEPTH, MAX_FILE_BYTES, places, read_schema
from inflect.errors import NotFoundError, RefusedError
from inflect.model.schema import Schema, SchemaKind
from inflect.schemas.json_schema import JsonValidator


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    root = tmp_path / "project"
    write(root, {"pipelines/orders.yaml": ""})
    return root


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def read(project: Path, name: str, kind: SchemaKind = "json") -> Schema:
    return read_schema(name, kind, places(project / "pipelines", project, Path.cwd()))


def refused(project: Path, name: str, kind: SchemaKind = "json") -> str:
    with pytest.raises(RefusedError) as caught:
        read(project, name, kind)
    return str(caught.value)


def test_a_file_beside_the_pipeline_comes_before_one_of_the_project_and_of_the_working_directory(project: Path) -> None:
    write(project.parent / "elsewhere", {"order.json": '{"title": "here"}'})
    assert read(project, "order.json").text == '{"title": "here"}'
    write(project, {"order.json": '{"title": "root"}'})
    assert read(project, "order.json").text == '{"title": "root"}'
    write(project, {"pipelines/order.json": '{"title": "beside"}'})
    assert read(project, "order.json").text == '{"title": "beside"}'


def test_a_name_may_climb_inside_the_project(project: Path) -> None:
    write(project, {"schemas/order.json": "{}"})
    assert read(project, "../schemas/order.json").text == "{}"


@pytest.mark.parametrize("name", ["../../secret.json", "/etc/secret.json", "link.json", ".hidden/s.json", "a\nb.json"])
def test_nothing_outside_of_the_project_is_read(project: Path, name: str) -> None:
    write(project.parent, {"secret.json": '{"title": "secret"}'})
    write(project, {".hidden/s.json": "{}"})
    (project / "link.json").symlink_to(project.parent / "secret.json")
    assert 'secret"' not in refused(project, name)


@pytest.mark.parametrize(("name", "kind"), [("inflect.toml", "json"), ("order.json", "protobuf"), ("a.proto", "avro")])
def test_only_what_looks_like_a_schema_is_read(project: Path, name: str, kind: SchemaKind) -> None:
    write(project, {name: "x"})
    assert "must end in" in refused(project, name, kind)


def test_a_file_that_is_nowhere_is_not_found_and_the_places_are_named(project: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no file order.json in .*/pipelines, .*/project, .*/elsewhere"):
        read(project, "order.json")


def test_a_server_does_not_look_where_it_happens_to_run(project: Path) -> None:
    write(project.parent / "elsewhere", {"order.json": "{}"})
    with pytest.raises(NotFoundError, match=r"no file order.json in .*/project$"):
        read_schema("order.json", "json", places(None, project))


def test_the_root_of_the_file_system_is_no_project(project: Path) -> None:
    root = Path(project.anchor)
    write(project, {"pipelines/order.json": "{}", "secret.json": "{}"})
    with pytest.raises(NotFoundError, match="none but / was given"):
        read_schema(str((project / "secret.json").relative_to(root)), "json", places(None, root, root))
    inside = places(project / "pipelines", root)
    assert read_schema("order.json", "json", inside).text == "{}"
    with pytest.raises(RefusedError, match="leads out of the project's folder"):
        read_schema("../secret.json", "json", inside)


def test_without_a_project_the_folder_of_the_file_is_the_fence(project: Path) -> None:
    write(project, {"order.json": "{}"})
    with pytest.raises(RefusedError, match="leads out of the project's folder"):
        read_schema("../order.json", "json", places(project / "pipelines", None))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"x" * (MAX_FILE_BYTES + 1)])
def test_what_is_no_text_of_a_sensible_size_is_refused(project: Path, content: bytes) -> None:
    (project / "order.json").write_bytes(content)
    assert "order.json" in refused(project, "order.json")


def test_a_json_schema_brings_the_files_it_refers_to_by_the_names_that_reach_them(project: Path) -> None:
    write(
        project,
        {
            "schemas/order.json": '{"properties": {"price": {"$ref": "types/money.json#/definitions/money"}}}',
            "schemas/types/money.json": '{"definitions": {"money": {"properties": {"unit": {"$ref": "unit.json"}}}}}',
            "schemas/types/unit.json": '{"enum": ["EUR"], "$comment": {"$ref": "../order.json"}}',
        },
    )
    schema = read(project, "schemas/order.json")
    assert set(schema.references) == {"types/money.json", "types/unit.json", "order.json"}
    validator = JsonValidator(schema)
    assert validator.check('{"price": {"unit": "EUR"}}') is None
    assert validator.check('{"price": {"unit": "USD"}}') is not None


def test_references_to_the_web_and_into_the_schema_itself_are_no_files(project: Path) -> None:
    write(project, {"order.json": '{"$ref": "#/x", "a": {"$ref": "https://example.com/x.json"}, "b": {"$ref": 5}}'})
    assert read(project, "order.json").references == {}


@pytest.mark.parametrize("target", ["../../secret.json", "missing.json", "/etc/passwd", "notes.txt"])
def test_a_reference_that_leads_out_or_nowhere_is_refused(project: Path, target: str) -> None:
    write(project.parent, {"secret.json": "{}"})
    write(project, {"order.json": f'{{"$ref": "{target}"}}', "notes.txt": ""})
    assert "order.json" in refused(project, "order.json")


@pytest.mark.parametrize("target", ["a\\u0000b.json", f"{'a' * 300}.json", "\\ud800.json", "circle.json"])
def test_a_reference_that_is_no_path_is_refused(project: Path, target: str) -> None:
    (project / "circle.json").symlink_to(project / "circle.json")
    write(project, {"order.json": f'{{"$ref": "{target}"}}'})
    assert refused(project, "order.json")


def test_a_name_that_is_no_path_is_refused(project: Path) -> None:
    (project / "circle.json").symlink_to(project / "circle.json")
    assert "no path" in refused(project, "circle.json")
    assert "no path" in refused(project, f"{'a' * 300}.json")


def test_a_reference_that_is_no_address_is_no_file(project: Path) -> None:
    write(project, {"order.json": '{"$ref": "http://[bad"}'})
    assert read(project, "order.json").references == {}


def test_files_that_refer_to_each_other_without_end_are_refused(project: Path) -> None:
    write(project, {f"s{n}.json": f'{{"$ref": "s{n + 1}.json"}}' for n in range(MAX_DEPTH + 2)})
    write(project, {f"s{MAX_DEPTH + 2}.json": "{}"})
    assert f"more than {MAX_DEPTH} files" in refused(project, "s0.json")


def test_a_proto_brings_its_imports_from_its_own_folder(project: Path) -> None:
    order = """
    syntax = "proto3";
    import "common/money.proto"; // import "not/this.proto";
    /* import "nor/this.proto"; */
    import public 'google/protobuf/timestamp.proto';
    message Order { string note = 1 [json_name = "import \\"nor/that.proto\\""]; }
    """
    write(
        project,
        {
            "protos/order.proto": order,
            "protos/common/money.proto": 'import "common/unit.proto"; message Money {}',
            "protos/common/unit.proto": "enum Unit { EUR = 0; }",
        },
    )
    schema = read(project, "protos/order.proto", "protobuf")
    assert list(schema.references) == ["common/unit.proto", "common/money.proto"]
