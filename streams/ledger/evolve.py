"""The fold: one entry changes the state, or proves that the log is broken."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from schemas.change import CHANGE
from schemas.entry import STANDS, AgentTerms, DirectoryRecord, Entry, EntryKind, Leg, PaymentFacts
from schemas.outcome import Verdict
from schemas.reversal import Posted
from streams.ledger.answered import CommandState
from streams.ledger.cash import fold_cash, fold_collection
from streams.ledger.change import kept_after
from streams.ledger.charges import fold_charge
from streams.ledger.corrections import fold_correction
from streams.ledger.crossings import fold_crossing
from streams.ledger.errors import LedgerCorrupt
from streams.ledger.origins import UNSIGNED
from streams.ledger.payments import PaymentState
from streams.ledger.registry_fold import fold_registry
from streams.ledger.rerouting import is_moved_on
from streams.ledger.spending import count, give_back
from streams.ledger.standing import CLOSED
from streams.ledger.state import Book, State
from streams.ledger.stock_fold import fold_voucher
from streams.ledger.windows import fold_window

# By which a payment order is answered. A hold may also come later, when its money does.
_TAKEN_IN = (EntryKind.HELD, EntryKind.DECLINED, EntryKind.WAITING_FUNDS)
_REVERSAL_ENDS = {EntryKind.REVERSED, EntryKind.REVERSAL_REFUSED}
_REVERSAL = {*_REVERSAL_ENDS, EntryKind.REVERSING, EntryKind.REVERSAL_MANUAL}
_ANSWERED = {EntryKind.UNKNOWN, EntryKind.POSTED, EntryKind.VOIDED, EntryKind.MANUAL}

# From a payment's state (None: not known yet) to the kinds of entry that may follow.
MAY_FOLLOW: dict[EntryKind | None, set[EntryKind]] = {
    None: {EntryKind.HELD, EntryKind.DECLINED, EntryKind.WAITING_FUNDS},
    EntryKind.WAITING_FUNDS: {EntryKind.HELD, EntryKind.DECLINED},
    EntryKind.HELD: {*_ANSWERED, EntryKind.DEFERRED, EntryKind.REROUTED, EntryKind.SENT, EntryKind.QUEUED},
    EntryKind.SENT: {*_ANSWERED, EntryKind.DEFERRED},
    EntryKind.QUEUED: {EntryKind.POSTED, EntryKind.VOIDED},
    EntryKind.UNKNOWN: _ANSWERED,
    EntryKind.MANUAL: {EntryKind.POSTED, EntryKind.VOIDED},
    EntryKind.POSTED: {EntryKind.REVERSING},
    EntryKind.REVERSING: _REVERSAL,
    EntryKind.REVERSAL_MANUAL: _REVERSAL_ENDS,
}


def evolve(state: State, entry: Entry) -> State:
    """Fold one entry in and return the same State.

    It changes the State it is given: a copy of a million payments for each entry would not do. Raises LedgerCorrupt
    when the entry does not continue the log: its number, an account's statement, the sum of its legs, a payment's
    course. The State is then half changed and must be thrown away.
    """
    book = state.books.get(entry.book)
    if book is None:
        book = state.books[entry.book] = Book(entry.book)
    if entry.seq != book.seq + 1:
        raise LedgerCorrupt(f"book {book.id}: entry {entry.seq} follows entry {book.seq}")
    book.seq = entry.seq
    if entry.legs:
        _move(book, entry)
    if entry.payment is not None:
        _follow(state, book, entry)
    if entry.agent is not None:
        _set_agent(book, entry, entry.agent)
    if entry.record is not None:
        _set_record(book, entry.record)
    if entry.window is not None:
        fold_window(book, entry, entry.window)
    if entry.crossing is not None:
        fold_crossing(state, book, entry, entry.crossing)
    if entry.cash is not None:
        fold_collection(book, entry, entry.cash)
    if entry.charge is not None:
        fold_charge(book, entry, entry.charge)
    if entry.change is not None:
        book.change.note(entry, entry.change)
    if entry.correction is not None:
        fold_correction(book, entry, entry.correction)
    if entry.voucher is not None:
        fold_voucher(book, entry, entry.voucher)
    if entry.registry is not None:
        fold_registry(book, entry, entry.registry)
    if answers_command(entry):
        _remember(state, book, entry)
    return state


def answers_command(entry: Entry) -> bool:
    """Was it an operator's command (not a payment order, a gateway, a timer or money) that the entry answers?"""
    if entry.cause.by in UNSIGNED:
        return False
    return entry.kind not in _TAKEN_IN or (entry.payment is not None and entry.cause.id != entry.payment.id)


def _move(book: Book, entry: Entry) -> None:
    sums: dict[str, int] = {}
    for leg in entry.legs:
        account = book.account(leg.account, leg.currency)
        if leg.seq != account.seq + 1 or leg.balance != account.balance + leg.amount:
            raise LedgerCorrupt(_broken_chain(entry, leg, account.seq, account.balance))
        account.seq = leg.seq
        account.balance = leg.balance
        if leg.account.startswith(CHANGE):
            book.change.fold(entry, leg)
        sums[leg.currency] = sums.get(leg.currency, 0) + leg.amount
    if any(sums.values()):
        raise LedgerCorrupt(f"book {entry.book} entry {entry.seq}: legs do not sum to zero: {sums}")


def _broken_chain(entry: Entry, leg: Leg, seq: int, balance: int) -> str:
    return (
        f"book {entry.book} entry {entry.seq}: account {leg.account} {leg.currency} stands at leg {seq}, "
        f"balance {balance}; leg {leg.seq} of {leg.amount} to balance {leg.balance} does not continue it"
    )


def _follow(state: State, book: Book, entry: Entry) -> None:
    """Take a payment to the state the entry gives it."""
    assert entry.payment is not None
    payment = state.payments.find(entry.payment.id)
    if entry.kind not in MAY_FOLLOW.get(payment.state if payment is not None else None, ()):
        was = payment.state if payment is not None else "not known"
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: payment {entry.payment.id} is {was}, not {entry.kind}")
    if payment is not None:
        _check_answer(book, payment.state, entry)
    if payment is None:
        payment = _take_in(state, book, entry)
    elif payment.book != book.id:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: payment {payment.id} is in book {payment.book}")
    else:
        state.let_go(payment)
        if entry.kind is EntryKind.HELD:
            _give_number(state, entry.payment)
            if replace(entry.payment, txn=0, held_at=0, day="", chain=()) != payment.facts:
                raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: facts of payment {payment.id} changed")
            payment.facts, payment.txn = entry.payment, entry.payment.txn
        elif entry.kind is EntryKind.REROUTED:
            _reroute(book, payment, entry)
    payment.state = STANDS.get(entry.kind, entry.kind)
    payment.at = entry.at
    payment.refusal = entry.refusal
    payment.reason = entry.reason
    payment.tries = entry.tries
    payment.deferrals = entry.deferrals
    payment.due_at = entry.due_at
    payment.kept = kept_after(entry)
    _remember_posting(book, payment, entry)
    state.keep(payment)
    fold_cash(book, entry, entry.payment)
    if entry.kind is EntryKind.HELD:
        count(book, entry.payment)
    elif entry.kind in (EntryKind.VOIDED, EntryKind.REVERSED):
        give_back(book, entry.payment)


def _reroute(book: Book, payment: PaymentState, entry: Entry) -> None:
    """Another gateway after something may have been sent is a second payment of the same money."""
    assert payment.facts is not None
    if payment.tries or not is_moved_on(entry, payment.facts):
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: payment {payment.id} may not be REROUTED so")
    payment.facts = entry.payment


def _check_answer(book: Book, state: EntryKind, entry: Entry) -> None:
    """After an unclear attempt a refusal may be the answer to the repeat only: the payment's own status is believed.

    And what was SENT is as if it had not been only where its one request is known not to have left.
    """
    outcome = entry.outcome
    is_status, is_unsent = False, False
    if outcome is not None:
        is_status = outcome.step == "status"
        is_unsent = (outcome.step, outcome.verdict) == ("pay", Verdict.NOT_SENT)
    if state is EntryKind.UNKNOWN and entry.kind is EntryKind.VOIDED and not is_status:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: an unclear payment is VOIDED without its status")
    if state is EntryKind.SENT and entry.kind is EntryKind.DEFERRED and not is_unsent:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: a payment that was SENT is DEFERRED")


def _remember_posting(book: Book, payment: PaymentState, entry: Entry) -> None:
    """What a reversal needs to know is remembered from the posting to the reversal's end, and says so in between."""
    if entry.kind is EntryKind.POSTED:
        note = entry.voucher
        voucher = (note.batch, note.serial, note.kid, note.pin) if note is not None else ()
        provider_ref = entry.outcome.provider_ref if entry.outcome is not None else ""
        payment.posted = Posted(entry.at, provider_ref, voucher=voucher)
    elif entry.kind in _REVERSAL:
        was, now = payment.posted, entry.posted
        if was is None or now is None or not now.refund or replace(was, refund=was.refund or now.refund) != now:
            raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: payment {payment.id} was not posted so")
        if entry.payment != payment.facts:
            raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: facts of payment {payment.id} changed")
        payment.posted = replace(now, refund="") if entry.kind is EntryKind.REVERSAL_REFUSED else now
    if entry.kind is EntryKind.REVERSAL_REFUSED:  # the payment's own outcome is what it was
        payment.refusal, payment.reason = 0, ""


def _take_in(state: State, book: Book, entry: Entry) -> PaymentState:
    """A payment's first entry. A number at the payee must never be given twice: it would be taken for paid."""
    facts = entry.payment
    assert facts is not None
    if entry.kind is EntryKind.HELD:
        _give_number(state, facts)
    digest = bytes.fromhex(entry.cause.digest)
    return PaymentState(facts.id, book.id, digest, entry.kind, facts.txn, entry.at, facts=facts)


def _give_number(state: State, facts: PaymentFacts) -> None:
    if facts.txn != state.next_txn:
        raise LedgerCorrupt(f"payment {facts.id} has number {facts.txn}, the next is {state.next_txn}")
    state.next_txn += 1


def _set_agent(book: Book, entry: Entry, terms: AgentTerms) -> None:
    agent = book.agents.get(terms.agent)
    if (agent is None) != (entry.kind is EntryKind.AGENT_OPENED):
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: {entry.kind} does not fit agent {terms.agent}")
    if agent is not None:
        if agent.status == CLOSED:
            raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: {entry.kind} of agent {agent.id}, who is closed")
        if terms.parent != agent.parent:
            _check_move(book, entry, terms)
    if entry.kind is EntryKind.AGENT_OPENED or entry.kind is EntryKind.CURRENCY_OPENED:
        _check_opening(book, entry, terms)
        book.open_agent(terms)
        book.agents_in(terms.currency)[terms.agent].opened_at = entry.at
        return
    purse = book.agents_in(terms.currency).get(terms.agent)
    if purse is None:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: agent {terms.agent} has no {terms.currency}")
    for one in book.purses(terms.agent):
        one.follow(terms)
    purse.take(terms)


def _check_opening(book: Book, entry: Entry, terms: AgentTerms) -> None:
    """All of a tree have its currency; and who has an account in a further one, has it once, and all above have one."""
    there = book.agents_in(terms.currency)
    if terms.parent is not None and terms.parent not in there:
        above = f"{terms.parent}, not open in {terms.currency}"
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: agent {terms.agent} is below {above}")
    is_first = entry.kind is EntryKind.AGENT_OPENED
    if terms.agent in there or (is_first and book.agents and there is not book.agents):
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: agent {terms.agent} is opened in {terms.currency}")


def _check_move(book: Book, entry: Entry, terms: AgentTerms) -> None:
    """A circle would never end: nobody in it has a root. And who has an account, all above have one."""
    above = [one.id for one in book.chain(terms.parent)] if terms.parent is not None else []
    lacking = any(terms.parent not in book.agents_in(one.currency) for one in book.purses(terms.agent))
    if entry.kind is not EntryKind.AGENT_MOVED or not above or terms.agent in above or lacking:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: {entry.kind} puts {terms.agent} below {terms.parent}")


def _set_record(book: Book, record: DirectoryRecord) -> None:
    book.record = record
    for key in record.value.get("keys", ()):
        book.keys[cast(str, key["kid"])] = key


def _remember(state: State, book: Book, entry: Entry) -> None:
    cause = entry.cause
    if state.commands.find(book.id, cause.id) is not None:
        raise LedgerCorrupt(f"book {book.id} entry {entry.seq}: command {cause.id} was decided before")
    digest = bytes.fromhex(cause.digest)
    state.commands.put(book.id, CommandState(cause.id, digest, entry.kind, entry.at, entry.refusal, entry.reason))
