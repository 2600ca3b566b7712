"""The errors that cross a room's border.

A library's error becomes one of these at the door of its room, `raise … from`. Each carries one sentence that
says what is wrong, where, and how to mend it; the command line prints it and exits with `exit_code`. Nothing here
describes a failed *event*: that is data, see `model.event.Failure`.
"""

from dataclasses import dataclass


class InflectError(Exception):
    """Something a user can read and mend."""

    exit_code = 1


class UsageError(InflectError):
    """A command, request or setting that cannot be understood."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: `path` is where (`steps[1].filter`), `message` what and how to mend it."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class RefusedError(InflectError):
    """A file, pipeline or processor with faults; all of them at once."""

    exit_code = 2

    def __init__(self, subject: str, faults: list[Fault]) -> None:
        self.subject = subject
        self.faults = faults
        super().__init__("\n".join(f"{subject}: {fault}" for fault in faults))


class NotFoundError(InflectError):
    """A name that does not exist (HTTP 404)."""

    exit_code = 2


class ConflictError(InflectError):
    """A change that meets another state than it was made for (HTTP 409)."""

    exit_code = 1


class UnreachableError(InflectError):
    """Postgres, Kafka or the registry does not answer."""

    exit_code = 3


class DeniedError(InflectError):
    """A server answers and refuses the credentials or the right."""

    exit_code = 3


class CannotRunError(InflectError):
    """A revision, or the settings it runs under, cannot work here however often it is tried; the message says why."""
