"""What must become of an operator's command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.agent_command import BlockAgent, CloseAgent, MoveAgent, Transfer, UnblockAgent, Withdraw
from schemas.bring_change import BringChange
from schemas.cash import CollectCash
from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.chart import SetChart
from schemas.clearing_command import ConfirmMoney, ReceiveMoney, TakeBackMoney
from schemas.command import (
    CloseWindow,
    Deposit,
    DirectoryCommand,
    OpenAgent,
    PayOutChange,
    ResolvePayment,
    RevokeKey,
    SetContact,
    SetLimit,
    SetOperator,
    SetPayee,
    SetPlan,
    SetSchedule,
    SetTariff,
    SetTerminal,
    TreeCommand,
)
from schemas.currency_command import Exchange, OpenCurrency
from schemas.entry import AgentTerms, DirectoryRecord
from tests.chaos.model_agents import closed, given, limited, moved, stood
from tests.chaos.model_answer import resolved
from tests.chaos.model_cash import collected
from tests.chaos.model_change import mark_of, reclaimed
from tests.chaos.model_change import stood as change_stood
from tests.chaos.model_chart import charted
from tests.chaos.model_clearing import brought, heard, sent
from tests.chaos.model_currency import currency_opened, exchanged
from tests.chaos.model_reversal import reversal_resolved
from tests.chaos.model_sale import given_up
from tests.chaos.model_terms import Book, Expected, Sale, moves_of
from tests.chaos.model_window import window_closed

_DEEPEST = 16
_OTHER, _NO_RIGHT = 300, 133

Json = dict[str, Any]


def obeyed(
    id: str, book: Book, command: TreeCommand | DirectoryCommand, open_sales: dict[str, Sale], at: int
) -> Expected:
    """id: the book's."""
    waiting = [sale for sale in open_sales.values() if sale.book == id and sale.state == "WAITING_FUNDS"]
    match command:
        case OpenAgent():
            return _opened(book, command)
        case SetLimit():
            return limited(book, command)
        case BlockAgent():
            return stood(book, command, {"open"}, "blocked", "AGENT_BLOCKED")
        case UnblockAgent():
            return stood(book, command, {"blocked"}, "open", "AGENT_UNBLOCKED")
        case CloseAgent():
            return closed(id, book, command, open_sales)
        case MoveAgent():
            return moved(book, command, waiting)
        case Transfer() if command.to_tree is not None:
            return sent(id, book, command, waiting)
        case BringChange():
            return brought(id, book, command)
        case ReceiveMoney() | TakeBackMoney() | ConfirmMoney():
            return heard(book, command)
        case Transfer() | Withdraw():
            return given(book, command, waiting)
        case Deposit():
            return _deposited(book, command)
        case PayOutChange():
            return _paid_out(book, command)
        case ReclaimChange():
            return reclaimed(book, command)
        case BlockChange() | UnblockChange():
            return change_stood(book, command)
        case ResolvePayment():
            sale = open_sales.get(command.payment)
            if sale is not None and sale.book == id and sale.state == "REVERSAL_MANUAL":
                return reversal_resolved(book, sale, paid=command.paid)
            if sale is None or sale.book != id or sale.state not in ("MANUAL", "WAITING_FUNDS"):
                return _refused()
            if sale.state == "WAITING_FUNDS":
                return given_up(book, sale, command) or _refused()
            return resolved(sale, paid=command.paid)
        case OpenCurrency():
            return currency_opened(book, command)
        case Exchange():
            return exchanged(book, command, waiting)
        case CollectCash():
            return collected(book, command)
        case CloseWindow():
            return window_closed(book, command.payee or "", command.number) or _refused()
        case _:
            return _filed(id, book, command, at)


def _refused(code: int = _OTHER) -> Expected:
    return Expected("REFUSED", code)


def _opened(book: Book, order: OpenAgent) -> Expected:
    if order.parent is None:
        fits = order.agent == order.tree and not book.agents and order.funding == "own"
    else:
        above = book.line(order.parent)
        fits = (
            0 < len(above) < _DEEPEST
            and book.agents[above[0]].status != "closed"
            and order.agent not in book.agents
            and order.currency == book.agents[above[-1]].currency
            and order.time_zone is None
        )
    if not fits or (order.funding == "shared" and order.overdraft):
        return _refused()
    zone = book.agents[order.tree].time_zone if order.parent is not None else order.time_zone or "UTC"
    terms = AgentTerms(
        order.agent, order.parent, order.name, order.currency, order.overdraft, order.funding, time_zone=zone
    )  # fmt: skip
    return Expected("AGENT_OPENED", terms=terms)


def _deposited(book: Book, order: Deposit) -> Expected:
    agent = book.agents.get(order.agent)
    if book.agent_in(order.agent, order.currency) is None or agent is None:
        return _refused()
    if agent.funding != "own" or agent.status == "closed":
        return _refused()
    moves = moves_of(order.currency, ("bank", -order.amount), (f"agent:{order.agent}", order.amount))
    return Expected("DEPOSITED", moves=moves, document=order.document)


def _paid_out(book: Book, order: PayOutChange) -> Expected:
    mark = f"payment:{order.payment}"
    if order.code is not None:
        mark = mark_of(order.code)
    line = book.line(order.agent)
    kept = book.ends.get((f"change:{mark}", order.currency))
    if not line or book.agents[line[0]].status == "closed" or kept is None:
        return _refused()
    if f"change:{mark}" in book.blocked:
        return _refused(_NO_RIGHT)
    if kept[1] < order.amount:
        return _refused()
    if book.agent_in(order.agent, order.currency) is None:
        return _refused()
    payer = next(agent for agent in line if book.agents[agent].funding == "own")
    moves = moves_of(order.currency, (f"change:{mark}", -order.amount), (f"agent:{payer}", order.amount))
    return Expected("CHANGE_PAID_OUT", moves=moves, document=order.evidence)


def _filed(id: str, book: Book, order: DirectoryCommand, at: int) -> Expected:
    """The record as it will be on file, or the refusal."""
    table, _, name = id.partition("/")
    match order:
        case RevokeKey():
            value: Json | int = _revoked(book, order, at)
        case SetTerminal():
            value = _terminal(book, order, at)
        case SetOperator():
            value = _with_keys(book, order.operator.model_dump(mode="json"), at)
        case SetTariff():
            newest = book.record["version"] if book.record is not None else 0
            value = order.tariff.model_dump(mode="json") if order.tariff.version > newest else _OTHER
        case SetContact():
            value = order.contact.model_dump(mode="json")
        case SetPlan():
            value = order.plan.model_dump(mode="json")
            if book.record is not None and any(book.record[name] != value[name] for name in ("tree", "period")):
                value = _OTHER
        case SetSchedule():
            value = {**order.schedule.model_dump(mode="json"), "set_at": _instant(at)}
        case SetChart():
            value = charted(book, order) or _OTHER
        case SetPayee():
            value = order.payee.model_dump(mode="json")
            if (terms := value.get("offline")) is not None:
                was = (book.record or {}).get("offline") or {}
                same = was.get("cut_off") == terms["cut_off"] and (book.record or {})["time_zone"] == value["time_zone"]
                terms["since"] = was["since"] if same else _instant(at)
            if book.record is not None and book.record["currency"] != value["currency"]:
                value = _OTHER
        case _:
            value = order.gateway.model_dump(mode="json")
    if isinstance(value, int):
        return _refused(value)
    return Expected("DIRECTORY_SET", record=DirectoryRecord(table, name, value))


def _terminal(book: Book, order: SetTerminal, at: int) -> Json | int:
    new = order.terminal.model_dump(mode="json")
    if book.record is not None and any(book.record[name] != new[name] for name in ("tree", "agent")):
        return _NO_RIGHT
    return _with_keys(book, new, at)


def _with_keys(book: Book, value: Json, at: int) -> Json | int:
    """A key keeps the times of its enrollment and revocation; an order can set neither."""
    keys: list[Json] = []
    for key in value["keys"]:
        known = book.keys.get(key["kid"])
        if known is None and key["revoked_at"] is not None:
            return _OTHER
        if known is not None:
            if (known["algorithm"], known["jwk"]) != (key["algorithm"], key["jwk"]):
                return _NO_RIGHT
            if (known["revoked_at"] is None) != (key["revoked_at"] is None):
                return _NO_RIGHT if key["revoked_at"] is None else _OTHER
        keys.append(known or {**key, "enrolled_at": _instant(at)})
    if len({key["kid"] for key in keys}) != len(keys):
        return _OTHER
    return {**value, "keys": keys}


def _revoked(book: Book, order: RevokeKey, at: int) -> Json | int:
    if book.record is None or all(key["kid"] != order.kid for key in book.record["keys"]):
        return _OTHER
    keys = [dict(key) for key in book.record["keys"]]
    for key in keys:
        if key["kid"] == order.kid:
            key["revoked_at"] = key["revoked_at"] or _instant(at)
    return {**book.record, "keys": keys}


def _instant(at: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return moment.isoformat().replace("+00:00", "Z")
