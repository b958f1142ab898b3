"""What the terminals did and what they were told, as it happened: a line of JSON each, appended and never changed.

A line is an array that begins with its kind:

    ["s", number, topic, kind, terminal, id, hash, at]   a message was handed to Kafka's client
    ["a", number, partition, offset]                     Kafka acknowledged it, and there it is; -1: somewhere
    ["x", number, error]                                 no acknowledgement: it may be there or not
    ["r", id, state, code, final, at, txn, again]        a reply that the server signed was read
    ["p", terminal, payment, serial, hash]               a PIN was told, sealed to this terminal; "": nobody can open it
    ["f", name, hash]                                    a registry's file was first there
    ["q", id, payee, account, is_last]                   a subscriber was asked about; last: when all was calm
    ["w", id, code, source, name, debt]                  the answer to such a question that the server signed
    ["n", text]                                          something else worth knowing
    ["e", at]                                            the terminals stopped listening

`number` counts messages 0, 1, 2, …; `kind` is a name of console.fleet_kinds.Kind, perhaps with a manner after a colon
("GOOD:late"); `hash` is the bytes' fingerprint in hex; times are ms UTC.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson

from console.audit_index import fingerprint
from schemas.ids import instant_ms
from schemas.reply import Reply
from schemas.tracking import CheckReply, CheckRequest
from schemas.voucher import Secret

_BUFFER = 1 << 20


class History:
    """Written by one process at a time. Opened by its first line; a later writer goes on counting where it ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._count = 0

    def sent(self, topic: str, kind: str, owner: str, id: str, value: bytes, at: int) -> int:
        """A message is about to be handed to Kafka's client; its number. owner: the terminal or operator."""
        if self._file is None:
            self._open()
        number = self._count
        self._count += 1
        self._write(["s", number, topic, kind, owner, id, f"{fingerprint(value):016x}", at])
        return number

    def acked(self, number: int, partition: int, offset: int) -> None:
        self._write(["a", number, partition, offset])

    def failed(self, number: int, error: str) -> None:
        """Kafka's client gave up, or never took it. Whether the message is there is not known."""
        self._write(["x", number, error])

    def told(self, reply: Reply) -> None:
        at = instant_ms(reply.at)
        self._write(["r", reply.id, reply.state, reply.code, int(reply.final), at, reply.txn, int(reply.again)])

    def secret(self, terminal: str, secret: Secret) -> None:
        """The terminal has opened it. Of the PIN only its hash is kept."""
        pin = fingerprint(secret.pin.encode())
        self._write(["p", terminal, secret.payment, secret.serial, f"{pin:016x}"])

    def unopened(self, id: str) -> None:
        """A reply has a secret that no terminal's key opens."""
        self._write(["p", "", id, "", ""])

    def brought(self, name: str, content: bytes) -> None:
        self._write(["f", name, sha256(content).hexdigest()])

    def asked(self, check: CheckRequest, *, is_last: bool) -> None:
        account = next(iter(check.subscriber.values()))
        self._write(["q", check.id, check.payee, account, int(is_last)])

    def answered(self, reply: CheckReply) -> None:
        self._write(["w", reply.id, reply.code, reply.source, reply.name, reply.debt])

    def noted(self, text: str) -> None:
        self._write(["n", text])

    def ended(self, at: int) -> None:
        """Replies sent later were not read."""
        self._write(["e", at])

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __getstate__(self) -> Path:
        """Another process gets the name of the file; it opens it itself."""
        return self.path

    def __setstate__(self, path: Path) -> None:
        self.__init__(path)  # type: ignore[misc]

    def _write(self, line: list[Any]) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None
        self._file.write(orjson.dumps(line) + b"\n")

    def _open(self) -> None:
        self._count, ends_well = _written(self.path)
        self._file = self.path.open("ab", buffering=_BUFFER)
        if not ends_well:
            self._file.write(b"\n")


def _written(path: Path) -> tuple[int, bool]:
    """How many messages an earlier writer noted, and whether its last line is whole."""
    count, last = 0, b"\n"
    if path.exists():
        with path.open("rb") as file:
            for last in file:
                count += last.startswith(b'["s"')
    return count, last.endswith(b"\n")
