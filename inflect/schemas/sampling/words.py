"""Values people recognise: what a field of a given name or format would hold in real life.

A page of words of our own, although libraries for this exist: theirs weigh 12 to 25 MB, and draw addresses, phone
numbers and domains that may belong to somebody. Everything here lies in ranges reserved for examples.
"""

import base64
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random

_FIRST = ("Ada", "Alan", "Barbara", "Claude", "Edsger", "Frances", "Grace", "Hedy", "Joan", "Katherine", "Radia")
_LAST = (
    "Lovelace",
    "Turing",
    "Liskov",
    "Shannon",
    "Dijkstra",
    "Allen",
    "Hopper",
    "Lamarr",
    "Clarke",
    "Johnson",
    "Perlman",
)
_COMPANIES = (
    "Acme",
    "Borealis",
    "Cobalt",
    "Driftwood",
    "Ember",
    "Foxglove",
    "Granite",
    "Juniper",
    "Kestrel",
    "Meridian",
)
_PLACES = (
    ("Berlin", "DE", "Germany", "EUR", "Europe/Berlin", "10115"),
    ("Lyon", "FR", "France", "EUR", "Europe/Paris", "69002"),
    ("Madrid", "ES", "Spain", "EUR", "Europe/Madrid", "28004"),
    ("Leeds", "GB", "United Kingdom", "GBP", "Europe/London", "LS1 4AP"),
    ("Boston", "US", "United States", "USD", "America/New_York", "02108"),
    ("Toronto", "CA", "Canada", "CAD", "America/Toronto", "M5H 2N2"),
    ("Osaka", "JP", "Japan", "JPY", "Asia/Tokyo", "530-0001"),
    ("Sydney", "AU", "Australia", "AUD", "Australia/Sydney", "2000"),
)
_NOUNS = ("lamp", "kettle", "chair", "mirror", "basket", "candle", "blanket", "ladder", "teapot", "wallet", "compass")
_ADJECTIVES = ("amber", "brisk", "calm", "copper", "gentle", "mellow", "narrow", "quiet", "silver", "sturdy", "woven")
_STATUSES = ("new", "pending", "active", "paid", "shipped", "completed", "cancelled")
_COLOURS = ("red", "orange", "yellow", "green", "blue", "indigo", "violet")
_STREETS = ("Mill Lane", "Station Road", "Harbour Street", "Church Row", "Orchard Avenue")
_BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
_YEAR_S = 365 * 86_400
# A text that is longer repeats itself.
_ORIGINAL = 1000


@dataclass(frozen=True, slots=True)
class Cast:
    """Who and where an event is about, so that its names, addresses and currencies belong together."""

    first: str
    last: str
    company: str
    city: str
    country: str
    country_name: str
    currency: str
    timezone: str
    postcode: str

    @property
    def domain(self) -> str:
        """A domain that belongs to nobody."""
        return f"{self.company.lower()}.example.com"

    @property
    def email(self) -> str:
        """The person's address."""
        return f"{self.first}.{self.last}@example.com".lower()


def cast(rng: Random) -> Cast:
    """Draw a person and a place."""
    return Cast(rng.choice(_FIRST), rng.choice(_LAST), rng.choice(_COMPANIES), *rng.choice(_PLACES))


def others(people: Cast, rng: Random) -> Cast:
    """Draw another person in the same place."""
    return replace(people, first=rng.choice(_FIRST), last=rng.choice(_LAST), company=rng.choice(_COMPANIES))


def moment(rng: Random) -> datetime:
    """Draw a time, to the second: in a fixed year, since the same seed must give the same event on any day."""
    return _BEGINNING + timedelta(seconds=rng.randrange(_YEAR_S))


def word(rng: Random) -> str:
    """Draw a word."""
    return rng.choice(_NOUNS)


def phrase(rng: Random) -> str:
    """Draw a few words."""
    return f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)}"


def sentence(rng: Random, length: int = 0) -> str:
    """Draw a sentence, at least so many characters long."""
    text = phrase(rng)
    while len(text) < min(length, _ORIGINAL):
        text += f" {phrase(rng)}"
    return " ".join([text.capitalize()] * max(1, ceil(length / len(text))))


def raw_bytes(rng: Random, size: int) -> str:
    """Draw bytes, in base64."""
    return base64.b64encode(rng.randbytes(size)).decode()


def _hex(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _uuid(rng: Random, _cast: Cast) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def _url(rng: Random, cast: Cast) -> str:
    return f"https://{cast.domain}/{rng.choice(_NOUNS)}/{rng.randint(1, 999)}"


def _ipv4(rng: Random, _cast: Cast) -> str:
    return f"192.0.2.{rng.randint(1, 254)}"


def _ipv6(rng: Random, _cast: Cast) -> str:
    return f"2001:db8::{rng.randint(1, 0xFFFF):x}"


def _phone(rng: Random, _cast: Cast) -> str:
    return f"+1202555{rng.randint(100, 199):04d}"


def _instant(rng: Random, _cast: Cast) -> str:
    return moment(rng).isoformat().replace("+00:00", "Z")


def _date(rng: Random, _cast: Cast) -> str:
    return moment(rng).date().isoformat()


def _birthday(rng: Random, _cast: Cast) -> str:
    return moment(rng).date().replace(year=rng.randint(1950, 2006), day=rng.randint(1, 28)).isoformat()


def _time(rng: Random, _cast: Cast) -> str:
    return f"{moment(rng).time().isoformat()}Z"


def _code(rng: Random, _cast: Cast) -> str:
    return f"{rng.choice(_NOUNS)[:3].upper()}-{rng.randint(1000, 9999)}"


Draw = Callable[[Random, Cast], str]

_FORMATS: dict[str, Draw] = {
    "date-time": _instant,
    "date": _date,
    "time": _time,
    "duration": lambda rng, _: f"PT{rng.randint(1, 48)}H{rng.randint(1, 59)}M",
    "email": lambda _, cast: cast.email,
    "idn-email": lambda _, cast: cast.email,
    "hostname": lambda rng, cast: f"{rng.choice(_NOUNS)}.{cast.domain}",
    "idn-hostname": lambda rng, cast: f"{rng.choice(_NOUNS)}.{cast.domain}",
    "ipv4": _ipv4,
    "ip-address": _ipv4,
    "ipv6": _ipv6,
    "uri": _url,
    "url": _url,
    "uri-reference": lambda rng, _: f"/{rng.choice(_NOUNS)}/{rng.randint(1, 999)}",
    "iri": _url,
    "iri-reference": _url,
    "uri-template": lambda rng, cast: f"https://{cast.domain}/{rng.choice(_NOUNS)}/{{id}}",
    "uuid": _uuid,
    "json-pointer": lambda rng, _: f"/{rng.choice(_NOUNS)}/{rng.randint(0, 9)}",
    "relative-json-pointer": lambda rng, _: f"{rng.randint(0, 3)}/{rng.choice(_NOUNS)}",
    "regex": lambda rng, _: f"^{rng.choice(_NOUNS)}-[0-9]+$",
    "byte": lambda rng, _: raw_bytes(rng, 12),
    "phone": _phone,
    "password": lambda rng, _: f"{rng.choice(_NOUNS)}-{_hex(rng, 8)}",
}

# The first that is found in the name counts; names are read as snake_case, so `createdAt` is `created_at`.
_NAMES: tuple[tuple[str, Draw], ...] = (
    (r"uuid$|guid$", _uuid),
    (r"ip_?v6", _ipv6),
    (r"^ip$|_ip$|(^|_)ip_?(v4|addr)", _ipv4),
    (r"e?mail(_address)?$", lambda _, cast: cast.email),
    (r"first_?name|given_?name|^given$|forename", lambda _, cast: cast.first),
    (r"last_?name|family_?name|^family$|surname", lambda _, cast: cast.last),
    (r"user_?name|login|handle|nick", lambda rng, cast: f"{cast.first.lower()}{rng.randint(1, 99)}"),
    (r"compan(y|ies)|organi[sz]ation|employer|merchant|supplier|vendor|publisher|brand", lambda _, cast: cast.company),
    (r"domain|host", lambda _, cast: cast.domain),
    (r"file_?name|path$|^file$", lambda rng, _: f"{rng.choice(_NOUNS)}-{rng.randint(1, 99)}.txt"),
    (r"country_?name", lambda _, cast: cast.country_name),
    (r"(product|item|display)_?name|title|subject|headline|label$", lambda rng, _: phrase(rng).capitalize()),
    (
        r"(^|customer_|full_?|user_|contact_|person_|holder_|author_)name$|^(author|owner|customer|recipient|sender)$",
        lambda _, cast: f"{cast.first} {cast.last}",
    ),
    (r"name$", lambda rng, _: phrase(rng).replace(" ", "-")),
    (r"country(_?code)?$", lambda _, cast: cast.country),
    (r"city$|^town$|locality", lambda _, cast: cast.city),
    (r"post(al)?_?code|zip(_?code)?$|zip$", lambda _, cast: cast.postcode),
    (r"street|address(_?line)?_?\d?$|^line\d?$", lambda rng, _: f"{rng.randint(1, 99)} {rng.choice(_STREETS)}"),
    (r"currency(_?code)?$", lambda _, cast: cast.currency),
    (r"time_?zone$|^tz$", lambda _, cast: cast.timezone),
    (r"locale$", lambda _, cast: f"en-{cast.country}"),
    (r"lang(uage)?$", lambda rng, _: rng.choice(["en", "de", "fr", "es", "ja"])),
    (r"phone|mobile|^tel$|fax", _phone),
    (r"url$|uri$|website|link$|href|homepage|avatar|image$|picture", _url),
    (r"user_agent", lambda _, __: "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"),
    (r"mime|content_?type|media_?type", lambda _, __: "application/json"),
    (r"birth|^dob$", _birthday),
    (r"_at$|timestamp|date_?time|^(created|updated|modified|deleted|occurred|sent|received)$|_time$|^time$", _instant),
    (r"date$|_on$|^day$", _date),
    (r"status|state$|phase", lambda rng, _: rng.choice(_STATUSES)),
    (r"colou?r", lambda rng, _: rng.choice(_COLOURS)),
    (r"gender|^sex$", lambda rng, _: rng.choice(["female", "male", "other"])),
    (r"version", lambda rng, _: f"{rng.randint(0, 4)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}"),
    (r"hash|checksum|digest|sha\d*$|token|secret|signature", lambda rng, _: _hex(rng, 32)),
    (r"iban", lambda rng, _: f"DE00{rng.randrange(10**18):018d}"),
    (r"price|amount|total|cost$", lambda rng, _: f"{rng.randint(100, 50_000) / 100:.2f}"),
    (r"(^|_)id$|(^|_)key$|sku|code$|number$|reference|^no$", _code),
    (r"desc|comment|note|text|message|summary|reason|body|content|bio", lambda rng, _: f"{sentence(rng, 30)}."),
)
_NAMED = tuple((re.compile(pattern), draw) for pattern, draw in _NAMES)

# name, lowest, highest, digits behind the point where fractions are allowed
_SPANS = tuple(
    (re.compile(pattern), span)
    for pattern, span in (
        (r"(_at|timestamp|_time|^time|^ts|_ts|^ts_ms)$", (1_735_689_600_000, 1_767_225_599_000, 0)),
        (r"lat(itude)?$", (-85, 85, 5)),
        (r"(lon|lng|long)(gitude)?$", (-179, 179, 5)),
        (r"discount|percent|pct|humidity|progress", (0, 100, 1)),
        (r"rate$|ratio|probability|confidence|score|fraction", (0, 1, 3)),
        (r"price|amount|total|cost|sum$|balance|revenue|fee|tax|salary|value$", (1, 500, 2)),
        (r"(^|_)age$", (18, 90, 0)),
        (r"year$", (1990, 2025, 0)),
        (r"month$", (1, 12, 0)),
        (r"day$", (1, 28, 0)),
        (r"hour", (0, 23, 0)),
        (r"minute|second", (0, 59, 0)),
        (r"quantity|qty|count$|items$|stock|units", (1, 20, 0)),
        (r"temp(erature)?", (-10, 35, 1)),
        (r"weight|height|width|length|depth|distance|size", (1, 200, 1)),
        (r"port$", (1024, 49_151, 0)),
        (r"status_?code|http_?status", (200, 204, 0)),
        (r"_ms$|millis|duration|latency", (1, 5000, 0)),
        (r"rating|stars", (1, 5, 1)),
        (r"version|level|priority|rank|position|index", (1, 10, 0)),
        (r"(^|_)id$|number$", (1000, 99_999, 0)),
    )
)


def plain_name(name: str) -> str:
    """Read any spelling of a field's name as snake_case; a list's name as that of one of its items."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return "_".join(parts).lower()


def singular(name: str) -> str:
    """Return what one of `name` is called."""
    for ending, one in (("ies", "y"), ("sses", "ss"), ("ses", "s"), ("ss", "ss"), ("s", "")):
        if name.endswith(ending):
            return name.removesuffix(ending) + one
    return name


def formatted(name: str, rng: Random, cast: Cast) -> str | None:
    """Draw a text of a JSON Schema format; None for a format that says nothing."""
    draw = _FORMATS.get(name)
    return draw(rng, cast) if draw else None


def named(name: str, rng: Random, cast: Cast) -> str | None:
    """Draw a text for a field of this name; None where the name says nothing."""
    plain = plain_name(name)
    draw = next((draw for pattern, draw in _NAMED if pattern.search(plain)), None)
    return draw(rng, cast) if draw else None


def text(name: str, rng: Random, cast: Cast) -> str:
    """Draw a text for a field of any name."""
    return named(name, rng, cast) or phrase(rng)


def span(name: str) -> tuple[int, int, int]:
    """Return the usual range of a number of this name, and its digits behind the point."""
    plain = plain_name(name)
    return next((span for pattern, span in _SPANS if pattern.search(plain)), (1, 1000, 2))
