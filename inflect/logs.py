"""Structured logs on stderr: JSON lines for machines, key=value on a terminal.

What is logged can come from events and user code: control characters are escaped, so that nobody forges a line
or paints the terminal, and what looks like a secret is left out. Values of events are not logged at all,
except what a function itself wrote to its console.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

_SECRET_KEY = re.compile(r"password|passphrase|secret|token|database_url|authorization", re.IGNORECASE)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
_WORD_PASSWORD = re.compile(r"(?i)\b(password|secret|token)\s*=\s*\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

Entry = MutableMapping[str, Any]


def configure(log_format: str = "auto") -> None:
    """Send this process's logs, its libraries' too, to stderr; `log_format` is `auto`, `json` or `text`."""
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        scrub,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,  # a worker configures again after its fork
    )
    handler = logging.StreamHandler(sys.stderr)
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    last += [escape_controls, _as_words] if text else [_as_json]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of one room; keywords become fields: `log.info("worker started", pipeline=…)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def scrub(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Hide values under secret names and passwords inside URLs and connection words."""
    for key, value in entry.items():
        if _SECRET_KEY.search(key):
            entry[key] = "***"
        elif isinstance(value, str):
            entry[key] = without_secrets(value)
    return entry


def without_secrets(text: str) -> str:
    """Return the text with passwords in URLs and `password=…` words hidden."""
    return _WORD_PASSWORD.sub(r"\1=***", _URL_PASSWORD.sub(r"\1:***@", text))


def escape_controls(_logger: Any, _method: str, entry: Entry) -> Entry:
    """Write control characters of every text as escapes."""
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = printable(value)
    return entry


def printable(text: str) -> str:
    r"""Return the text with control characters as `\n`, `\x1b`: safe to print on one line."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def _as_json(_logger: Any, _method: str, entry: Entry) -> str:
    text = orjson.dumps(dict(entry), default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)  # JSON itself escapes only those below U+0020


def _as_words(_logger: Any, _method: str, entry: Entry) -> str:
    fields = {key: entry.pop(key, "") for key in ("timestamp", "level", "logger", "event")}
    clock = str(fields["timestamp"])[11:19]
    words = " ".join(f"{key}={_word(value)}" for key, value in entry.items())
    return f"{clock} {fields['level']:<7} {fields['event']} {words}".rstrip()


def _word(value: Any) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text
