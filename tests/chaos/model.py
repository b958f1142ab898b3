"""A second accountant, single-threaded and small, who is told every cause and says what must be decided.

It shares no code with streams/ledger. It follows one ledger partition entry by entry, in order: from what it knows and
the cause (the order as the terminal signed it, the operator's command, the payee's answer in the entry) it predicts
kind, refusal, legs, numbers and tries, and holds the entry against that. After a difference it believes the ledger and
goes on, so that one wrong entry is found once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

from console.audit_payments import command_key
from schemas.command import DirectoryCommand, TreeCommand
from schemas.correction import ApproveCorrection, Correct, DropCorrection
from schemas.entry import FINAL, Entry
from schemas.registry_command import PaymentAnswered, RegistryCommand
from schemas.reversal import ReversePayment
from schemas.voucher_command import ProductOrder, ReprintVoucher, VoucherNone, VoucherSold
from tests.chaos.model_agents import agent_of, remember_sale
from tests.chaos.model_answer import answered, left_alone, sent, told_of
from tests.chaos.model_cash import remember_cash
from tests.chaos.model_change import expired, remember_change
from tests.chaos.model_clearing import remember_crossing, seen_crossing
from tests.chaos.model_command import obeyed
from tests.chaos.model_correction import corrected, remember_correction
from tests.chaos.model_fees import charged_before, fee_charged
from tests.chaos.model_registry import payment_answered, queued, registry_obeyed, registry_timed, remember_registry
from tests.chaos.model_reversal import asked_back, cancelled, posted_now, told_given_back
from tests.chaos.model_routes import line_of, passed_on
from tests.chaos.model_sale import sold, taken_up
from tests.chaos.model_terms import Book, Expected, Finding, Known, Sale
from tests.chaos.model_vouchers import concluded, lapsed, remember_vouchers, reprinted, stock_obeyed
from tests.chaos.model_window import window_closed

# The signed order with this id and digest: its payload. None: none arrived.
Orders = Callable[[str, str], dict[str, Any] | None]
# The command with this id in this book and with this digest. None: none arrived.
Commands = Callable[[str, str, str], TreeCommand | DirectoryCommand | None]

_FIRST_NUMBER = 10**15
_NEW = ("HELD", "DECLINED", "WAITING_FUNDS")
_OURS = ("dispatch", "funds", "registry", "timer")  # causes that nobody signed
_ASKED = ("HELD", "SENT", "UNKNOWN", "REVERSING")
_STANDS = {"DEFERRED": "HELD", "REROUTED": "HELD", "REVERSAL_REFUSED": "POSTED"}
_COLUMNS = Expected._fields


class Model:
    """One partition. decided: payment -> digest of its order. final: payments that have ended."""

    def __init__(self, partition: int, known: Known, orders: Orders, commands: Commands) -> None:
        self._known = known
        self._orders = orders
        self._commands = commands
        self._next_number = (partition + 1) * _FIRST_NUMBER + 1
        self.books: dict[str, Book] = {}
        self.decided: dict[str, str] = {}
        self.open: dict[str, Sale] = {}
        self._posted: dict[str, Sale] = {}  # those that may yet be asked back
        self.entries = 0
        self.presumed_asked = 0  # answers that are right only if a worker before may have asked

    def follow(self, entry: Entry) -> list[Finding]:
        """Take in the partition's next entry; what is wrong with it."""
        self.entries += 1
        book = self.books.setdefault(entry.book, Book())
        again = self._again(book, entry)
        if again is not None and entry.seq != book.seq + 1:
            return [again]  # a record that is there twice; what follows continues the first
        found = [again] if again is not None else self._differences(book, entry)
        found += self._chain(book, entry)
        self._believe(book, entry)
        return found

    def states(self) -> Counter[str]:
        """Of payments that are not final."""
        return Counter(sale.state for sale in self.open.values())

    def decisions(self) -> dict[str, str]:
        """Payment, or "<book> <command>", -> digest of the content it was decided on."""
        commands = ((command_key(id, name), digest) for id, book in self.books.items()
                    for name, digest in book.commands.items())  # fmt: skip
        return {**self.decided, **dict(commands)}

    # --- twice

    def _again(self, book: Book, entry: Entry) -> Finding | None:
        """A second decision of what was decided."""
        id = entry.payment.id if entry.payment is not None else entry.cause.id
        if _answers_order(entry) and entry.cause.by not in _OURS:
            is_again = id in self.decided
        elif entry.cause.by == "funds":
            is_again = id in self.decided and (id not in self.open or self.open[id].state != "WAITING_FUNDS")
        elif entry.kind.value == "QUEUED":
            is_again = id in self.decided and (id not in self.open or self.open[id].state != "HELD")
        elif entry.cause.by in ("timer", "registry"):
            is_again = entry.cause.id in book.timers or charged_before(book, entry)
        elif entry.cause.by == "dispatch":
            is_again = id in self.decided and id not in self.open
        else:
            is_again = entry.cause.id in book.commands
        return Finding("doubled", f"{_place(entry)}: {entry.kind} of {id}, decided before") if is_again else None

    # --- is it what must be?

    def _differences(self, book: Book, entry: Entry) -> list[Finding]:
        expected = list(self._expected(book, entry))
        found = _seen(entry)
        if found in expected:
            return []
        what = f"{_place(entry)}: {entry.cause.id} by {entry.cause.by}"
        if not expected:
            return [Finding("divergence", f"{what}: {entry.kind}, but nothing asked for it")]
        nearest = min(expected, key=lambda one: sum(a != b for a, b in zip(one, found, strict=True)))
        sides = [
            f"{name} is {there!r}, must be {should!r}"
            for name, there, should in zip(_COLUMNS, found, nearest, strict=True)
            if there != should
        ]
        return [Finding("divergence", f"{what}: {'; '.join(sides)}")]

    def _expected(self, book: Book, entry: Entry) -> Iterable[Expected]:
        """Every entry that would be right. Several only where the ledger does not say what the worker knew."""
        if entry.cause.by == "funds":
            return self._roused(book, entry)
        if _answers_order(entry):
            return self._sale(book, entry)
        if entry.cause.by == "dispatch":
            return self._answer(book, entry)
        if (fee := entry.charge) is not None and entry.cause.by == "timer":
            is_named = entry.cause.id == f"fee/{fee.plan}/{fee.agent}/{fee.period}" and not entry.cause.digest
            charged = fee_charged(entry.book, book, fee, entry.at)
            return [charged] if charged and is_named else []
        if entry.kind.value == "QUEUED" and entry.cause.by == "registry":
            return queued(self.open.get(entry.cause.id), entry)
        if entry.registry is not None and entry.cause.by in _OURS:
            return registry_timed(book, entry, self._known)
        if entry.cause.by == "timer":
            if entry.change is not None and entry.kind.value == "CHANGE_EXPIRED":
                return expired(book, entry)
            if entry.voucher is not None:
                return lapsed(book, entry)
            window = entry.window
            if window is None or entry.cause.id != f"window/{window.subject}/{window.number}" or entry.cause.digest:
                return []
            closed = window_closed(book, window.subject, window.number)
            return [closed] if closed else []
        command = self._commands(entry.book, entry.cause.id, entry.cause.digest)
        if isinstance(command, ReversePayment):
            sale = self._posted.get(command.payment)
            return asked_back(entry.book, book, command, entry, sale, self._known)
        if isinstance(command, Correct | ApproveCorrection | DropCorrection):
            return corrected(book, command, entry, self._known.four_eyes_above)
        if isinstance(command, ProductOrder):
            return stock_obeyed(book, command, entry, self._known)
        if isinstance(command, VoucherSold | VoucherNone):
            return [concluded(entry.book, command, self.open.get(command.payment))]
        if isinstance(command, ReprintVoucher):
            return [reprinted(entry.book, command, entry, self._posted.get(command.payment))]
        if isinstance(command, PaymentAnswered):
            return [payment_answered(entry.book, command, self.open.get(command.payment))]
        if isinstance(command, RegistryCommand):
            return registry_obeyed(book, command, entry, self._known)
        return [] if command is None else [obeyed(entry.book, book, command, self.open, entry.at)]

    def _sale(self, book: Book, entry: Entry) -> Iterable[Expected]:
        order = self._orders(entry.cause.id, entry.cause.digest)
        if order is None:
            return
        for payee in self._known.payees(order["payee"], entry.at):
            for tariff in self._known.tariffs(order["payee"], entry.at):
                gateways = line_of(payee, entry.at, entry.payment)
                is_full = payee is not None and self._is_full(gateways[0])
                waiting = Counter(
                    sale.facts.payer_agent
                    for sale in self.open.values()
                    if (sale.book, sale.state, sale.facts.currency)
                    == (entry.book, "WAITING_FUNDS", order.get("currency"))
                )
                number = self._next_number
                yield sold(entry.book, book, order, payee, tariff, entry.at, number, is_full, waiting, gateways)
                if payee is not None and payee.served == "vouchers":  # its terminal may have no sealing key
                    yield sold(
                        entry.book, book, order, payee, tariff, entry.at, number, is_full, waiting, gateways,
                        is_bare=True,
                    )  # fmt: skip

    def _roused(self, book: Book, entry: Entry) -> Iterable[Expected]:
        """Money came for the oldest of those that wait for its payer's."""
        sale = self.open.get(entry.cause.id)
        if sale is None or sale.book != entry.book:
            return
        payer = sale.facts.payer_agent
        line = [one for one in self.open.values() if one.state == "WAITING_FUNDS" and one.book == entry.book]
        purse = payer, sale.facts.currency
        if next((one for one in line if (one.facts.payer_agent, one.facts.currency) == purse), None) is not sale:
            return
        if (expected := taken_up(book, sale, self._next_number, entry.at)) is not None:
            yield expected

    def _is_full(self, gateway: str) -> bool:
        limit = self._known.backlog_max
        if len(self.open) < limit:
            return False
        return sum(sale.state in _ASKED and sale.facts.gateway == gateway for sale in self.open.values()) >= limit

    def _answer(self, book: Book, entry: Entry) -> Iterable[Expected]:
        """Whether an earlier worker may have asked is known to dispatch alone; to say so is the careful side."""
        sale = self.open.get(entry.cause.id)
        if sale is None or sale.book != entry.book:
            return
        if entry.outcome is None:
            yield from sent(sale)
            return
        if sale.state == "MANUAL":
            yield from told_of(sale, entry.outcome)
            return
        if sale.state == "REVERSAL_MANUAL":
            yield from told_given_back(book, sale, entry.outcome)
            return
        if sale.state not in _ASKED:
            return
        if (sale.state == "REVERSING") != (entry.outcome.step == "cancel"):
            return
        gateway, outcome, at = sale.facts.gateway, entry.outcome, entry.at
        lasts = self._known.repeats_nothing(gateway, at)
        for schedule, is_last in product(self._known.schedules(gateway, at), lasts):
            usual, careful = (
                cancelled(book, sale, outcome, schedule, at, asked_before=asked)
                if sale.state == "REVERSING"
                else answered(sale, outcome, schedule, at, asked_before=asked, is_last=is_last)
                for asked in (False, True)
            )
            usual, careful = (left_alone(one, outcome, entry) for one in (usual, careful))
            another = list(passed_on(sale, entry, schedule, self._known))
            yield from another or [usual]
            found = _seen(entry)
            self.presumed_asked += found == careful != usual
            yield careful

    # --- numbers and balances

    def _chain(self, book: Book, entry: Entry) -> list[Finding]:
        found = []
        if entry.seq != book.seq + 1:
            found.append(f"entry {entry.seq} follows entry {book.seq}")
        ends: dict[tuple[str, str], tuple[int, int]] = {}
        for leg in entry.legs:
            account = (leg.account, leg.currency)
            seq, balance = ends.get(account) or book.ends.get(account, (0, 0))
            if (leg.seq, leg.balance) != (seq + 1, balance + leg.amount):
                found.append(f"{leg.account}: leg {leg.seq} of {leg.amount} to {leg.balance} follows {seq}, {balance}")
            ends[account] = (leg.seq, leg.balance)
        return [Finding("broken chain", f"{_place(entry)}: {text}") for text in found]

    # --- taking it in as it is

    def _believe(self, book: Book, entry: Entry) -> None:
        remember_cash(book, entry)
        book.seq = entry.seq
        for leg in entry.legs:
            book.ends[leg.account, leg.currency] = (leg.seq, leg.balance)
        remember_change(book, entry)
        if entry.cause.by in ("timer", "registry"):
            book.timers.add(entry.cause.id)
        if entry.payment is not None:
            self._believe_payment(entry)
            remember_sale(book, entry)
        if not _answers_order(entry) and entry.cause.by not in _OURS:
            book.commands.setdefault(entry.cause.id, entry.cause.digest)
        if (fee := entry.charge) is not None:
            book.charged[fee.plan, fee.agent] = fee.period
        if entry.window is not None:
            book.windows[entry.window.subject] = entry.window.number
        remember_crossing(book, entry)
        remember_correction(book, entry)
        remember_registry(book, entry)
        remember_vouchers(book, entry)
        if (terms := entry.agent) is not None:
            book.believe(terms.agent, terms.currency, agent_of(terms))
        if entry.record is not None:
            book.record = entry.record.value
            book.keys.update((key["kid"], key) for key in entry.record.value.get("keys", ()))

    def _believe_payment(self, entry: Entry) -> None:
        facts = entry.payment
        assert facts is not None
        if entry.kind in _NEW:
            self.decided.setdefault(facts.id, entry.cause.digest)
        if entry.kind == "HELD":
            self._next_number = facts.txn + 1
        state = _STANDS.get(entry.kind.value, entry.kind.value)
        sale = self.open.pop(facts.id, None) or self._posted.pop(facts.id, None) or Sale(entry.book, facts, state)
        sale.posted = posted_now(sale, entry)
        sale.voucher = entry.voucher or sale.voucher
        if state == "POSTED":
            self._posted[facts.id] = sale
        elif state not in FINAL:
            self.open[facts.id] = sale
        sale.facts, sale.refusal = facts, entry.refusal
        sale.state, sale.sent, sale.unreached = state, entry.tries, entry.deferrals


def _answers_order(entry: Entry) -> bool:
    """A payment that waits may also be declined by a command."""
    return entry.kind in _NEW and (entry.payment is None or entry.payment.id == entry.cause.id)


def _seen(entry: Entry) -> Expected:
    """What the entry says, as far as it is predicted."""
    facts = entry.payment
    return Expected(
        entry.kind.value,
        entry.refusal,
        tuple((leg.account, leg.currency, leg.amount) for leg in entry.legs),
        entry.tries,
        entry.deferrals,
        entry.due_at,
        facts,
        tuple(facts.subscriber) if facts is not None else (),
        entry.agent,
        entry.record,
        entry.document,
        seen_crossing(entry),
        entry.change,
        entry.rate,
        entry.cash,
        entry.charge,
        entry.posted,
        entry.correction,
        entry.registry,
        entry.voucher,
    )


def _place(entry: Entry) -> str:
    return f"book {entry.book} entry {entry.seq}"
