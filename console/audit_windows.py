"""Settlement windows, checked from the entries alone: they go on from each other, pay what is due, miss nothing. Pure.

None of the core's rules is used: what stands on an account is what the audit added up itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from schemas.entry import Entry, EntryKind
from schemas.window import ALL_CHANGE, Window, WindowPosition

Subject = tuple[str, str]  # book, payee's id or "" for the tree
Account = tuple[str, str]  # account, currency


@dataclass(slots=True)
class _Last:
    """The newest closed window of a subject. ends: by account, the last leg's number and the balance at its closing."""

    number: int = 0
    entry: int = 0
    closed_at: int = 0
    ends: dict[Account, tuple[int, int]] = field(default_factory=dict)


class WindowAudit:
    """Sees every entry once, each partition in its order, after `ledger` has seen it."""

    def __init__(self, ledger: LedgerAudit) -> None:
        self._ledger = ledger
        self._last: dict[Subject, _Last] = defaultdict(_Last)
        self._accounts: dict[str, set[Account]] = defaultdict(set)  # by book, those that ever moved
        self._posted: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])  # book, payee, currency
        self._chain = Check("windows.chain")
        self._complete = Check("windows.complete")
        self._settled = Check("windows.settled")
        self._zero = Check("windows.zero")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        for leg in entry.legs:
            self._accounts[entry.book].add((leg.account, leg.currency))
            if leg.account.startswith("payee:"):
                moved = self._posted[entry.book, leg.account.removeprefix("payee:"), leg.currency]
                moved[0] += 1
                moved[1] += leg.amount
        at = where(partition, offset, entry)
        if entry.window is None:
            if entry.kind is EntryKind.WINDOW_CLOSED:
                self._chain.fail(f"{at}: names no window")
            return
        self._close(at, entry, entry.window)

    def checks(self) -> list[Check]:
        return [self._chain, self._complete, self._settled, self._zero]

    def _close(self, at: str, entry: Entry, window: Window) -> None:
        last = self._last[entry.book, window.subject]
        whose = f"{at}: window {window.number} of {window.subject or 'the tree'}"
        for wrong in (*_breaks(entry, window, last), *_position_breaks(window, last)):
            self._chain.fail(f"{whose}: {wrong}")
        self._chain.looked_at += 1 + len(window.positions)
        self._look_for_all(whose, entry.book, window)
        self._look_at_settlement(whose, entry, window)
        if window.subject:
            self._look_at_postings(whose, entry.book, window)
        else:
            self._add_up(whose, window)
        last.number, last.entry, last.closed_at = window.number, entry.seq, window.closed_at
        last.ends |= {(one.account, one.currency): (one.last, one.closing) for one in window.positions}

    def _look_for_all(self, whose: str, book: str, window: Window) -> None:
        """Every account of the subject that stands elsewhere than at the closing before is in it, as it stands."""
        ends = self._last[book, window.subject].ends
        there = {(one.account, one.currency): one for one in window.positions}
        for key, stands in sorted(self._standing(book, window.subject).items()):
            self._complete.looked_at += 1
            position, before = there.pop(key, None), ends.get(key, (0, 0))
            if position is None and (stands != before or stands[1]):
                self._complete.fail(f"{whose}: account {key[0]} {key[1]} is missing")
            elif position is not None and (position.last, position.closing) != stands:
                self._complete.fail(
                    f"{whose}: account {key[0]} {key[1]} is closed at leg {position.last} with {position.closing}, "
                    f"it stands at {stands[0]} with {stands[1]}"
                )
        for account, currency in there:
            self._complete.fail(f"{whose}: account {account} {currency} is not one of its own")

    def _standing(self, book: str, payee: str) -> dict[Account, tuple[int, int]]:
        """Last leg and balance of the subject's accounts; all payers' change is one, with all its legs."""
        found: dict[Account, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for name, currency in self._accounts[book]:
            if payee and name != f"payee:{payee}":
                continue
            statement = self._ledger.statements[book, name, currency]
            key = (ALL_CHANGE if name.startswith("change:") else name, currency)
            found[key] = found[key][0] + statement.seq, found[key][1] + statement.total
        return found

    def _look_at_settlement(self, whose: str, entry: Entry, window: Window) -> None:
        """A payee is paid what it had, in one leg against the bank; nobody else is paid by a closing."""
        self._settled.looked_at += 1
        due: list[tuple[str, str, int]] = []
        for one in window.positions:
            had = one.closing + one.settled
            should = had if window.subject and had > 0 else 0
            if one.settled != should:
                self._settled.fail(f"{whose}: {one.settled} {one.currency} is paid out of {had}")
            if should:
                due += [(one.account, one.currency, -should), ("bank", one.currency, should)]
        moved = [(leg.account, leg.currency, leg.amount) for leg in entry.legs]
        if sorted(moved) != sorted(due):
            self._settled.fail(f"{whose}: should move {due}, moved {moved}")

    def _look_at_postings(self, whose: str, book: str, window: Window) -> None:
        """All that was posted to the payee since its last closing is in this window, each leg once."""
        for one in window.positions:
            self._complete.looked_at += 1
            legs, amount = self._posted.pop((book, window.subject, one.currency), [0, 0])
            if (one.last - one.first + 1, one.closing - one.opening) != (legs, amount):
                self._complete.fail(
                    f"{whose}: has {one.last - one.first + 1} legs of {one.closing - one.opening} {one.currency}, "
                    f"{legs} of {amount} were posted since the closing before"
                )

    def _add_up(self, whose: str, window: Window) -> None:
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for one in window.positions:
            sums[one.currency][0] += one.opening
            sums[one.currency][1] += one.closing
        for currency, (opening, closing) in sums.items():
            self._zero.looked_at += 1
            if opening or closing:
                self._zero.fail(f"{whose}: positions in {currency} open with {opening} and close with {closing}")


def _breaks(entry: Entry, window: Window, last: _Last) -> list[str]:
    should = {
        "number": last.number + 1,
        "first_entry": last.entry + 1,
        "last_entry": entry.seq,
        "opened_at": last.closed_at,
        "closed_at": entry.at,
    }
    return [
        f"{name} is {getattr(window, name)}, should be {value}"
        for name, value in should.items()
        if getattr(window, name) != value
    ]


def _position_breaks(window: Window, last: _Last) -> list[str]:
    found, seen = list[str](), set[Account]()
    for one in window.positions:
        key = (one.account, one.currency)
        if key in seen:
            found.append(f"account {' '.join(key)} is in it twice")
        seen.add(key)
        found += _gap(one, *last.ends.get(key, (0, 0)))
    return found


def _gap(one: WindowPosition, leg: int, balance: int) -> list[str]:
    if (one.first, one.opening) == (leg + 1, balance):
        return []
    return [
        f"account {one.account} {one.currency} opens at leg {one.first} with {one.opening}, "
        f"the window before ended at leg {leg} with {balance}"
    ]
