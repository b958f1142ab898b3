"""A two-phase payee in memory, which loses what it is told to lose: stands where a gateway's `Line` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.gateways.errors import NotSent, OutcomeUnknown
from agents.gateways.http import HttpReply

# What may happen to one exchange. Of the last three nothing is known afterwards; the last two were carried out.
FINE, NOT_SENT, LOST_REQUEST = "fine", "not sent", "lost request"
LOST_REPLY, FAILED_AFTER = "lost reply", "failed after"
MISHAPS = (FINE, NOT_SENT, LOST_REQUEST, LOST_REPLY, FAILED_AFTER)


@dataclass
class Booked:
    """A transaction in the payee's book. performed, cancelled: how often it came into that state."""

    amount: int
    state: int = 1
    performed: int = 0
    cancelled: int = 0


@dataclass
class MemoryPayee:
    """strict: a create of what is past being created is refused, as the protocol has it; else it tells the state.

    mishaps: what happens to the exchanges to come; then all is fine. refuses: the code of every new transaction.
    """

    strict: bool = True
    refuses: int = 0
    mishaps: list[str] = field(default_factory=list)
    book: dict[str, Booked] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    forgotten: int = 0

    async def post(
        self, body: bytes, content_type: str, path: str = "", headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        mishap = self.mishaps.pop(0) if self.mishaps else FINE
        if mishap == NOT_SENT:
            raise NotSent("connect", "no connection to the payee")
        if mishap == LOST_REQUEST:
            raise OutcomeUnknown("timeout", "no whole reply")
        asked = json.loads(body)
        self.asked.append(asked)
        said = getattr(self, asked["method"])(asked["params"])
        if mishap == LOST_REPLY:
            raise OutcomeUnknown("timeout", "no whole reply")
        if mishap == FAILED_AFTER:
            return HttpReply(500, "", b"internal error")
        return HttpReply(200, "utf-8", json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}).encode())

    def forget_credentials(self) -> None:
        self.forgotten += 1

    async def aclose(self) -> None:
        pass

    def methods(self) -> list[str]:
        return [asked["method"] for asked in self.asked]

    def CheckPerformTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        return _no(self.refuses) if self.refuses else {"result": {"allow": True}}

    def CreateTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.book.get(params["id"])
        if found is None:
            if self.refuses:
                return _no(self.refuses)
            found = self.book[params["id"]] = Booked(params["amount"])
        if self.strict and found.state != 1:
            return _no(-31008)
        return _yes(params, found)

    def PerformTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.book.get(params["id"])
        if found is None:
            return _no(-31003)
        if found.state < 0:
            return _no(-31008)
        found.performed += found.state == 1
        found.state = 2
        return _yes(params, found)

    def CheckTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.book.get(params["id"])
        return _no(-31003) if found is None else _yes(params, found)

    def CancelTransaction(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.book.get(params["id"])
        if found is None:
            return _no(-31003)
        if found.state > 0:
            found.state, found.cancelled = -found.state, found.cancelled + 1
        return _yes(params, found)

    def give_up(self, txns: Iterable[str]) -> None:
        """What was created and not performed in time is cancelled by the payee itself."""
        for txn in txns:
            if (found := self.book.get(txn)) is not None and found.state == 1:
                found.state = -1


def _yes(params: dict[str, Any], found: Booked) -> dict[str, Any]:
    return {"result": {"transaction": f"ref-{params['id']}", "state": found.state}}


def _no(code: int) -> dict[str, Any]:
    return {"error": {"code": code, "message": {"ru": "Отказ"}}}
