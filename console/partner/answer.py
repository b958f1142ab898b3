"""What a partner is told: result codes of the protocol, and the XML they travel in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from schemas.reply import Reply

OK, REPEAT, NOT_FINISHED, OTHER_PARAMETERS, OTHER = 0, 1, 90, 215, 300
# What every speaker of the protocol takes for a final no. Our other codes become 300 and stand in the comment.
_FATAL = frozenset({4, 5, 7, 8, 79, 241, 242, 243, 300})
_POSTED = frozenset({"POSTED", "REVERSAL_REFUSED"})
_NEVER = frozenset({"DECLINED", "VOIDED", "REVERSED"})


@dataclass(frozen=True, slots=True)
class Told:
    """result: the protocol's. sum: major units as the partner wrote it. shown: fields to show to the payer."""

    txn: str
    result: int
    comment: str = ""
    sum: str = ""
    provider_ref: str = ""
    shown: Sequence[tuple[str, str]] = field(default_factory=tuple)


def result_of(reply: Reply) -> int:
    """0 for a payment that is posted and no other; a final no only for one that is declined, voided or given back.

    A message that was quarantined may be replayed one day: of that no final no is said either. 215 is what became of a
    number that was used before for something else.
    """
    if reply.state in _POSTED:
        return OK
    if reply.state in _NEVER:
        return reply.code if reply.code in _FATAL else OTHER
    if reply.state == "REJECTED":
        return OTHER_PARAMETERS if reply.code == OTHER_PARAMETERS else REPEAT
    return NOT_FINISHED


def comment_of(reply: Reply) -> str:
    """Ours for people, with our own code where the result is another."""
    code = f"{reply.code} " if reply.code and reply.code != result_of(reply) else ""
    return f"{code}{reply.reason}" if reply.code else reply.state


def xml(told: Told, charset: Literal["utf-8", "cp1251"]) -> bytes:
    """The reply; what the charset does not have is written as a character reference."""
    name = "UTF-8" if charset == "utf-8" else "windows-1251"
    parts = [f'<?xml version="1.0" encoding="{name}"?>', "<response>", _element("osmp_txn_id", told.txn)]
    parts += [_element("prv_txn", told.provider_ref)] if told.provider_ref else []
    parts += [_element("sum", told.sum)] if told.sum else []
    parts += [_element("result", str(told.result)), _element("comment", told.comment[:200])]
    if told.shown:
        parts.append("<fields>")
        for number, (title, text) in enumerate(told.shown, 1):
            parts.append(
                f'<field{number} name={quoteattr(_clean(title))} type="disp">{escape(_clean(text))}</field{number}>'
            )
        parts.append("</fields>")
    parts.append("</response>")
    return "".join(parts).encode(charset, "xmlcharrefreplace")


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(_clean(text))}</{name}>"


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(character if character.isprintable() else " " for character in text)
