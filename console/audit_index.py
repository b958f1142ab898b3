"""What an audit remembers of a million decisions: ids in a dict, everything else in arrays of numbers."""

from __future__ import annotations

from array import array
from dataclasses import replace
from hashlib import blake2b

import orjson

from schemas.entry import PaymentFacts

_DIGEST_BYTES = 16
_NO_DIGEST = bytes(_DIGEST_BYTES)


def fingerprint(content: bytes) -> int:
    """64 bits that differ when the content does, but for one chance in 2**64."""
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big")


def facts_fingerprint(facts: PaymentFacts) -> int:
    """Without `held_at` and, where there is a choice, the route: they tell of the payment's course."""
    if facts.routes or facts.rerouted_from:
        facts = replace(facts, held_at=0, gateway="", routes=(), rerouted_from=())
    elif facts.held_at:
        facts = replace(facts, held_at=0)
    return fingerprint(orjson.dumps(facts))


class Decisions:
    """First decisions by cause: where each was made, on what content, and whether its message was seen to arrive.

    partition, offset: of the entry. arrived: 1 once a message with this id and content was met on that partition.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.partition = array("H")
        self.offset = array("q")
        self.arrived = bytearray()
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, key: str, digest: str, partition: int, offset: int) -> int | None:
        """The new decision's number; None when this key was decided before."""
        number = len(self.numbers)
        if self.numbers.setdefault(key, number) != number:
            return None
        self.partition.append(partition)
        self.offset.append(offset)
        self.arrived.append(0)
        self._digests += _digest_bytes(digest)
        return number

    def find(self, key: str, digest: str) -> int | None:
        """The number of the decision with this key and content."""
        number = self.numbers.get(key)
        if number is None:
            return None
        start = number * _DIGEST_BYTES
        return number if self._digests[start : start + _DIGEST_BYTES] == _digest_bytes(digest) else None


def _digest_bytes(digest: str) -> bytes:
    """Half a hash is no hash: what cannot be one equals only another that cannot."""
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        return _NO_DIGEST
    return raw if len(raw) == _DIGEST_BYTES else _NO_DIGEST


class Words:
    """Words that come again and again, as numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.words: list[str] = []

    def number(self, word: str) -> int:
        number = self._numbers.get(word)
        if number is None:
            number = self._numbers[word] = len(self.words)
            self.words.append(word)
        return number


class PaymentIndex:
    """Every payment in the order of its first entry, all columns under the same number.

    state: number of its word in `states`. facts: fingerprint of PaymentFacts. order: fingerprint of subscriber, sum and
    currency. last: offset of the newest entry about it.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.ids: list[str] = []
        self.by_txn: dict[int, int] = {}
        self.partition = array("H")
        self.last = array("q")
        self.state = bytearray()
        self.facts = array("Q")
        self.order = array("Q")
        self.gateway = array("I")
        self.currency = array("I")
        self.gateways = Words()
        self.currencies = Words()
        self.states = Words()

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, partition: int, facts: PaymentFacts) -> int:
        number = self.numbers[facts.id] = len(self.ids)
        self.ids.append(facts.id)
        self.partition.append(partition)
        self.last.append(0)
        self.state.append(0)
        self.facts.append(facts_fingerprint(facts))
        account = next(iter(facts.subscriber.values()), "")
        self.order.append(order_fingerprint(account, facts.amount, facts.currency))
        self.gateway.append(self.gateways.number(facts.gateway))
        self.currency.append(self.currencies.number(facts.currency))
        return number

    def state_of(self, number: int) -> str:
        return self.states.words[self.state[number]]


def order_fingerprint(account: str, amount: int, currency: str) -> int:
    """Of what a payee is asked to do: whom to credit, how much (minor units)."""
    return fingerprint(f"{account}\0{amount}\0{currency}".encode(errors="surrogateescape"))
