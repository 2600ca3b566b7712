import pytest

from inflect.control.cycles import Links, cycle_faults


def said(name: str, links: Links) -> list[str]:
    return [f"{fault.path}: {fault.message}" for fault in cycle_faults(name, links)]


def test_a_chain_is_no_cycle() -> None:
    links = {"a": ("one", "two"), "b": ("two", "three"), "c": ("one", "three")}
    assert [said(name, links) for name in links] == [[], [], []]


@pytest.mark.row("A56")
def test_two_pipelines_that_feed_each_other_are_refused_with_the_way_round() -> None:
    links = {"a": ("one", "two"), "b": ("two", "one")}
    assert said("a", links) == [
        "target.topic: events would go round in a cycle: one → two → one; deliver to another topic, or change b"
    ]
    assert len(said("b", links)) == 1


def test_a_long_way_round_is_found_past_branches_and_foreign_cycles() -> None:
    links = {
        "a": ("one", "two"),
        "b": ("two", "three"),
        "side": ("two", "end"),
        "c": ("three", "one"),
        "feeds": ("zero", "one"),
    }
    assert "one → two → three → one" in said("a", links)[0]
    assert said("side", links) == []
    assert said("feeds", links) == []
