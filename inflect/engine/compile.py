"""Compiles the files of a processors directory: syntax, ES modules to CommonJS, what they require and export.

All faults of all files at once, each with its place. Files are loaded for real, because only then is known what they
export; a module's top level may loop, so everything runs in the sandbox's child process.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from py_mini_racer import JSEvalException, JSFunction, JSParseException, JSTimeoutException, MiniRacer

from inflect.engine.isolate import Isolate, IsolateLostError
from inflect.engine.program import Program
from inflect.engine.racer import OpenRacer
from inflect.engine.sandbox import SandboxError, run_in_sandbox
from inflect.engine.vendored import vendored
from inflect.errors import Fault
from inflect.model.processor import ProcessorKind, ProcessorVersion, content_hash

ENDINGS = (".js", ".mjs", ".cjs", ".json")
MAX_FILE_BYTES = 1 << 20
_TIMEOUT_S = 60.0
_LOAD_TIMEOUT_MS = 2000
_MEMORY_MB = 256
_UNRUN = "throw 0;(function (exports, require, module, __filename, __dirname) {"

_TRANSFORM = """code => { try {
  return JSON.stringify({ code: sucrase.transform(code, { transforms: ['imports'], preserveDynamicImport: true,
    disableESTransforms: true, production: true }).code })
} catch (error) {
  const { line = null, column = null } = error.loc ?? {}
  return JSON.stringify({ message: String(error.message), line, column })
} }"""
_REQUIRE = re.compile(r"\brequire\(\s*(['\"])(\.{1,2}/[^'\"]*?)\1\s*\)")
_SUCRASE_PREFIX = re.compile(r"^Error transforming [^:]*: | \(\d+:\d+\)$")


@dataclass(frozen=True, slots=True)
class Compiled:
    """The files that can run, by path, and what is wrong with the others (`Fault.path` is `filters/a.js:3:14`)."""

    versions: dict[str, ProcessorVersion]
    faults: list[Fault] = field(default_factory=list)


def compile_files(files: Mapping[str, str]) -> Compiled:
    """Compile a whole directory, path to text. A file with a fault, or that requires such a file, has no version."""
    try:
        answer = run_in_sandbox(compile_here, dict(files), timeout_s=_TIMEOUT_S, memory_mb=_MEMORY_MB)
    except SandboxError as error:
        return Compiled({}, [Fault("", f"the processors cannot be compiled: {error}")])
    versions = {
        path: ProcessorVersion(**{**facts, "requires": tuple(facts["requires"])})
        for path, facts in answer["versions"].items()
    }
    return Compiled(versions, [Fault(*fault) for fault in answer["faults"]])


def compile_here(files: Mapping[str, str]) -> dict[str, Any]:
    """The same in this process; `versions` and `faults` as JSON."""
    codes: dict[str, str] = {}
    faults: list[Fault] = []
    with OpenRacer() as racer:
        racer.eval(vendored("sucrase"))
        transform: Any = racer.eval(_TRANSFORM)
        for path, source in sorted(files.items()):
            code = _compile_file(racer, transform, path, source)
            if isinstance(code, Fault):
                faults.append(code)
            else:
                codes[path] = code
    loaded, load_faults = _load_all(codes)
    versions = {path: _version(path, files[path], codes, loaded.get(path, {})) for path in loaded}
    return {"versions": versions, "faults": [(fault.path, fault.message) for fault in faults + load_faults]}


def _compile_file(racer: MiniRacer, transform: JSFunction, path: str, source: str) -> str | Fault:
    if len(source.encode()) > MAX_FILE_BYTES:
        return Fault(path, f"larger than {MAX_FILE_BYTES >> 20} MB")
    if path.endswith(".json"):
        return _check_json(path, source)
    plain = None if path.endswith(".mjs") else _syntax_fault(racer, path, source)
    if plain is None and not path.endswith(".mjs"):
        return source
    answer = orjson.loads(str(transform(source)))
    if "code" not in answer:
        module = plain is None or "import" in plain.message or "export" in plain.message
        place = f"{path}:{answer['line']}:{answer['column']}" if answer["line"] else path
        message = _SUCRASE_PREFIX.sub("", answer["message"])
        return Fault(place, f"SyntaxError: {message}") if module or plain is None else plain
    fault = _syntax_fault(racer, path, answer["code"])
    return answer["code"] if fault is None else plain or fault


def _check_json(path: str, source: str) -> str | Fault:
    try:
        orjson.loads(source)
    except orjson.JSONDecodeError as error:
        return Fault(f"{path}:{error.lineno}:{error.colno}", f"not JSON: {error.msg}")
    return source


def _syntax_fault(racer: MiniRacer, path: str, code: str) -> Fault | None:
    """What V8 says of the code as a function's body: mini-racer tells the line in text, the column by underlining."""
    body = "//" + code[2:] if code.startswith("#!") else code
    try:
        racer.eval(f"{_UNRUN}{body}\n}})")
    except JSParseException as error:
        return _located(path, str(error))
    except JSEvalException:
        pass  # the `throw` in front: it parses, and nothing of it has run
    try:
        racer.eval(f"new Function({orjson.dumps(body).decode()}); 0")
    except JSEvalException as error:  # braces that close the function around it
        return Fault(path, str(error).partition("\n")[0].partition(": ")[2])
    return None


def _located(path: str, text: str) -> Fault:
    head, *rest = text.split("\n")
    line = int(head.split(":")[1])
    column = next((row.index("^") + 1 for row in rest if row.strip() and set(row) <= {" ", "^"}), None)
    if column is not None and line == 1:
        column -= len(_UNRUN)
    place = f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
    return Fault(place, head.split(": ", 1)[1])


def _load_all(codes: Mapping[str, str]) -> tuple[dict[str, dict[str, Any]], list[Fault]]:
    """Load every file in an isolate: what each exports, and the faults of those that cannot be loaded."""
    loaded: dict[str, dict[str, Any]] = {}
    faults: list[Fault] = []
    program = _program(codes)
    isolate = Isolate(program)
    for path in codes:
        try:
            answer = isolate.inspect(path, function_needed=kind_of(path) != "library")
        except (IsolateLostError, JSTimeoutException):
            faults.append(
                Fault(path, f"loading it does not end within {_LOAD_TIMEOUT_MS} ms or takes more than {_MEMORY_MB} MB")
            )
            isolate.close()
            isolate = Isolate(program)
            continue
        if "message" in answer:
            place = [answer[part] for part in ("file", "line", "column") if answer[part] is not None]
            fault = Fault(":".join(map(str, place or [path])), answer["message"])
            if fault not in faults:
                faults.append(fault)
        else:
            loaded[path] = answer
    isolate.close()
    return loaded, faults


def _program(codes: Mapping[str, str]) -> Program:
    config = {
        "pipeline": "",
        "revision": 0,
        "steps": [],
        "modules": dict(codes),
        "source": {"format": "json", "schema": None},
        "target": {"format": "json", "schema": None, "prefix": False},
        "stop": False,
        "memoryBytes": _MEMORY_MB << 20,
        "outputCharacters": 0,
        "trace": False,
    }
    return Program(
        orjson.dumps(config).decode(), codes, (), _LOAD_TIMEOUT_MS, _MEMORY_MB, promises=True, stopping=(), stop=False
    )


def kind_of(path: str) -> ProcessorKind:
    """What a file is, from its folder. JSON and everything outside the two folders is shared code."""
    folder = path.partition("/")[0]
    if path.endswith(".json") or folder not in ("transformations", "filters"):
        return "library"
    return "transformation" if folder == "transformations" else "filter"


def _version(path: str, source: str, codes: Mapping[str, str], exported: Mapping[str, Any]) -> dict[str, Any]:
    static = set(_static_requires(path, codes))
    return {
        "path": path,
        "kind": kind_of(path),
        "name": posixpath.splitext(path)[0].partition("/")[2] or posixpath.splitext(path)[0],
        "hash": content_hash(source),
        "source": source,
        "code": codes[path],
        "requires": sorted(static | set(exported.get("requires", ()))),
        "title": exported.get("title", ""),
        "description": exported.get("description", ""),
        "params": exported.get("params"),
    }


def _static_requires(path: str, codes: Mapping[str, str]) -> Iterator[str]:
    for match in _REQUIRE.finditer(codes[path]):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[2]))
        for ending in ("", *ENDINGS, "/index.js"):
            if target + ending in codes:
                yield target + ending
                break
