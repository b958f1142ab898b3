"""An operator's command becomes an entry: what it asked for, or REFUSED with a sentence that says why."""

from __future__ import annotations

from dataclasses import replace

from schemas.agent_command import BlockAgent, CloseAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.bring_change import BringChange
from schemas.cash import CollectCash
from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.clearing_command import ConfirmMoney, ReceiveMoney, TakeBackMoney
from schemas.command import CloseWindow, Deposit, OpenAgent, PayOutChange, ResolvePayment, SetLimit
from schemas.correction import ApproveCorrection, Correct, DropCorrection
from schemas.currency_command import Exchange, OpenCurrency
from schemas.entry import AgentTerms, Cause, Entry, EntryKind
from schemas.ids import account_agent
from schemas.registry_command import AddToRegistry, AnswerRegistry, CutRegistry, DeliverRegistry, PaymentAnswered
from schemas.reversal import ReversePayment
from schemas.voucher_command import ProductOrder, ReprintVoucher, VoucherNone, VoucherSold
from streams.ledger.accounts import BANK, legs_of
from streams.ledger.agents import agent_at_work, change_status
from streams.ledger.cash import collect
from streams.ledger.change import pay_out
from streams.ledger.change_block import block_or_not
from streams.ledger.change_expiry import reclaim
from streams.ledger.clearing import bring_change, obey, send_money
from streams.ledger.commands import Instruct
from streams.ledger.corrections import correction
from streams.ledger.currencies import open_currency, purse_of
from streams.ledger.directory import new_record
from streams.ledger.exchange import exchange
from streams.ledger.limiting import set_limit
from streams.ledger.moves import MAX_DEPTH, move
from streams.ledger.objections import Objection, no
from streams.ledger.registries import obey_registry
from streams.ledger.registry_answers import end_queued
from streams.ledger.resolve import resolve
from streams.ledger.reversal import reverse
from streams.ledger.standing import CLOSED
from streams.ledger.state import Book, State
from streams.ledger.transfers import transfer, withdraw
from streams.ledger.voucher_sales import conclude, reprint
from streams.ledger.vouchers import stock_order
from streams.ledger.windows import close_by_hand


def instruct(state: State, command: Instruct, at: int) -> Entry:
    """The entry for a command whose id is new in its book. Also a refusal is kept, so that repeats hear the same."""
    book = state.books.get(command.book) or Book(command.book)
    order = command.command
    cause = Cause(order.id, command.digest, command.by)
    blank = Entry(book=book.id, seq=book.seq + 1, kind=EntryKind.REFUSED, at=at, cause=cause)
    answer = _answer(state, book, command, blank)
    if isinstance(answer, Objection):
        return replace(blank, refusal=answer.refusal.code, reason=answer.reason)
    return answer


def _answer(state: State, book: Book, command: Instruct, blank: Entry) -> Entry | Objection:
    """What the rules of each command make of it. blank: the entry but for what it says."""
    order = command.command
    match order:
        case OpenAgent():
            answer = _open_agent(book, order, blank)
        case SetLimit():
            answer = set_limit(book, order, blank)
        case Deposit():
            answer = _deposit(book, order, blank)
        case BlockAgent() | UnblockAgent() | CloseAgent():
            answer = change_status(state, book, order, blank)
        case Transfer() if order.to_tree is not None:
            answer = send_money(state, book, order, blank)
        case Transfer():
            answer = transfer(state, book, order, blank)
        case BringChange():
            answer = bring_change(book, order, blank)
        case ReceiveMoney() | TakeBackMoney() | ConfirmMoney():
            answer = obey(book, order, blank)
        case Withdraw():
            answer = withdraw(state, book, order, blank)
        case MoveAgent():
            answer = move(state, book, order, blank)
        case ResolvePayment():
            answer = resolve(state, book, order, blank)
        case ReversePayment():
            answer = reverse(state, book, command, order, blank)
        case PayOutChange():
            answer = pay_out(book, order, blank)
        case OpenCurrency():
            answer = open_currency(book, order, blank)
        case ReclaimChange():
            answer = reclaim(book, order, blank)
        case Exchange():
            answer = exchange(state, book, order, blank)
        case CollectCash():
            answer = collect(book, order, blank)
        case BlockChange() | UnblockChange():
            answer = block_or_not(state, book, order, blank)
        case Correct() | ApproveCorrection() | DropCorrection():
            answer = correction(state, book, order, blank, command.four_eyes_above)
        case CutRegistry() | DeliverRegistry() | AnswerRegistry():
            answer = obey_registry(book, order, blank, command.registry)
        case AddToRegistry():
            raise AssertionError("it may lead to two entries: see decide")
        case PaymentAnswered():
            answer = end_queued(state, book, order, blank)
        case CloseWindow():
            answer = close_by_hand(book, order, blank)
        case ProductOrder():
            answer = stock_order(book, command, order, blank)
        case VoucherSold() | VoucherNone():
            answer = conclude(state, book, order, blank)
        case ReprintVoucher():
            answer = reprint(state, book, command.terminal, order, blank)
        case _:
            record = new_record(book, order, blank.at)
            if isinstance(record, Objection):
                return record
            answer = replace(blank, kind=EntryKind.DIRECTORY_SET, record=record)
    return answer


def _open_agent(book: Book, order: OpenAgent, blank: Entry) -> Entry | Objection:
    why_not = _root_objection(book, order) if order.parent is None else _sub_agent_objection(book, order, order.parent)
    if why_not is not None:
        return why_not
    if order.funding == "shared" and order.overdraft:
        return no(f"agent {order.agent} spends the money of {order.parent}: it cannot have a limit of its own")
    zone = book.agents[book.id].time_zone if order.parent is not None else order.time_zone or "UTC"
    terms = AgentTerms(
        order.agent, order.parent, order.name, order.currency, order.overdraft, order.funding, time_zone=zone
    )  # fmt: skip
    return replace(blank, kind=EntryKind.AGENT_OPENED, agent=terms)


def _root_objection(book: Book, order: OpenAgent) -> Objection | None:
    if order.tree != order.agent:
        return no(f"agent {order.agent} has no parent, so its tree must be {order.agent}, not {order.tree}")
    if book.agents:
        return no(f"tree {order.tree} is already open")
    if order.funding == "shared":
        return no("an agent without a parent has nobody whose money it could share")
    return None


def _sub_agent_objection(book: Book, order: OpenAgent, parent: str) -> Objection | None:
    above = book.chain(parent)
    if not above:
        return no(f"there is no agent {parent} in tree {order.tree}")
    if above[0].status == CLOSED:
        return no(f"agent {parent} is closed")
    if order.agent in book.agents and book.agents[order.agent].status == CLOSED:
        return no(f"agent {order.agent} was closed; its id is not given again")
    if order.agent in book.agents:
        return no(f"agent {order.agent} is already open in tree {order.tree}")
    if len(above) >= MAX_DEPTH:
        return no(f"agent {parent} is {len(above)} levels deep; below level {MAX_DEPTH} there are no agents")
    if order.currency != above[-1].currency:
        return no(f"tree {order.tree} is in {above[-1].currency}, not in {order.currency}")
    if order.time_zone is not None:
        return no(f"agent {order.agent} has the time zone of its tree, {above[-1].time_zone}; leave it out")
    return None


def _deposit(book: Book, order: Deposit, blank: Entry) -> Entry | Objection:
    agent = agent_at_work(book, order.agent)
    if isinstance(agent, Objection):
        return agent
    if agent.funding == "shared":
        return no(f"agent {agent.id} spends the money of {agent.parent}: deposit it there")
    if isinstance(lacking := purse_of(book, agent, order.currency, "the deposit"), Objection):
        return lacking
    movements = [(BANK, -order.amount), (account_agent(agent.id), order.amount)]
    legs = legs_of(book, order.currency, movements)
    return replace(blank, kind=EntryKind.DEPOSITED, legs=legs, document=order.document)
