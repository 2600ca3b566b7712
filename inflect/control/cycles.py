"""Whether pipelines chained by their topics send events round and round.

A cycle over several pipelines fills the brokers' disks with copies of the same events. Only targets are followed:
a pipeline that mends dead letters and hands them back to the source is a retry and may come to an end.
"""

from collections.abc import Iterator, Mapping

from inflect.errors import Fault

Links = Mapping[str, tuple[str, str]]


def cycle_faults(name: str, links: Links) -> Iterator[Fault]:
    """Yield a fault when what a pipeline delivers comes back to its source through others.

    `links` has source and target topic of every pipeline there will be, by name.
    """
    source, target = links[name]
    ways = {target: f"{source} → {target}"}
    waiting = [target] if target != source else []
    while waiting:
        topic = waiting.pop()
        for other, (begin, end) in links.items():
            if begin != topic or other == name or end in ways:
                continue
            ways[end] = f"{ways[topic]} → {end}"
            if end == source:
                yield Fault(
                    "target.topic",
                    f"events would go round in a cycle: {ways[end]}; deliver to another topic, or change {other}",
                )
                return
            waiting.append(end)
