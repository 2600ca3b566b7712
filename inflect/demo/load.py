"""The demo's events and when they are due: pure, so that tests hold the rates and the share of broken ones.

Each stream has a steady rate and bursts of its own; never two streams burst at once, so the machine stays usable.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

BURST_RATE = 5000
BURST_S = 4
CYCLE_S = 120

Event = tuple[str, bytes]
_FIRST = ("Ada", "Bo", "Chen", "Dina", "Emil", "Fatima", "Grace", "Hugo", "Ines", "Jonas")
_SKUS = (("tea", 4.1), ("pot", 24.9), ("cup", 7.5), ("honey", 6.25), ("lemon", 0.8))
_PAGES = ("/", "/tea/", "/pots/", "/cups/red", "/help", "/basket", "/tea/green/?utm_source=mail&size=2")
_AGENTS = ("Firefox/140", "Chrome/141", "Safari/26", "Googlebot/2.1", "HeadlessChrome/139", "Edge/141")
_FATES = {"sound": 0.98, "cut off": 0.002, "loose probe": 0.01, "old unit": 0.008}
_PAID = 0.52
_PLAUSIBLE = 0.94
_LATE = 0.2
_CUSTOMS = 0.3
_COUNTRIES = ("DE", "FR", "NL", "US", "JP", "XX")


@dataclass(frozen=True, slots=True)
class Stream:
    """One source topic: its steady rate in events/s, when in the cycle it bursts, and what its events are."""

    topic: str
    rate: float
    burst_at_s: float
    make: Callable[[Random, int], Event]


def rate_at(stream: Stream, elapsed_s: float) -> float:
    """Events per second due at a moment: a slow swell of a fifth, and a burst once a cycle."""
    if 0 <= (elapsed_s % CYCLE_S) - stream.burst_at_s < BURST_S:
        return BURST_RATE
    return stream.rate * (1 + 0.2 * math.sin(elapsed_s / 20 + stream.burst_at_s))


def order(random: Random, number: int) -> Event:
    """An order, keyed by customer; about half are paid."""
    customer = random.randrange(2000)
    items = [
        {"sku": sku, "quantity": random.randint(1, 4), "price": price}
        for sku, price in random.sample(_SKUS, random.randint(1, 3))
    ]
    return f"c-{customer}", _json(
        {
            "id": number,
            "customer": f"c-{customer}",
            "email": f"{_FIRST[customer % 10]}.{customer}@Example.com",
            "paid": random.random() < _PAID,
            "card": f"4111{random.randrange(10**12):012d}",
            "items": items,
        }
    )


def visit(random: Random, number: int) -> Event:
    """A browser's page views of the last seconds, keyed by visitor; about a third are robots."""
    visitor = f"v-{random.randrange(5000)}"
    hits = [
        {"url": random.choice(_PAGES), "at": number * 10 + place, "seconds": random.randint(1, 90)}
        for place in range(random.randint(1, 3))
    ]
    return visitor, _json({"visitor": visitor, "agent": random.choice(_AGENTS), "hits": hits})


def reading(random: Random, number: int) -> Event:
    """A temperature, keyed by sensor; one in fifty cannot be understood, one in sixteen is impossible."""
    sensor = f"bed-{random.randrange(64)}"
    unit = random.choice("CCCFK")
    celsius = random.gauss(22, 4) if random.random() < _PLAUSIBLE else random.uniform(80, 400)
    value: float | str = round({"C": celsius, "F": celsius * 1.8 + 32, "K": celsius + 273.15}[unit], 2)
    match random.choices(tuple(_FATES), tuple(_FATES.values()))[0]:
        case "cut off":
            return sensor, f'{{"sensor": "{sensor}", "unit": "C", "val'.encode()
        case "loose probe":
            value = "n/a"
        case "old unit":
            unit = "R"
    return sensor, _json({"sensor": sensor, "unit": unit, "value": value, "sequence": number})


def payment(random: Random, number: int) -> Event:
    """A payment, keyed by account."""
    account = f"a-{random.randrange(900)}"
    body = {
        "id": number,
        "account": account,
        "country": random.choice(_COUNTRIES),
        "amount": random.randint(100, 90_000),
    }
    return account, _json(body)


def shipment(random: Random, number: int) -> Event:
    """A shipment, keyed by order; one in five is late, one late one in thirty by a clock that is wrong."""
    order = random.randrange(100_000)
    promised = 1_700_000_000_000 + number * 1000
    late = random.random() < _LATE
    hours = random.choices((random.uniform(0.2, 90), 24 * 365 * 10), (29, 1))[0] if late else -random.uniform(0, 40)
    body = {
        "id": number,
        "order": order,
        "carrier": random.choice(("POST", "BIKE", "FREIGHT")),
        "weight_kg": f"{random.uniform(0.1, 30):.3f}",
        "promised": promised,
        "expected": promised + round(hours * 3_600_000),
        "note": "customs" if late and random.random() < _CUSTOMS else None,
    }
    return f"o-{order}", _json(body)


def _json(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


STREAMS = (
    Stream("orders", 160, 20, order),
    Stream("clicks", 120, 50, visit),
    Stream("sensors", 140, 80, reading),
    Stream("payments", 40, 110, payment),
)

SHIPMENTS = Stream("shipments", 60, CYCLE_S, shipment)
"""Never bursts. Its events are written with a schema, so it flows once there is a registry."""
