"""The payees' own books, line by line against the ledger: POSTED is paid there once, VOIDED and DECLINED are not, and

what is REVERSED was given back. And whom workers asked for a payment's money: one gateway, whatever became of it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from console.audit_index import Words, order_fingerprint
from console.audit_payee import PaidThere
from schemas.entry import Entry, EntryKind
from schemas.money import Money, MoneyError
from tests.chaos.findings import DOUBLED, PAYEE, Findings
from tests.chaos.known import DirectoryPast

_POSTED, _VOIDED, _REVERSED = EntryKind.POSTED.value, EntryKind.VOIDED.value, EntryKind.REVERSED.value
_KEPT = (_POSTED, EntryKind.REVERSAL_REFUSED.value)


class SoldThere:
    """Every payment that was ever held for a payee that is asked, by its number. Feed it all entries, then compare.

    moved: how often one was given to another gateway.
    """

    def __init__(self) -> None:
        self.moved = 0
        self._numbers: dict[int, int] = {}
        self._ids: list[str] = []
        self._order = array("Q")
        self._gateway = array("H")
        self._state = bytearray()
        self._currency = array("H")
        self._words = Words()

    def see(self, entry: Entry) -> None:
        facts = entry.payment
        if facts is None or not facts.txn or facts.served:
            return
        self.moved += entry.kind is EntryKind.REROUTED
        number = self._numbers.get(facts.txn)
        if number is None:
            number = self._numbers[facts.txn] = len(self._ids)
            self._ids.append(facts.id)
            account = next(iter(facts.subscriber.values()), "")
            self._order.append(order_fingerprint(account, facts.amount, facts.currency))
            self._gateway.append(0)
            self._currency.append(self._words.number(facts.currency))
            self._state.append(0)
        self._gateway[number] = self._words.number(facts.gateway)
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
            if paid.book not in _books_of(gateway, known):
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

    def compare_asked(self, asked: Mapping[int, list[str]], known: DirectoryPast, wrong: Findings) -> None:
        """asked: number -> the payees that money was asked for under it, in every request that left a worker."""
        for txn, payees in asked.items():
            number = self._numbers.get(txn)
            if number is None:
                wrong.add(PAYEE, f"{payees[0]} was asked for money under {txn}, and the ledger knows no such payment")
                continue
            payment, gateway = f"payment {self._ids[number]}", self._words.words[self._gateway[number]]
            if len(payees) > 1:
                wrong.add(DOUBLED, f"money was asked for {payment} at {' and at '.join(payees)}")
            elif payees[0] not in _books_of(gateway, known):
                wrong.add(PAYEE, f"money was asked for {payment} at {payees[0]}, and it goes by gateway {gateway}")
        for txn, number in self._numbers.items():
            if self._words.words[self._state[number]] in (*_KEPT, _REVERSED) and txn not in asked:
                wrong.add(PAYEE, f"payment {self._ids[number]} is paid, and nobody was heard to ask for it")

    def _paid_order(self, paid: PaidThere, number: int) -> int:
        currency = self._words.words[self._currency[number]]
        try:
            return order_fingerprint(paid.account, Money.parse(paid.sum, currency).minor, currency)
        except MoneyError:
            return -1


def _books_of(gateway: str, known: DirectoryPast) -> set[str]:
    return {urlsplit(url).path.strip("/") for url in known.addresses(gateway)}
