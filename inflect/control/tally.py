"""What a redrive has done, counted."""

from dataclasses import dataclass, field
from typing import Any

from inflect.model.event import Outcome

MOST_REFUSALS_TOLD = 100


@dataclass(slots=True)
class Tally:
    """What became of the letters; a forecast in a dry run. `stopped` is why the redrive ended before its end."""

    selected: int = 0
    delivered: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    dropped: int = 0
    refused: int = 0
    refusals: list[dict[str, str]] = field(default_factory=list)
    stopped: str | None = None

    def count(self, outcome: Outcome) -> None:
        """One letter more with this outcome."""
        self.selected += 1
        setattr(self, outcome, getattr(self, outcome) + 1)

    def refuse(self, letter_id: str, reason: str) -> None:
        """One letter more that stays where it is."""
        self.selected += 1
        self.refused += 1
        if len(self.refusals) < MOST_REFUSALS_TOLD:
            self.refusals.append({"id": letter_id, "reason": reason})

    def answer(self) -> dict[str, Any]:
        """`selected` is the sum of `delivered`, `filtered` and `failed`; more only where there is more to say.

        `failed`: dead letters again, dropped where the pipeline says so, or refused (and still open).
        """
        failed = self.dead_lettered + self.dropped + self.refused
        told: dict[str, Any] = {
            "selected": self.selected,
            "delivered": self.delivered,
            "filtered": self.filtered,
            "failed": failed,
        }
        more = {"dropped": self.dropped, "refused": self.refused, "refusals": self.refusals, "stopped": self.stopped}
        return told | {key: value for key, value in more.items() if value}
