"""The payees' own books, line by line against the ledger: POSTED is paid there once, VOIDED and DECLINED are not, and

what is REVERSED was given back.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from urllib.parse import urlsplit

from console.audit_index import Words, order_fingerprint
from console.audit_payee import PaidThere
from schemas.entry import Entry, EntryKind
from schemas.money import Money, MoneyError
from tests.chaos.findings import PAYEE, Findings
from tests.chaos.known import DirectoryPast

_POSTED, _VOIDED, _REVERSED = EntryKind.POSTED.value, EntryKind.VOIDED.value, EntryKind.REVERSED.value
_KEPT = (_POSTED, EntryKind.REVERSAL_REFUSED.value)


class SoldThere:
    """Every payment that was ever held, by its number at the payee. Feed it all entries, then compare."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._ids: list[str] = []
        self._order = array("Q")
        self._gateway = array("H")
        self._state = bytearray()
        self._currency = array("H")
        self._words = Words()

    def see(self, entry: Entry) -> None:
        facts = entry.payment
        if facts is None or not facts.txn:
            return
        number = self._numbers.get(facts.txn)
        if number is None:
            number = self._numbers[facts.txn] = len(self._ids)
            self._ids.append(facts.id)
            account = next(iter(facts.subscriber.values()), "")
            self._order.append(order_fingerprint(account, facts.amount, facts.currency))
            self._gateway.append(self._words.number(facts.gateway))
            self._currency.append(self._words.number(facts.currency))
            self._state.append(0)
        self._state[number] = self._words.number(entry.kind.value)

    def compare(self, books: Iterable[PaidThere], known: DirectoryPast, wrong: Findings) -> None:
        """books: everything every payee was paid. A payee is told by the path of its gateway's address alone, since

        between worker and payee there may be a proxy.
        """
        met = bytearray(len(self._ids))
        for paid in books:
            place = f"payee {paid.book} number {paid.txn}"
            number = self._numbers.get(paid.txn)
            if number is None:
                wrong.add(PAYEE, f"{place}: paid {paid.sum}, and the ledger knows no such payment")
                continue
            payment = f"payment {self._ids[number]}"
            if met[number]:
                wrong.add(PAYEE, f"{place}: {payment} was paid twice")
            met[number] = 1
            gateway, state = self._words.words[self._gateway[number]], self._words.words[self._state[number]]
            if paid.book not in {urlsplit(url).path.strip("/") for url in known.addresses(gateway)}:
                wrong.add(PAYEE, f"{place}: {payment} goes by gateway {gateway}, not here")
            if self._paid_order(paid, number) != self._order[number]:
                wrong.add(PAYEE, f"{place}: {payment} was paid with another subscriber or sum ({paid.sum})")
            if (state in _KEPT and paid.cancelled_at) or (state == _REVERSED and not paid.cancelled_at):
                wrong.add(PAYEE, f"{place}: {payment} is {state}, and was given back at {paid.cancelled_at}")
            if state == _VOIDED:
                wrong.add(PAYEE, f"{place}: {payment} was paid {paid.sum}, and the ledger has it {state}")
        for number, id in enumerate(self._ids):
            state = self._words.words[self._state[number]]
            if not met[number] and state in (*_KEPT, _REVERSED):
                wrong.add(PAYEE, f"payment {id} is {state}, and the payee was never paid")

    def _paid_order(self, paid: PaidThere, number: int) -> int:
        currency = self._words.words[self._currency[number]]
        try:
            return order_fingerprint(paid.account, Money.parse(paid.sum, currency).minor, currency)
        except MoneyError:
            return -1
