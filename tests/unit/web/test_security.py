import pytest
from starlette.datastructures import Headers

from inflect.web.security import HostRules, is_cross_site
from tests.unit.web.samples import served

LOOPBACK = HostRules("127.0.0.1", behind_proxy=False)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]"])
def test_loopback_names_are_answered(host: str) -> None:
    assert LOOPBACK.allow(host)


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "10.0.0.7", "", "a b", "localhost:80:80"]
)
def test_other_names_are_not(host: str) -> None:
    assert not LOOPBACK.allow(host)


def test_a_wildcard_address_answers_to_addresses_but_not_to_foreign_names() -> None:
    rules = HostRules("0.0.0.0", behind_proxy=False)  # noqa: S104  a name to compare with
    assert rules.allow("10.0.0.7:8080")
    assert not rules.allow("evil.test")


def test_behind_a_proxy_the_proxy_chose_the_name() -> None:
    assert HostRules("0.0.0.0", behind_proxy=True).allow("inflect.example.org")  # noqa: S104  the same
    assert not HostRules("127.0.0.1", behind_proxy=True).allow("inflect.example.org")


def test_a_foreign_host_gets_421() -> None:
    with served() as client:
        assert client.get("/", headers={"host": "evil.test"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"), [({"host": "evil.test"}, 421), ({"origin": "http://evil.test"}, 403)], ids=["host", "site"]
)
def test_the_api_refuses_with_a_problem(headers: dict[str, str], status: int) -> None:
    with served() as client:
        answer = client.post("/api/v1/pipelines", headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code == status


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": "http://127.0.0.1:8080"}, False),
        ({"origin": "http://127.0.0.1:9999"}, True),
        ({"origin": "http://evil.test"}, True),
        ({"origin": "null"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8080"}, True),
    ],
)
def test_changes_from_another_site_are_refused(headers: dict[str, str], refused: bool) -> None:  # noqa: FBT001  a table
    asked = Headers({"host": "127.0.0.1:8080", **headers})
    assert is_cross_site("POST", asked) is refused
    assert not is_cross_site("GET", asked)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_every_unsafe_method_is_guarded_before_any_handler(method: str) -> None:
    with served() as client:
        answer = client.request(method, "/api/v1/pipelines/x", headers={"origin": "http://evil.test"})
        assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/pipelines/orders-clean", "/nothing", "/healthz", "/api/v1/pipelines"])
def test_every_answer_carries_the_policy(path: str) -> None:
    with served() as client:
        headers = client.get(path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_body_over_a_megabyte_is_refused() -> None:
    with served() as client:
        answer = client.post("/api/v1/pipelines", content=b"x" * 1_000_001)
    assert answer.status_code == 413


def test_a_form_leads_back_to_our_own_pages_only() -> None:
    with served() as client:
        for there in ("//evil.test", "https://evil.test", "/\\evil.test", ""):
            answer = client.post("/theme", data={"theme": "dark", "next": there})
            assert answer.headers["location"] == "/"
