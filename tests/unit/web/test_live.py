import asyncio

from inflect.web.live import MAX_STREAMS, Hub, Topic, event
from tests.unit.web.samples import finished

FLEET = Topic("fleet")


async def take(hub: Hub, events: int, known: dict[str, str] | None = None) -> list[bytes]:
    stream = hub.stream(FLEET, known or {})
    taken = [await anext(stream) for _ in range(events)]
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    return taken


def test_text_can_never_end_its_own_event() -> None:
    assert event("row", "a\n\nevent: evil\rdata: x\r\nb") == (
        b"event: row\ndata: a\ndata: \ndata: event: evil\ndata: data: x\ndata: b\n\n"
    )


def test_a_viewer_gets_what_is_drawn_then_a_beat() -> None:
    hub = Hub()
    hub.publish({FLEET: {"row-a": "<td>1</td>"}})
    assert finished(take(hub, 2)) == [event("row-a", "<td>1</td>"), event("beat", "1")]


def test_a_viewer_is_not_sent_what_it_has() -> None:
    hub = Hub()
    hub.publish({FLEET: {"fleet": "abc"}})
    assert finished(take(hub, 1, {"fleet": "abc"})) == [event("beat", "1")]


def test_only_what_changed_is_sent_again() -> None:
    async def watch() -> list[bytes]:
        hub = Hub()
        hub.publish({FLEET: {"a": "1", "b": "1"}})
        stream = hub.stream(FLEET, {})
        first = [await anext(stream) for _ in range(3)]
        hub.publish({FLEET: {"a": "1", "b": "2"}})
        second = [await anext(stream) for _ in range(2)]
        return first + second

    assert finished(watch())[3:] == [event("b", "2"), event("beat", "1")]


def test_topics_are_drawn_only_while_somebody_watches() -> None:
    async def watch() -> tuple[list[Topic], list[Topic]]:
        hub = Hub()
        stream = hub.stream(FLEET, {})
        await anext(stream)
        during = hub.watched()
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator
        return during, hub.watched()

    assert finished(watch()) == ([FLEET], [])


def test_closing_ends_a_stream_that_waits() -> None:
    async def watch() -> list[bytes]:
        hub = Hub()
        stream = hub.stream(FLEET, {})
        first = await anext(stream)
        asyncio.get_running_loop().call_soon(hub.close)
        async with asyncio.timeout(1):
            return [first, *[late async for late in stream]]

    assert finished(watch()) == [event("beat", "1")]


def test_a_hub_has_an_end_to_its_streams() -> None:
    async def watch() -> bool:
        hub = Hub()
        streams = [hub.stream(FLEET, {}) for _ in range(MAX_STREAMS)]
        for stream in streams:
            await anext(stream)
        full = hub.full()
        for stream in streams:
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator
        return full and not hub.full()

    assert finished(watch())
