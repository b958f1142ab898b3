"""Operators' commands that were answered, so that one delivered again hears the same and does nothing."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from schemas.entry import EntryKind
from streams.ledger.kept import Kept

# digest, at, refusal, length of the kind; kind and reason follow as UTF-8. On disk too, as in payments.
_PACKED = struct.Struct("<16sqHB")


@dataclass(slots=True)
class CommandState:
    """What became of an operator's command. kind REFUSED: `refusal` and `reason` say why. at: ms UTC."""

    id: str
    digest: bytes
    kind: EntryKind
    at: int
    refusal: int = 0
    reason: str = ""


class Commands:
    """Answered commands by book and id. All are final, so all leave memory once they are archived."""

    __slots__ = ("final",)

    def __init__(self) -> None:
        self.final = Kept()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Commands) and self.final == other.final

    def put(self, book: str, command: CommandState) -> None:
        kind = command.kind.encode()
        fixed = _PACKED.pack(command.digest, command.at, command.refusal, len(kind))
        self.final.put(key_of(book, command.id), fixed + kind + command.reason.encode())

    def find(self, book: str, command: str) -> CommandState | None:
        packed = self.final.find(key_of(book, command))
        if packed is None:
            return None
        digest, at, refusal, length = _PACKED.unpack_from(packed)
        kind, reason = packed[_PACKED.size :][:length], packed[_PACKED.size + length :]
        return CommandState(command, digest, EntryKind(kind.decode()), at, refusal, reason.decode())


def key_of(book: str, command: str) -> str:
    """Neither part can hold a line break."""
    return f"{book}\n{command}"
