"""Thousands of failures, a fix, and back: from the command line, killed on the way, while the workers go on working."""

import json
import signal
import subprocess
import sys
from typing import Any

from tests.e2e.scene import Flow, Scene
from tests.e2e.traffic import Event, numbered
from tests.waiting import eventually

BROKEN = "module.exports = (event) => { throw new Error(`no ${event.n}`) }\n"
MENDED = "module.exports = (event, context) => event.n % 5 === 4 ? context.filter('five') : event\n"
MANY = 3_000


def ask(scene: Scene, *arguments: str) -> Any:
    return json.loads(scene.installation.must("dead-letters", *arguments, "--json"))


def mend(scene: Scene, flow: Flow, source: str) -> None:
    """Change the function and wait until the pipeline has it."""
    before = scene.installation.show(flow.name)["revision"]
    scene.installation.write_processors({"transformations/like.js": source})
    eventually(lambda: scene.installation.show(flow.name)["revision"] > before, 20)


def killed_redrive(scene: Scene, flow: Flow) -> None:
    """Start a redrive, and kill it once something of it is committed."""
    before = len(scene.broker.read(flow.target))
    process = subprocess.Popen(
        [sys.executable, "-m", "inflect", "dead-letters", "redrive", flow.name, "--all", "--yes", "--rate", "400"],
        cwd=scene.installation.directory,
        env=scene.installation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: len(scene.broker.read(flow.target)) > before, 40)
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_thousands_of_dead_letters_are_redriven_once_however_often_it_is_killed(scene: Scene) -> None:
    flow = scene.flow("likes", {"transformations/like.js": BROKEN}, partitions=2, batch={"max_events": 500})
    scene.broker.write(flow.source, numbered(MANY, partitions=2))
    assert scene.settled(flow, MANY, within_s=90)["dead_lettered"] == MANY
    (cause,) = ask(scene, "list", flow.name, "--group")
    assert (cause["count"], cause["shape"], cause["step"]) == (MANY, "Error: no #", "like")
    mend(scene, flow, MENDED)

    forecast = ask(scene, "redrive", flow.name, "--all", "--dry-run")
    assert forecast == {"selected": MANY, "delivered": MANY * 4 // 5, "filtered": MANY // 5, "failed": 0}
    for _ in range(3):
        killed_redrive(scene, flow)
    scene.broker.write(flow.source, numbered(100, partitions=2, first=MANY))
    rest = ask(scene, "redrive", flow.name, "--cause", cause["cause"], "--yes")
    assert 0 < rest["selected"] < MANY
    scene.settled(flow, MANY + 100)

    found = sorted(record.document["n"] for record in scene.broker.read(flow.target))
    assert found == [n for n in range(MANY + 100) if n % 5 != 4]
    assert ask(scene, "list", flow.name) == []
    assert scene.counts(flow)["dead_lettered"] == MANY  # a redrive is no source event


def test_a_letter_is_shown_picked_and_redriven_while_its_pipeline_is_paused(scene: Scene) -> None:
    flow = scene.flow("likes", {"transformations/like.js": BROKEN})
    headers = [("trace", b"\x00\xff"), ("trace", b"2")]
    scene.broker.write(flow.source, [Event(b'{"n": 7}', b"k", headers), Event(b'{"n": 8}', b"k")])
    scene.settled(flow, 2)
    letters = ask(scene, "list", flow.name)
    assert [letter["origin"]["offset"] for letter in letters] == [1, 0]
    shown = ask(scene, "show", flow.name, letters[1]["id"])
    assert (shown["value"], shown["key"], shown["message"]) == ({"n": 7}, "k", "Error: no 7")
    scene.installation.must("pause", flow.name)
    mend(scene, flow, MENDED)
    done = ask(scene, "redrive", flow.name, "--id", letters[1]["id"], "--yes")
    assert done == {"selected": 1, "delivered": 1, "filtered": 0, "failed": 0}
    (delivered,) = scene.broker.read(flow.target)
    assert (delivered.value, delivered.key, list(delivered.headers)) == (b'{"n":7}', b"k", headers)
    assert [letter["origin"]["offset"] for letter in ask(scene, "list", flow.name)] == [1]
    assert ask(scene, "show", flow.name, letters[1]["id"])["redriven"]["outcome"] == "delivered"
    refused = scene.installation.inflect("dead-letters", "redrive", flow.name, "--id", letters[1]["id"], "--yes")
    assert (refused.returncode, "was redriven at" in refused.stderr) == (1, True)


def test_a_redrive_is_refused_in_words_before_it_begins(scene: Scene) -> None:
    flow = scene.flow("likes", {"transformations/like.js": BROKEN})
    for arguments, code, words in (
        (["redrive", flow.name, "--all"], 2, "needs --yes"),
        (["redrive", flow.name, "--yes"], 2, "one of --all, --id and --cause"),
        (["redrive", flow.name, "--all", "--cause", "x", "--yes"], 2, "one of --all, --id and --cause"),
        (["redrive", flow.name, "--id", "nonsense", "--yes"], 2, "TOPIC:PARTITION:OFFSET"),
        (["redrive", flow.name, "--id", "other:0:1", "--yes"], 2, "not in a dead letter topic"),
        (["redrive", flow.name, "a:0:1", "--all", "--yes"], 2, "is given with --id"),
        (["redrive", "zebra", "--all", "--yes"], 2, "no pipeline zebra"),
        (["show", flow.name, f"{flow.dead_letter}:0:0"], 2, "no dead letter"),
        (["list", "zebra"], 2, "no pipeline zebra"),
    ):
        done = scene.installation.inflect("dead-letters", *arguments)
        assert (done.returncode, words in done.stderr) == (code, True), (arguments, done.stderr)
    assert scene.installation.must("dead-letters", "list", flow.name) == ""
