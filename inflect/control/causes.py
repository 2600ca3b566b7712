"""Why dead letters died, so that thousands with one cause are one line: stage, step, kind and the shape of the message.

The shape is the message with everything that belongs to one event taken out: numbers, quoted text, ids. Pure text.
"""

import hashlib
import re

from inflect.processing.dialects import Story

LONGEST = 300
_LOOKED_AT = 1000

# Each pattern reads a message in one pass; the order matters: quotes hide numbers, ids hold digits.
_SHAPES = (
    (re.compile(r'(?:\.{3})?"[^\n]*"(?:\.{3})? is not valid JSON'), '"…" is not valid JSON'),  # the event itself
    (re.compile(r'"[^"\n]*"'), '"…"'),
    (re.compile(r"(?<!\w)'[^'\n]*'(?!\w)"), "'…'"),
    (re.compile(r"`[^`\n]*`"), "`…`"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "#"),
    (re.compile(r"\b(?=[a-f]{0,63}[0-9])[0-9a-f]{12,64}\b"), "#"),
    (re.compile(r"\d+(?:[.,_]\d+)*"), "#"),
    (re.compile(r"\s+"), " "),
)


def shape(message: str) -> str:
    """The message without what differs from event to event; at most 300 characters."""
    text = message[:_LOOKED_AT]
    for pattern, placeholder in _SHAPES:
        text = pattern.sub(placeholder, text)
    return text.strip()[:LONGEST]


def cause_of(story: Story) -> str:
    """The id of the letter's cause: the same for every letter that died of the same, today and tomorrow."""
    facts = (story.stage, story.step, story.kind, shape(story.message or ""))
    told = "\x1f".join(fact or "" for fact in facts)
    return hashlib.sha256(told.encode()).hexdigest()[:8]
