"""What must become of commands about agents that are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from schemas.agent_command import CloseAgent, MoveAgent, StatusCommand, Transfer, Withdraw
from schemas.command import SetLimit
from schemas.entry import AgentTerms, Entry
from tests.chaos.model_clearing import waits_for
from tests.chaos.model_terms import Agent, Book, Expected, Sale, moves_of

_OTHER = 300
_MAXIMA = ("payment_max", "daily_max", "monthly_max")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def terms_of(name: str, agent: Agent, **changes: Any) -> AgentTerms:
    """The agent's terms with these changes."""
    kept = {one: getattr(agent, one) for one in Agent.__slots__}
    return AgentTerms(name, **kept | changes)


def agent_of(terms: AgentTerms) -> Agent:
    return Agent(**{one: getattr(terms, one) for one in Agent.__slots__})


def limited(book: Book, order: SetLimit) -> Expected:
    own = book.agents.get(order.agent)
    agent = own if own is None or order.currency is None else book.agent_in(order.agent, order.currency)
    named: dict[str, Any] = order.model_dump(include={"overdraft", *_MAXIMA, "payees"}, exclude_none=True)
    if agent is None or agent.status == "closed" or not (named or order.lift) or named.keys() & set(order.lift):
        return Expected("REFUSED", _OTHER)
    if "overdraft" in named and agent.funding != "own":
        return Expected("REFUSED", _OTHER)
    terms = terms_of(order.agent, agent, **named | dict.fromkeys(order.lift))
    maxima = [most for name in _MAXIMA if (most := getattr(terms, name)) is not None]
    possible = all(low <= high for low, high in pairwise(maxima))
    return Expected("LIMIT_SET", terms=terms) if possible else Expected("REFUSED", _OTHER)


def moved(book: Book, order: MoveAgent, waiting: list[Sale]) -> Expected:
    """waiting: the book's sales that wait for funds."""
    agent, parent = book.agents.get(order.agent), book.agents.get(order.parent)
    if agent is None or parent is None or "closed" in (agent.status, parent.status):
        return Expected("REFUSED", _OTHER)
    above = book.line(order.parent)
    below = [line.index(order.agent) + 1 for name in book.agents if order.agent in (line := book.line(name))]
    if agent.parent in (None, order.parent) or order.agent in above or len(above) + max(below) > 16:
        return Expected("REFUSED", _OTHER)
    if any(order.agent in book.line(sale.facts.agent) for sale in waiting):
        return Expected("REFUSED", _OTHER)
    if any(of == order.agent and (order.parent, currency) not in book.further for of, currency in book.further):
        return Expected("REFUSED", _OTHER)
    return Expected("AGENT_MOVED", terms=terms_of(order.agent, agent, parent=order.parent))


def given(book: Book, order: Transfer | Withdraw, waiting: list[Sale]) -> Expected:
    """waiting: the book's sales that wait for funds."""
    names = [order.giver, order.taker] if isinstance(order, Transfer) else [order.agent]
    agents = [book.agents.get(name) for name in names]
    is_transfer = len(agents) > 1
    if any(one is None or one.status == "closed" or (is_transfer and one.funding != "own") for one in agents):
        return Expected("REFUSED", _OTHER)
    line = [book.agents[name] for name in book.line(names[0])]
    if (names[0] == names[-1] and is_transfer) or any(one.status != "open" for one in line):
        return Expected("REFUSED", _OTHER)
    purse = names[0], order.currency
    if any(book.agent_in(name, order.currency) is None for name in names):
        return Expected("REFUSED", _OTHER)
    if any((sale.facts.payer_agent, sale.facts.currency) == purse for sale in waiting):
        return Expected("REFUSED", _OTHER)
    if book.may_spend(*purse) < order.amount:
        return Expected("REFUSED", 220)
    to = f"agent:{names[1]}" if is_transfer else "bank"
    moves = moves_of(order.currency, (f"agent:{names[0]}", -order.amount), (to, order.amount))
    return Expected("TRANSFERRED" if is_transfer else "WITHDRAWN", moves=moves, document=order.document)


def today(book: Book, tree: str, at: int, currency: str) -> str:
    """The day of the tree's calendar; one that is over in a currency does not come back in it."""
    moment = _EPOCH + timedelta(milliseconds=at)
    local = moment.astimezone(ZoneInfo(book.agents[tree].time_zone))
    return max(book.days.get(currency, ""), local.strftime("%Y-%m-%d"))


def over(book: Book, line: list[str], amount: int, day: str, currency: str) -> int:
    """The code when a maximum would be passed, 0: none."""
    agents = [(name, one) for name in line if (one := book.agent_in(name, currency)) is not None]
    if any(one.payment_max is not None and one.payment_max < amount for _, one in agents):
        return 252
    for name, one in agents:
        for most, period in (one.daily_max, day), (one.monthly_max, day[:7]):
            if most is not None and book.sold.get((name, currency, period), 0) + amount > most:
                return 16
    return 0


def remember_sale(book: Book, entry: Entry) -> None:
    """What was held counts, for its day and month, until it is voided."""
    facts = entry.payment
    assert facts is not None
    sign = {"HELD": 1, "VOIDED": -1}.get(entry.kind.value, 0)
    if sign == 1:
        book.days[facts.currency] = max(book.days.get(facts.currency, ""), facts.day)
    for name in facts.chain if sign else ():
        for period in facts.day, facts.day[:7]:
            key = name, facts.currency, period
            book.sold[key] = book.sold.get(key, 0) + sign * facts.amount


def stood(book: Book, order: StatusCommand, before: set[str], after: str, kind: str) -> Expected:
    agent = book.agents.get(order.agent)
    if agent is None or agent.status not in before:
        return Expected("REFUSED", _OTHER)
    return Expected(kind, terms=terms_of(order.agent, agent, status=after))


def closed(id: str, book: Book, order: CloseAgent, open_sales: dict[str, Sale]) -> Expected:
    """id: the book's. Nothing may be left that could still bring the agent money."""
    below = [one for one in book.agents.values() if one.parent == order.agent and one.status != "closed"]
    money = [balance for (account, _), (_, balance) in book.ends.items()
             if account in (f"agent:{order.agent}", f"hold:{order.agent}") and balance]  # fmt: skip
    waiting = [sale for sale in open_sales.values() if sale.book == id and (
        order.agent in (sale.facts.agent, sale.facts.payer_agent)
        or f"agent:{order.agent}" in dict(sale.facts.rewards))]  # fmt: skip
    change = [account for (account, _), (_, balance) in book.ends.items() if account.startswith("change:") and balance]
    if below or money or waiting or waits_for(book, id, order.agent) or (change and order.agent == id):
        return Expected("REFUSED", _OTHER)
    return stood(book, order, {"open", "blocked"}, "closed", "AGENT_CLOSED")
