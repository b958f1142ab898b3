"""A history read back: half a million payments in arrays, to be held against the topics."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import orjson

from console.audit_index import Words, fingerprint

NOWHERE = -1
# The offset of what is acknowledged without its place: a new leader that is sent again what it has does not say where.
SOMEWHERE = -1


def reply_fingerprint(id: str, state: str, code: int, at: int, txn: int) -> int:
    """64 bits of what a reply says. at: ms UTC."""
    return fingerprint(f"{id}\0{state}\0{code}\0{at}\0{txn}".encode())


# A posted payment may be asked back, and what comes of it is told too.
_MAY_GO_BACK = frozenset({"POSTED", "REVERSAL_REFUSED"})
_GOES_BACK = _MAY_GO_BACK | {"REVERSED"}


class Told(NamedTuple):
    """A PIN that was told. terminal: who could open it, "": nobody. pin: its hash."""

    terminal: str
    payment: str
    serial: str
    pin: str


class Asked(NamedTuple):
    """A question about a subscriber. is_last: it was asked when all was calm."""

    payee: str
    account: str
    is_last: bool


class Answered(NamedTuple):
    """debt: minor units, None: not told."""

    id: str
    code: int
    source: str
    name: str
    debt: int | None


class Past:
    """All columns of messages under the message's number; all columns of replies under the reply's.

    partition: NOWHERE until acknowledged. failed: 1 where no acknowledgement came and none will. line: where in the
    file the reply is. finals: payment or command -> the final state it was told.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: list[str] = []
        self.kind = array("H")
        self.topic = array("B")
        self.content = array("Q")
        self.partition = array("h")
        self.offset = array("q")
        self.failed = bytearray()
        self.kinds = Words()
        self.topics = Words()
        self.replies = array("Q")
        self.line = array("q")
        self.finals: dict[str, int] = {}
        self.final_words = Words()
        self.contradictions: list[str] = []
        self.secrets: list[Told] = []
        self.files: dict[str, str] = {}
        self.questions: dict[str, Asked] = {}
        self.answers: list[Answered] = []
        self.told_again = 0
        self.unreadable = 0
        self.notes: Counter[str] = Counter()
        self.ended_at = 0
        self._read()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def acked(self) -> int:
        return sum(partition != NOWHERE for partition in self.partition)

    @property
    def unknown(self) -> int:
        """Messages of which nobody can say whether Kafka has them."""
        return len(self) - self.acked

    def kind_of(self, number: int) -> str:
        """The name of its Kind, without the manner."""
        return self.kinds.words[self.kind[number]].partition(":")[0]

    def topic_of(self, number: int) -> str:
        return self.topics.words[self.topic[number]]

    def reply_line(self, number: int) -> str:
        """The reply as it was written down, for people."""
        with self.path.open("rb") as file:
            file.seek(self.line[number])
            return file.readline().decode().strip()

    def _read(self) -> None:
        place = 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    self._take(orjson.loads(line), place)
                except (orjson.JSONDecodeError, ValueError, IndexError, KeyError):
                    self.unreadable += bool(line.strip())  # the writer was killed within it
                place += len(line)

    def _take(self, line: list[object], place: int) -> None:
        match line:
            case ["s", int(), str(topic), str(kind), str(), str(id), str(content), int()]:
                self.ids.append(id)
                self.kind.append(self.kinds.number(kind))
                self.topic.append(self.topics.number(topic))
                self.content.append(int(content, 16))
                self.partition.append(NOWHERE)
                self.offset.append(NOWHERE)
                self.failed.append(0)
            case ["a", int(number), int(partition), int(offset)]:
                self.partition[number] = partition
                self.offset[number] = offset
            case ["x", int(number), str(error)]:
                self.failed[number] = 1
                self.notes[error] += 1
            case ["r", str(id), str(state), int(code), int(final), int(at), int(txn), int(again)]:
                self.replies.append(reply_fingerprint(id, state, code, at, txn))
                self.line.append(place)
                self.told_again += again
                if final and state != "REJECTED":
                    self._final(id, f"{state} {code}")
            case ["p", str(terminal), str(payment), str(serial), str(pin)]:
                self.secrets.append(Told(terminal, payment, serial, pin))
            case ["f", str(name), str(content)]:
                self.files[name] = content
            case ["q", str(id), str(payee), str(account), int(is_last)]:
                self.questions[id] = Asked(payee, account, bool(is_last))
            case ["w", str(id), int(code), str(source), str(name), int() | None as debt]:
                self.answers.append(Answered(id, code, source, name, debt))
            case ["n", str(text)]:
                self.notes[text] += 1
            case ["e", int(at)]:
                self.ended_at = at
            case _:
                raise ValueError("not a line of a history")

    def _final(self, id: str, told: str) -> None:
        word = self.final_words.number(told)
        before = self.finals.setdefault(id, word)
        if before == word:
            return
        if self.final_words.words[before].split()[0] in _MAY_GO_BACK and told.split()[0] in _GOES_BACK:
            self.finals[id] = word
        else:
            self.contradictions.append(f"{id} was told {self.final_words.words[before]}, then {told}")
