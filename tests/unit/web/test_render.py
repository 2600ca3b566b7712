import gzip
import re
from pathlib import Path

from starlette.routing import Mount, Route

from inflect.web import render
from inflect.web.openapi import DESCRIPTION
from inflect.web.routes import ROUTES
from tests.unit.web.samples import reading, served

STATIC = Path(__file__).resolve().parents[3] / "static"


def test_vendored_files_are_untouched() -> None:
    import hashlib  # noqa: PLC0415  used here alone

    lines = (STATIC / "vendor" / "SHA256SUMS").read_text().splitlines()
    scripts = sorted(path.name for path in (STATIC / "vendor").glob("*.js"))
    assert sorted(line.split()[1] for line in lines) == scripts
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest
        assert (STATIC / "vendor" / name.replace(".min.js", ".LICENSE.txt")).exists()


def test_a_static_file_may_be_kept_for_ever_because_its_address_holds_its_hash() -> None:
    with served() as client:
        kept = client.get(render.asset_url("inflect.css"))
        old = client.get("/static/inflect.css?v=000000000000")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert kept.headers["content-encoding"] == "gzip"
    assert old.headers["cache-control"] == "no-cache"


def test_no_path_leads_out_of_the_static_files() -> None:
    with served() as client:
        for name in ("../pyproject.toml", "..%2fpyproject.toml", "vendor/SHA256SUMS", "%00", ""):
            assert client.get(f"/static/{name}").status_code == 404


def test_the_first_load_is_small() -> None:
    with served(lambda: reading(tuple(f"p-{number}" for number in range(20)))) as client:
        page = client.get("/").text
        parts = [page, *(client.get(address).text for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page))]
    assert len(parts) == 7
    assert sum(len(gzip.compress(part.encode())) for part in parts) <= 250_000


def test_the_description_of_the_api_holds_every_route() -> None:
    (api,) = (route for route in ROUTES if isinstance(route, Mount))
    served_here = {
        (method.lower(), route.path.replace(":path}", "}"))
        for route in api.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
        if route.path != "/openapi.json"
    }
    described = {(method, path) for path, verbs in DESCRIPTION["paths"].items() for method in verbs}
    assert described == served_here
