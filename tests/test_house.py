"""The house rules that no linter knows: sizes, docstrings, names, and that the documents keep their word."""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "inflect").rglob("*.py"))
LONGEST_FUNCTION = 60
LONGEST_MODULE = 400
VAGUE = {"utils", "util", "common", "base", "helpers", "helper", "manager", "core", "misc"}
REGISTRIES = re.compile(r"https?://[a-z0-9.-]*(maven|npmjs|pythonhosted|pypi|golang|crates|debian)\.[a-z]")


def tracked() -> list[Path]:
    """Every file of the project that git knows or would take."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def within(module: Path) -> str:
    return str(module.relative_to(ROOT))


def test_functions_stay_small() -> None:
    sizes = {
        f"{within(module)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in MODULES
        for function in functions(ast.parse(module.read_text()))
    }
    assert {name: size for name, size in sizes.items() if size > LONGEST_FUNCTION} == {}


def test_modules_stay_small() -> None:
    sizes = {within(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: size for name, size in sizes.items() if size > LONGEST_MODULE} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [within(module) for module in MODULES if not ast.get_docstring(ast.parse(module.read_text()))] == []


def test_a_package_holds_its_docstring_and_no_code() -> None:
    packages = [module for module in MODULES if module.name == "__init__.py"]
    assert [within(module) for module in packages if len(ast.parse(module.read_text()).body) != 1] == []


def test_every_room_is_a_package() -> None:
    rooms = {module.parent for module in MODULES}
    assert [within(room) for room in rooms if not (room / "__init__.py").exists()] == []


@pytest.mark.parametrize("name", ["environ", "environb", "getenv", "putenv"])
def test_only_settings_reads_the_environment(name: str) -> None:
    readers = {
        within(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.alias) and node.name == name)
    }
    assert readers <= {"inflect/settings.py"}


def test_no_name_is_vague() -> None:
    parts = {part: within(module) for module in MODULES for part in module.relative_to(ROOT).with_suffix("").parts}
    assert {part: where for part, where in parts.items() if part in VAGUE} == {}


def test_no_file_names_a_registry_or_a_path_of_this_machine() -> None:
    here = f"{ROOT}/"
    hits = []
    for path in tracked():
        text = path.read_text(errors="ignore")
        if here in text or REGISTRIES.search(text):
            hits.append(within(path))
    assert hits == []


def test_every_exception_to_a_rule_carries_its_reason() -> None:
    exception = re.compile(r"# (noqa|type: ignore)(?P<rules>:? ?\[?[A-Za-z0-9, -]*\]?)(?P<reason>.*)")
    bare = [
        f"{within(path)}:{number}"
        for path in tracked()
        if path.suffix == ".py" and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := exception.search(line)) and not re.search(r"  #? ?\S+", found["rules"] + found["reason"])
    ]
    assert bare == []


def test_locked_dependencies_carry_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        entries = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text())
        assert len(entries) > 20
        assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_tools_are_locked_at_the_versions_that_run() -> None:
    pins = [set(re.findall(r"^([a-z0-9-]+==\S+)", (ROOT / f"requirements{kind}.lock").read_text(), re.MULTILINE))
            for kind in ("", "-dev")]  # fmt: skip
    assert pins[0] - pins[1] == set()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["embedded"],
        *project["dependency-groups"]["dev"],
    ]
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements-dev.lock").read_text(), re.MULTILINE)
    assert {re.split(r"[\[><=]", name)[0].lower() for name in declared} - set(locked) == set()


def test_vendored_scripts_are_what_the_manifest_says() -> None:
    folder = ROOT / "inflect/engine/vendor"
    entries = json.loads((folder / "manifest.json").read_text())
    script = (folder / "rebuild.sh").read_text()
    for entry in entries:
        name, version, licence = entry["name"], entry["version"], entry["licence"]
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], f"{name} was changed by hand: make vendor"
        assert content.startswith(f"/*! {name} {version}, {licence} licence (LICENSE.{name})".encode())
        assert entry["file"] == f"{name}-{version}.js"
        assert (folder / f"LICENSE.{name}").read_text().strip()
        assert f"bundle {name} {version} {licence}" in script
    assert {path.name for path in folder.glob("*-*.js")} == {entry["file"] for entry in entries}
    assert {path.name for path in folder.glob("LICENSE.*")} == {f"LICENSE.{entry['name']}" for entry in entries}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_documents_name_commands_that_exist(document: str) -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code_of(ROOT / document))))
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named, f"{document} names no command"
    assert named - known == set()


def code_of(document: Path) -> list[str]:
    """What stands in a document as code: spans, fenced and indented blocks."""
    text = document.read_text()
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [*fenced, *re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4}(.+)$", text, re.MULTILINE)]


def test_make_says_what_there_is() -> None:
    make = shutil.which("make")
    assert make, "make runs these tests"
    said = subprocess.run([make, "-s", "-C", str(ROOT)], check=True, capture_output=True, text=True).stdout
    assert all(f"make {target} " in said for target in ("demo", "test", "check", "bench", "soak", "fix"))


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()
