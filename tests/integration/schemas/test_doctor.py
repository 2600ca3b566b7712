"""What `inflect doctor` says of the registry."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from inflect.cli.main import cli
from tests import registry_fake as faults
from tests.registry_fake import FakeRegistry


@pytest.fixture(autouse=True)
def _set_the_registry_alone(tmp_path: Path, fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFLECT_REGISTRY_URL", fake.url)
    for name in ("INFLECT_DATABASE_URL", "INFLECT_KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def finding() -> dict[str, object]:
    said = json.loads(CliRunner().invoke(cli, ["doctor", "--json"]).stdout)
    found: dict[str, object] = next(one for one in said if one["check"] == "schema registry")
    return found


def test_a_registry_that_answers_is_well(fake: FakeRegistry) -> None:
    fake.register("orders-value", '"string"')
    assert finding()["ok"]
    assert finding()["message"] == f"reached at {fake.url}, 1 subject"


def test_a_registry_that_is_away_or_refuses_is_said_with_its_mend(fake: FakeRegistry) -> None:
    fake.fault = faults.status(401)
    refused = finding()
    assert not refused["ok"]
    assert "refuses the credentials" in str(refused["message"])
    assert "INFLECT_REGISTRY_PASSWORD" in str(refused["message"])
    fake.stop()
    assert "cannot be reached" in str(finding()["message"])


def test_no_registry_is_a_way_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INFLECT_REGISTRY_URL")
    assert finding()["ok"]
    assert finding()["message"] == "none is set; schemas come from files"
