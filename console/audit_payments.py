"""The payments' courses, checked from the entries alone, with tables of our own. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from console.audit_change import ChangeAudit, due_to_payer, is_expiry, is_pay_out, is_reclaim, spent_wrongly
from console.audit_clearing import KINDS as CROSSINGS
from console.audit_clearing import wrong_crossing
from console.audit_evidence import UNSIGNED, doubt_of, is_by_hand
from console.audit_exchange import ExchangeAudit
from console.audit_index import Decisions, PaymentIndex, facts_fingerprint
from console.audit_ledger import LedgerAudit, where
from console.audit_report import Check
from console.audit_reversals import KINDS as REVERSAL_KINDS
from console.audit_reversals import ReversalAudit
from console.audit_routes import RouteAudit
from console.audit_vouchers import due_of_sale, wrong_stock_movement
from console.audit_waiting import WaitingAudit
from schemas.entry import Entry, EntryKind, PaymentFacts

# A payment's state ("": not known yet) -> the kinds of entry that may follow. DEFERRED and REROUTED leave it HELD,
# REVERSAL_REFUSED POSTED; those that are for ever have no row. UNKNOWN is VOIDED on the payment's status alone: after
# an unclear attempt a refusal may be the answer to the repeat only.
MAY_FOLLOW: dict[str, frozenset[str]] = {
    "": frozenset({"HELD", "DECLINED", "WAITING_FUNDS"}),
    "WAITING_FUNDS": frozenset({"HELD", "DECLINED"}),
    "HELD": frozenset({"DEFERRED", "REROUTED", "SENT", "UNKNOWN", "POSTED", "VOIDED", "MANUAL", "QUEUED"}),
    "SENT": frozenset({"DEFERRED", "UNKNOWN", "POSTED", "VOIDED", "MANUAL"}),
    "QUEUED": frozenset({"POSTED", "VOIDED"}),
    "UNKNOWN": frozenset({"UNKNOWN", "POSTED", "VOIDED", "MANUAL"}),
    "MANUAL": frozenset({"POSTED", "VOIDED"}),
    "POSTED": frozenset({"REVERSING"}),
    "REVERSING": frozenset({"REVERSING", "REVERSED", "REVERSAL_REFUSED", "REVERSAL_MANUAL"}),
    "REVERSAL_MANUAL": frozenset({"REVERSED", "REVERSAL_REFUSED"}),
}
_STANDS = {"DEFERRED": "HELD", "REROUTED": "HELD", "REVERSAL_REFUSED": "POSTED"}
_HOLDING = frozenset({"HELD", "QUEUED", "SENT", "UNKNOWN", "MANUAL"})
OPEN = _HOLDING | {"WAITING_FUNDS", "REVERSING", "REVERSAL_MANUAL"}
_NO_ROW: frozenset[str] = frozenset()
# What these may move is for windows.settled, ledger.exchanges, ledger.corrections, cash.collections, agents.fees and
# payments.reversals to say.
_FOR_OTHERS = REVERSAL_KINDS | {
    EntryKind.WINDOW_CLOSED, EntryKind.EXCHANGED, EntryKind.CORRECTED, EntryKind.CASH_COLLECTED, EntryKind.FEE_CHARGED,
}  # fmt: skip
_TXN_LIMIT = 10**20  # payees take 20 digits


class PaymentAudit:
    """Sees every entry once, each partition in its order. `index`, `payments` and `commands` are what it came to."""

    def __init__(self) -> None:
        self.index = PaymentIndex()
        self.payments = Decisions()
        self.commands = Decisions()
        self._held: dict[tuple[str, str, str], int] = defaultdict(int)
        self._path = Check("payments.path")
        self._evidence = Check("payments.evidence")
        self._facts = Check("payments.facts")
        self._numbers = Check("payments.numbers")
        self._waiting = WaitingAudit()
        self._change = ChangeAudit()
        self._exchanges = ExchangeAudit()
        self._reversals = ReversalAudit()
        self._routes = RouteAudit(self.index)
        self._movements = Check("ledger.movements")
        self._once = Check("decisions.once")

    def see(self, partition: int, offset: int, entry: Entry) -> None:
        self._movements.looked_at += 1
        if (wrong := _wrong_movement(entry)) is not None:
            self._movements.fail(f"{where(partition, offset, entry)}: {wrong}")
        self._change.see(partition, offset, entry)
        self._exchanges.see(partition, offset, entry)
        self._reversals.terms(entry)
        facts = entry.payment
        if entry.cause.by not in UNSIGNED:
            self._decide(partition, offset, entry)
        if facts is not None:
            self._follow(partition, offset, entry, facts)
        elif entry.kind in (EntryKind.TRANSFERRED, EntryKind.WITHDRAWN, EntryKind.EXCHANGED, EntryKind.TRANSFER_SENT):
            self._waiting.give(partition, offset, entry)
        elif entry.kind.value in MAY_FOLLOW["HELD"] | MAY_FOLLOW[""] | MAY_FOLLOW["REVERSING"]:
            self._path.fail(f"{where(partition, offset, entry)}: names no payment")

    def checks(self, ledger: LedgerAudit) -> list[Check]:
        found = [
            self._movements,
            self._change.check,
            self._exchanges.check,
            self._path,
            self._evidence,
            self._facts,
            self._waiting.check,
            self._reversals.check,
            self._routes.check,
            self._numbers,
        ]
        return [*found, self._holds(ledger), self._once]

    def _decide(self, partition: int, offset: int, entry: Entry) -> None:
        """Payment orders are known by their id alone, commands within their book."""
        self._once.looked_at += 1
        cause = entry.cause
        is_order = entry.kind.value in MAY_FOLLOW[""] and not is_by_hand(entry)
        decisions = self.payments if is_order else self.commands
        key = cause.id if is_order else command_key(entry.book, cause.id)
        if decisions.add(key, cause.digest, partition, offset) is None:
            number = decisions.numbers[key]
            before = f"partition {decisions.partition[number]} offset {decisions.offset[number]}"
            what = "payment" if is_order else "command"
            self._once.fail(f"{where(partition, offset, entry)}: {what} {cause.id} was decided at {before}")

    def _follow(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts) -> None:
        index = self.index
        self._path.looked_at += 1
        number, kind, state = index.numbers.get(facts.id), entry.kind.value, ""
        if number is None:
            number = index.add(partition, facts)
            self._number_once(partition, offset, entry, facts, number)
        else:
            state = index.state_of(number)
            if state == "WAITING_FUNDS" and kind == "HELD":
                self._take_up(partition, offset, entry, facts, number)
            else:
                self._compare_facts(partition, offset, entry, facts, number)
        if kind not in MAY_FOLLOW.get(state, _NO_ROW):
            self._path.fail(f"{where(partition, offset, entry)}: payment {facts.id} was {state or 'not known'}")
        self._evidence.looked_at += 1
        if (doubt := doubt_of(entry, facts, state)) is not None:
            self._evidence.fail(f"{where(partition, offset, entry)}: payment {facts.id} {doubt}")
        after = _STANDS.get(kind, kind)
        self._reversals.see(partition, offset, entry, facts, number, state)
        self._routes.see(partition, offset, entry, facts, number, state)
        self._waiting.see(partition, offset, entry, facts)
        self._keep_held(entry, facts, state in _HOLDING, after in _HOLDING)
        index.state[number] = index.states.number(after)
        index.last[number] = offset

    def _number_once(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts, number: int) -> None:
        """Only what was held has a number at the payee."""
        self._numbers.looked_at += 1
        if entry.kind is EntryKind.DECLINED or entry.kind is EntryKind.WAITING_FUNDS:
            if facts.txn:
                self._numbers.fail(f"{where(partition, offset, entry)}: payment {facts.id} has number {facts.txn}")
            return
        if not 0 < facts.txn < _TXN_LIMIT:
            self._numbers.fail(f"{where(partition, offset, entry)}: payment {facts.id} has number {facts.txn}")
            return
        first = self.index.by_txn.setdefault(facts.txn, number)
        if first != number:
            self._numbers.fail(
                f"{where(partition, offset, entry)}: payment {facts.id} has number {facts.txn}, "
                f"which is payment {self.index.ids[first]}'s"
            )

    def _take_up(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts, number: int) -> None:
        """Its money came: number at the payee, time, day and agents it counts for are new, and no other fact."""
        if facts.held_at != entry.at:
            self._facts.fail(
                f"{where(partition, offset, entry)}: payment {facts.id} says it was held at {facts.held_at}"
            )
        self._number_once(partition, offset, entry, facts, number)
        self._compare_facts(partition, offset, entry, replace(facts, txn=0, day="", chain=()), number)
        self.index.facts[number] = facts_fingerprint(facts)

    def _compare_facts(self, partition: int, offset: int, entry: Entry, facts: PaymentFacts, number: int) -> None:
        self._facts.looked_at += 1
        if facts_fingerprint(facts) != self.index.facts[number]:
            self._facts.fail(f"{where(partition, offset, entry)}: facts of payment {facts.id} differ from its first")

    def _keep_held(self, entry: Entry, facts: PaymentFacts, was_open: bool, is_open: bool) -> None:
        if was_open != is_open:
            key = (entry.book, facts.payer_agent, facts.currency)
            self._held[key] += facts.held if is_open else -facts.held

    def _holds(self, ledger: LedgerAudit) -> Check:
        check = Check("payments.holds")
        on_accounts = {(book, agent, currency): total for book, agent, currency, total in ledger.hold_accounts()}
        for key in sorted(on_accounts.keys() | self._held.keys()):
            check.looked_at += 1
            has, should = on_accounts.get(key, 0), self._held.get(key, 0)
            if has != should:
                book, agent, currency = key
                check.fail(f"book {book}: account hold:{agent} has {has} {currency}, its open payments hold {should}")
        return check


def command_key(book: str, command: str) -> str:
    """The same id in another book is another command. Neither has a space in it."""
    return f"{book} {command}"


def _wrong_movement(entry: Entry) -> str | None:
    """What is wrong with the accounts and amounts of the legs, if anything. Credit positive, minor units."""
    facts, kind = entry.payment, entry.kind
    moved = [(leg.account, leg.amount) for leg in entry.legs]
    if kind is EntryKind.DEPOSITED:
        return None if _is_deposit(moved) else f"a deposit moved {moved}"
    if kind is EntryKind.CHANGE_PAID_OUT:
        return None if is_pay_out(moved) else f"a pay-out of change moved {moved}"
    if kind is EntryKind.CHANGE_EXPIRED:
        return None if is_expiry(moved) else f"expiry of change moved {moved}"
    if kind is EntryKind.CHANGE_RECLAIMED:
        return None if is_reclaim(moved) else f"a reclaim of change moved {moved}"
    if kind in _FOR_OTHERS:
        return None
    if kind is EntryKind.VOUCHER_BATCH_OPENED or kind is EntryKind.SUPPLIER_PAID:
        return wrong_stock_movement(entry, moved)
    if kind in (EntryKind.TRANSFERRED, EntryKind.WITHDRAWN):
        return None if _is_given(kind, moved) else f"{kind} moved {moved}"
    if kind in CROSSINGS:
        return wrong_crossing(entry, moved)
    if facts is None:
        return f"nothing to move, moved {moved}" if moved else None
    is_refused = kind is EntryKind.DECLINED or (kind is EntryKind.WAITING_FUNDS and not facts.held)
    if not is_refused and facts.held != facts.amount + facts.processing:
        return f"payment {facts.id} holds {facts.held} for {facts.amount} and {facts.processing}"
    if (wrong := spent_wrongly(kind, facts)) is not None:
        return f"payment {facts.id} {wrong}"
    note = entry.voucher if kind is EntryKind.POSTED else None
    moves = due_of_sale(facts, note) if note is not None else _due(kind, facts)
    due = [line for line in [*moves, *due_to_payer(kind, facts, moved)] if line[1]]
    if moved != due and sorted(moved) != sorted(due):  # in which order is not ours to say
        return f"payment {facts.id} should move {due}, moved {moved}"
    for leg in entry.legs:
        if leg.currency != facts.currency:
            return f"payment {facts.id} is in {facts.currency}, moved {leg.currency}"
    return None


def _is_deposit(moved: list[tuple[str, int]]) -> bool:
    match sorted(moved):
        case [(agent, amount), ("bank", taken)]:
            return agent.startswith("agent:") and amount > 0 and taken == -amount
    return False


def _is_given(kind: EntryKind, moved: list[tuple[str, int]]) -> bool:
    match sorted(moved, key=lambda line: line[1]):
        case [(giver, given), (taker, taken)]:
            to_the_right = taker == "bank" if kind is EntryKind.WITHDRAWN else taker.startswith("agent:")
            return giver.startswith("agent:") and to_the_right and giver != taker and given == -taken < 0
    return False


def _due(kind: EntryKind, facts: PaymentFacts) -> list[tuple[str, int]]:
    money, hold, payee = f"agent:{facts.payer_agent}", f"hold:{facts.payer_agent}", f"payee:{facts.payee}"
    if kind is EntryKind.HELD:
        spent = sum(amount for _, amount in facts.spent)
        taken = [(f"change:{mark}", -amount) for mark, amount in facts.spent]
        return [*taken, (money, spent - facts.held), (hold, facts.held)]
    if kind is EntryKind.VOIDED:
        return [(hold, -facts.held), (money, facts.held)]
    if kind is not EntryKind.POSTED:
        return []
    shared = sum(share for _, share in facts.rewards)
    return [
        (hold, -facts.held), (payee, facts.amount), ("fee", facts.processing), (payee, -shared), *facts.rewards
    ]  # fmt: skip
