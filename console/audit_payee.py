"""The simulated payees' own books against the ledger: who posted a payment must have paid it, once, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import orjson

from console.audit_index import PaymentIndex, order_fingerprint
from console.audit_report import Check
from console.errors import KassaError
from schemas.entry import Entry, EntryKind
from schemas.money import Money, MoneyError

_ANSWER_S = 60.0
_SAME_HOST = {"localhost": "127.0.0.1"}
_POSTED, _REVERSED = EntryKind.POSTED.value, EntryKind.REVERSED.value
_OPEN = (EntryKind.HELD.value, EntryKind.SENT.value, EntryKind.UNKNOWN.value, EntryKind.MANUAL.value)
_REVERSING = (EntryKind.REVERSING.value, EntryKind.REVERSAL_MANUAL.value)  # paid, and given back or not


class NoSimulator(KassaError):
    """The simulator does not answer, or not as one."""


class PaidThere(NamedTuple):
    """A line of a payee's book. book: the payee's name there. sum: major units as asked. paid_at: ms UTC.

    cancelled_at: when it was given back, ms UTC; 0: it was not.
    """

    book: str
    txn: int
    account: str
    sum: str
    paid_at: int
    cancelled_at: int = 0


def books(url: str) -> Iterator[PaidThere]:
    """Everything every payee of the simulator was paid, page by page. Raises NoSimulator."""
    # Plain HTTP on this machine: no authorities to load, which takes longer than the call.
    with httpx.Client(trust_env=False, verify=False, timeout=_ANSWER_S) as client:
        for book in _get(client, f"{url.rstrip('/')}/book"):
            start: int | None = 0
            while start is not None:
                page = _get(client, f"{url.rstrip('/')}/book/{book}?from={start}")
                for row in page["paid"]:
                    yield PaidThere(
                        book, int(row["txn"]), row["account"], row["sum"], row["paid_at"], row["cancelled_at"]
                    )
                start = page["next"]


class GatewayAddresses:
    """Where each gateway ever was, from the ledger's directory entries."""

    def __init__(self) -> None:
        self._urls: dict[str, set[str]] = {}

    def see(self, entry: Entry) -> None:
        record = entry.record
        if record is not None and record.table == "gateways":
            self._urls.setdefault(record.id, set()).add(str(record.value.get("url", "")))

    def at(self, simulator: str) -> dict[str, set[str]]:
        """Gateway -> the simulator's books it leads to, for the gateways that lead there."""
        place = _place(simulator)
        found: dict[str, set[str]] = {}
        for gateway, urls in self._urls.items():
            there = {urlsplit(url).path.strip("/") for url in urls if place is not None and _place(url) == place}
            if there:
                found[gateway] = there
        return found


class PayeeAudit:
    """The two checks. `began_at`: before the ledger was read, ms UTC; what was paid later may be unknown to it."""

    def __init__(self, index: PaymentIndex, gateways: dict[str, set[str]], began_at: int) -> None:
        self._index = index
        self._gateways = gateways
        self._began_at = began_at
        self._met: dict[int, str] = {}  # number of the payment -> the book that has it
        self._later = 0
        self._posted = Check("payee.posted")
        self._paid = Check("payee.paid")

    def see(self, paid: PaidThere) -> None:
        self._paid.looked_at += 1
        place = f"payee {paid.book} number {paid.txn}"
        number = self._index.by_txn.get(paid.txn)
        if number is None:
            if paid.paid_at >= self._began_at:
                self._later += 1
            else:
                self._paid.fail(f"{place}: paid {paid.sum}, and the ledger knows no such payment")
            return
        payment, state = self._index.ids[number], self._index.state_of(number)
        if (before := self._met.setdefault(number, paid.book)) != paid.book:
            self._posted.fail(f"{place}: payment {payment} was paid at {before} too")
        if paid.book not in self._gateways.get(self._gateway(number), ()):
            self._posted.fail(f"{place}: payment {payment} goes by gateway {self._gateway(number)}, not here")
        if self._order(paid, number) != self._index.order[number]:
            self._posted.fail(f"{place}: payment {payment} was paid with another subscriber or sum ({paid.sum})")
        if state == _POSTED and paid.cancelled_at:
            self._posted.fail(f"{place}: payment {payment} was given back, and the ledger has it {state}")
        if state == _REVERSED and not paid.cancelled_at:
            self._paid.fail(f"{place}: payment {payment} was not given back, and the ledger has it {state}")
        elif state not in (_POSTED, _REVERSED, *_OPEN, *_REVERSING):
            self._paid.fail(f"{place}: payment {payment} was paid {paid.sum}, and the ledger has it {state}")

    def checks(self) -> list[Check]:
        """After every book was read."""
        still_open = 0
        for number, payment in enumerate(self._index.ids):
            if self._gateway(number) not in self._gateways:
                continue
            state = self._index.state_of(number)
            still_open += state in _OPEN or state in _REVERSING
            if state in (_POSTED, _REVERSED, *_REVERSING):
                self._posted.looked_at += 1
                if number not in self._met:
                    self._posted.fail(
                        f"partition {self._index.partition[number]} offset {self._index.last[number]}: payment "
                        f"{payment} is {state}, and the payee was never paid"
                    )
        self._posted.note = f"{still_open} still open" if still_open else ""
        self._paid.note = f"{self._later} since the audit began" if self._later else ""
        return [self._posted, self._paid]

    def _gateway(self, number: int) -> str:
        return self._index.gateways.words[self._index.gateway[number]]

    def _order(self, paid: PaidThere, number: int) -> int:
        currency = self._index.currencies.words[self._index.currency[number]]
        try:
            amount = Money.parse(paid.sum, currency).minor
        except MoneyError:
            return -1
        return order_fingerprint(paid.account, amount, currency)


def _place(url: str) -> tuple[str, str, int | None] | None:
    """None: an address that nobody can be asked under, which a record may have."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme, _SAME_HOST.get(host, host), parts.port
    except ValueError:
        return None


def _get(client: httpx.Client, url: str) -> Any:
    try:
        return orjson.loads(client.get(url).raise_for_status().content)
    except (httpx.HTTPError, httpx.InvalidURL, orjson.JSONDecodeError) as error:
        raise NoSimulator(f"no simulator answers at {url}: {error}") from error
