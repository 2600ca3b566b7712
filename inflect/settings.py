"""Settings: a TOML file, then the environment, then flags; and the only reader of the environment.

Every setting is a field of `Settings`; its variable is `INFLECT_` and the field's name in capitals. Secrets can
be given as a file (`INFLECT_DATABASE_URL_FILE`). `INFLECT_KAFKA_…` and the table `[kafka]` are librdkafka's own
properties, except those that load code or that exactly-once rests on. Faults are told all at once.
"""

import hashlib
import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from inflect.errors import UsageError

DEFAULT_CONFIG = Path("inflect.toml")


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How a schema registry is reached: its root, who we are there, a file with its authority (empty: the system's).

    With a `token` it is shown as the bearer's, else a `username` logs in with its `password`.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""

    @property
    def key(self) -> str:
        """The name under which things of this registry are kept, and of no other."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; an empty text means not set."""

    database_url: str = field(default="", repr=False)
    """Postgres: a URL or libpq's `key=value` words."""
    kafka: dict[str, str] = field(default_factory=dict, repr=False)
    """librdkafka properties by their own names; `bootstrap.servers` says where the brokers are."""
    registry_url: str = ""
    """Root of a Confluent-compatible schema registry; empty: schemas are off."""
    registry_username: str = ""
    registry_password: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    """A bearer token, instead of username and password."""
    registry_ca: str = ""
    """File with the registry's certificate authority."""
    processors: Path = Path("processors")
    """The directory with transformations/, filters/ and lib/."""
    http_address: str = "127.0.0.1:8080"
    """Where UI and API listen."""
    metrics_address: str = "0.0.0.0:9400"
    """Where a worker's metrics listen, in a pod."""
    mode: str = "local"
    """`local` or `kubernetes`: who runs the workers."""
    data_dir: Path = Path(".inflect")
    """Files of the embedded servers."""
    secret_key: str = field(default="", repr=False)
    """Signs sessions; empty: made once and kept in the database."""
    no_auth: str = ""
    """`behind-proxy`: something in front decides who may in."""
    log_format: str = "auto"
    """`json`, `text`, or `auto`: text on a terminal, else json."""

    def registry(self) -> RegistryAccess | None:
        """Return how to reach the schema registry; None when there is none."""
        if not self.registry_url:
            return None
        return RegistryAccess(
            self.registry_url.rstrip("/"),
            self.registry_username,
            self.registry_password,
            self.registry_token,
            self.registry_ca,
        )


_CHOICES = {
    "mode": ("local", "kubernetes"),
    "no_auth": ("", "behind-proxy"),
    "log_format": ("auto", "json", "text"),
}
_SECRETS = ("database_url", "registry_password", "registry_token", "secret_key")
_SECRET_PROPERTIES = (
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.assertion.private.key.pem",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
)
_RUNS_CODE = "it loads code or runs a program"
_OWNED = "a worker sets it itself: exactly-once rests on it"
_REFUSED = {
    "plugin.library.paths": _RUNS_CODE,
    "ssl.engine.": _RUNS_CODE,
    "ssl.providers": _RUNS_CODE,
    "sasl.kerberos.kinit.cmd": _RUNS_CODE,
    "interceptors": _RUNS_CODE,
    **dict.fromkeys(
        (
            "acks",
            "allow.auto.create.topics",
            "auto.commit.",
            "auto.offset.reset",
            "delivery.timeout.ms",
            "enable.auto.commit",
            "enable.auto.offset.store",
            "enable.gapless.guarantee",
            "enable.idempotence",
            "enable.partition.eof",
            "group.id",
            "group.instance.id",
            "group.protocol",
            "isolation.level",
            "max.poll.interval.ms",
            "message.max.bytes",
            "message.timeout.ms",
            "offset.store.",
            "partition.assignment.strategy",
            "request.required.acks",
            "transaction.timeout.ms",
            "transactional.id",
        ),
        _OWNED,
    ),
}
# What Kubernetes puts into every pod for a service called `inflect` or `inflect-kafka`.
_SERVICE_LINK = re.compile(r"INFLECT_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)")


@dataclass(frozen=True, slots=True)
class _Given:
    """One value as given: the setting's key (`database_url`, `kafka.sasl.password`), and where it stood."""

    key: str
    value: Any
    origin: str
    base: Path = Path()


def load(config: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Read the settings; flags that are None are not given. UsageError names every fault, one per line."""
    given = list(_from_file(config))
    given += _from_environment(os.environ if environ is None else environ)
    given += [_Given(key, value, f"--{key.replace('_', '-')}") for key, value in flags.items() if value is not None]
    values: dict[str, Any] = {}
    kafka: dict[str, str] = {}
    faults: list[str] = []
    for one in given:
        try:
            key, value = _read(one)
        except ValueError as error:
            faults.append(f"{one.origin}: {error}")
            continue
        if key.startswith("kafka."):
            kafka[key.removeprefix("kafka.")] = value
        else:
            values[key] = value
    faults += _twice(given)
    if values.get("registry_token") and values.get("registry_username"):
        faults.append("registry_token: is given beside registry_username; keep one of them")
    if faults:
        raise UsageError("\n".join(faults))
    return Settings(**values, kafka=kafka)


def split_address(address: str) -> tuple[str, int]:
    """Split `host:port` (`[::1]:8080` for IPv6); ValueError says what is wrong."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  ports have 16 bits
        raise ValueError(f"{address!r} must be HOST:PORT, such as 127.0.0.1:8080")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise ValueError(f"{address!r}: put an IPv6 host in brackets, such as [::1]:8080")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Whether `host:port` is reached from this machine only."""
    host, _ = split_address(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def has_display(environ: Mapping[str, str] | None = None) -> bool:
    """Whether a browser could show itself to whoever started this process."""
    environ = os.environ if environ is None else environ
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _from_file(config: Path | None) -> Iterator[_Given]:
    path = config or DEFAULT_CONFIG
    if config is None and not path.exists():
        return
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: is no TOML: {error}") from error
    for key, value in table.items():
        if key == "kafka" and isinstance(value, dict):
            for name, entry in _flat(value):
                yield _Given(f"kafka.{name}", entry, f"{path}: kafka.{name}", path.parent)
        else:
            yield _Given(key, value, f"{path}: {key}", path.parent)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Undo TOML's reading of `bootstrap.servers = …` as a table in a table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Given]:
    for variable, value in environ.items():
        if not variable.startswith("INFLECT_") or _SERVICE_LINK.fullmatch(variable):
            continue
        key = variable.removeprefix("INFLECT_").lower()
        if key.startswith("kafka_"):
            name = key.removeprefix("kafka_")
            yield _Given(f"kafka.{name if name == 'log_level' else name.replace('_', '.')}", value, variable)
        elif _is_known(key) or get_close_matches(key, _names(), n=1, cutoff=0.8):
            yield _Given(key, value, variable)  # what is not even close is somebody else's variable


def _names() -> list[str]:
    return [f.name for f in fields(Settings) if f.name != "kafka"]


def _is_known(key: str) -> bool:
    return key in _names() or key.removesuffix("_file") in _SECRETS


def _setting_of(key: str) -> str:
    """Return the setting a key means: itself, or the secret whose file it names."""
    if key.startswith("kafka."):
        bare = key.removeprefix("kafka.").removesuffix(".file").removesuffix("_file")
        return f"kafka.{bare}" if bare in _SECRET_PROPERTIES else key
    return key.removesuffix("_file") if key.removesuffix("_file") in _SECRETS else key


def _read(given: _Given) -> tuple[str, Any]:
    key, value = _setting_of(given.key), given.value
    if key != given.key:
        value = _read_secret(given.base / str(value))
    if key.startswith("kafka."):
        return key, _property(key.removeprefix("kafka."), value)
    if key not in _names():
        close = get_close_matches(key, _names(), n=1)
        raise ValueError(f"unknown setting{f', did you mean {close[0]!r}?' if close else ''}")
    return key, _typed(key, value, given.base)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file cannot be read: {error}") from error


def _property(name: str, value: Any) -> str:
    for refused, reason in _REFUSED.items():
        if name == refused or (refused.endswith(".") and name.startswith(refused)):
            raise ValueError(f"{name} cannot be set: {reason}")
    if name.endswith("_cb"):
        raise ValueError(f"{name} cannot be set: {_RUNS_CODE}")
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, true or false")  # noqa: TRY004  every fault is told the same way
    return str(value)


def _typed(key: str, value: Any, base: Path) -> Any:
    kind = type(_default(key))
    if not isinstance(value, str | Path):
        raise ValueError(f"must be text, not {value!r}")  # noqa: TRY004  every fault is told the same way
    if kind is not str:
        if not str(value):
            raise ValueError("must not be empty")
        return base / value
    text = str(value).strip()
    if key.endswith("_address"):
        split_address(text)
    if key in _CHOICES and text not in _CHOICES[key]:
        raise ValueError(f"{text!r} must be one of {', '.join(filter(None, _CHOICES[key]))}")
    if key == "database_url" and text and not re.match(r"postgres(ql)?://|\w+\s*=", text):
        raise ValueError("must begin with postgresql://")
    if key == "registry_url" and text:
        _check_registry_url(text)
    return str(base / text) if key == "registry_ca" and text else text


def _check_registry_url(text: str) -> None:
    if not re.fullmatch(r"https?://[!-~]+", text):
        raise ValueError("must begin with http:// or https:// and hold no spaces")
    if "@" in text.split("/")[2]:
        raise ValueError("must not hold a password; set registry_username and registry_password")
    try:
        address = urlsplit(text)
        host, _ = str(address.hostname or "").encode("idna"), address.port
    except ValueError as error:  # what cannot be an address would be found out by every worker, again and again
        raise ValueError(f"names no host and port: {error}") from error
    if not host:
        raise ValueError("names no host")
    if "?" in text or "#" in text:
        raise ValueError("must be the root of the registry, without ? and #")


def _default(key: str) -> Any:
    default = next(f.default for f in fields(Settings) if f.name == key)
    return "" if default is MISSING else default


def _twice(given: list[_Given]) -> Iterator[str]:
    """Yield a fault for a secret given both as itself and as a file in one place (file or environment)."""
    seen: dict[tuple[str, bool], _Given] = {}
    for one in given:
        place = (_setting_of(one.key), one.base == Path() and ": " not in one.origin)
        other = seen.setdefault(place, one)
        if other.key != one.key:
            yield f"{one.origin}: is given beside {other.origin}; keep one of them"
