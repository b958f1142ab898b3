"""What leaves a fold's memory for good once it is final, and what must be at hand before something is decided.

The archive it goes to is the caller's: the core only says which keys it would look up, so that looking up is done
before `decide` and `evolve`, for a whole batch, and these stay without I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.change_command import BlockChange, UnblockChange
from schemas.command import ResolvePayment
from schemas.correction import Correct
from schemas.entry import Entry
from schemas.registry_command import PaymentAnswered
from schemas.reversal import ReversePayment
from schemas.voucher_command import ReprintVoucher
from streams.ledger.answered import key_of
from streams.ledger.commands import Instruct, LedgerCommand, Place
from streams.ledger.evolve import answers_command
from streams.ledger.state import State

_PAYMENT, _COMMAND = b"p", b"c"


def leaving(state: State) -> Iterator[tuple[bytes, bytes]]:
    """Archive key and content of all that became final since `let_go`."""
    for payment, packed in state.payments.final.new.items():
        yield _PAYMENT + payment.encode(), packed
    for command, packed in state.commands.final.new.items():
        yield _COMMAND + command.encode(), packed


def let_go(state: State) -> None:
    """What `leaving` gave is in the archive: it leaves memory."""
    state.payments.final.archived()
    state.commands.final.archived()


def needed_to_decide(state: State, commands: Iterable[LedgerCommand]) -> list[bytes]:
    """Archive keys of what these commands may be about and memory does not have. A gateway's outcome is about open
    payments alone, which are in memory."""
    payments, answered = list[str](), list[str]()
    for command in commands:
        match command:
            case Place(order=order):
                payments.append(order.id)
            case Instruct(book=book, command=order):
                answered.append(key_of(book, order.id))
                if isinstance(order, ResolvePayment | ReversePayment | ReprintVoucher | PaymentAnswered):
                    payments.append(order.payment)
                elif isinstance(order, Correct):
                    payments.append(order.corrects)
                elif isinstance(order, BlockChange | UnblockChange) and order.payment is not None:
                    payments.append(order.payment)
    return _missing(state, payments, answered)


def needed_to_evolve(state: State, entries: Iterable[Entry]) -> list[bytes]:
    """The same for entries to be folded."""
    payments, answered = list[str](), list[str]()
    for entry in entries:
        if entry.payment is not None:
            payments.append(entry.payment.id)
        if answers_command(entry):
            answered.append(key_of(entry.book, entry.cause.id))
    return _missing(state, payments, answered)


def recall(state: State, found: Mapping[bytes, bytes]) -> None:
    """Have at hand what the archive had of the needed keys; what was recalled before goes."""
    by_kind: dict[bytes, dict[str, bytes]] = {_PAYMENT: {}, _COMMAND: {}}
    for key, packed in found.items():
        by_kind[key[:1]][key[1:].decode()] = packed
    state.payments.final.recall(by_kind[_PAYMENT])
    state.commands.final.recall(by_kind[_COMMAND])


def _missing(state: State, payments: Iterable[str], answered: Iterable[str]) -> list[bytes]:
    """Those recalled for an earlier batch count as missing: this batch's recall replaces them."""
    open_, final, commands = state.payments.open, state.payments.final.new, state.commands.final.new
    keys = [_PAYMENT + payment.encode() for payment in payments if payment not in open_ and payment not in final]
    return keys + [_COMMAND + command.encode() for command in answered if command not in commands]
