"""What must become of a period of a plan that has begun."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.entry import Entry
from schemas.plan import Charge
from tests.chaos.model_terms import Book, Expected, moves_of


def fee_charged(tree: str, book: Book, said: Charge, at: int) -> Expected | None:
    """said: what the entry says of plan, agent and terminals, which the directory had. None: nothing is due."""
    line = book.line(said.agent)
    if not line or book.agents[line[0]].status == "closed":
        return None
    last = book.charged.get((said.plan, said.agent), "")
    period = max(said.since, _after(last)) if last else said.since
    zone = ZoneInfo(book.agents[tree].time_zone)
    if _begins(period) > datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).date():
        return None
    if book.agent_in(said.agent, said.currency) is None:
        return None
    payer = next(agent for agent in line if book.agents[agent].funding == "own")
    amount = said.fixed + said.per_terminal * said.terminals
    moves = moves_of(said.currency, (f"agent:{payer}", -amount), ("agent-fees", amount))
    found = Charge(
        said.plan, said.agent, payer, period, said.since, said.currency, said.fixed, said.per_terminal, said.terminals,
        amount, said.plan_digest,
    )  # fmt: skip
    return Expected("FEE_CHARGED", moves=moves, document=f"{said.plan}, {period}, agent {said.agent}", charge=found)


def charged_before(book: Book, entry: Entry) -> bool:
    """A period twice."""
    said = entry.charge
    return said is not None and said.period <= book.charged.get((said.plan, said.agent), "")


def _begins(period: str) -> date:
    if "W" in period:
        return date.fromisocalendar(int(period[:4]), int(period[6:]), 1)
    return date.fromisoformat(f"{period}-01"[:10])


def _after(period: str) -> str:
    begins = _begins(period)
    if "W" in period:
        return f"{begins + timedelta(weeks=1):%G-W%V}"
    if len(period) == 10:
        return f"{begins + timedelta(days=1)}"
    return f"{(begins + timedelta(days=31)).isoformat()[:7]}"
