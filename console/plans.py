"""`kassa plan`: what agents pay for each month, week or day; what was charged, and what will be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, cast

import typer

from console.amounts import calendar_day, minor_units
from console.context import broker_settings
from console.errors import NotFound
from console.lookup import plans, purses, spender, terminals
from console.numbers import fresh_id
from console.options import AsJson, CommandId, CurrencyCode, Operator, TimeOut
from console.output import json_line, listing, major, pairs, rows
from console.signing import done, give, now
from console.trees import must_be_there
from console.warehouse import opened
from schemas.balance import Balance
from schemas.calendar import day_of
from schemas.command import SetPlan
from schemas.ids import instant_ms
from schemas.period import PeriodKind, first_day
from schemas.plan import Plan
from streams.settings import Settings

PlanName = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Periodic fees of agents: set, list, show, explain.", no_args_is_help=True)
    group.command("set")(set_plan)
    group.command("list")(list_plans)
    group.command("show")(show)
    group.command("explain")(explain)
    app.add_typer(group, name="plan")


def set_plan(
    plan: PlanName,
    tree: Annotated[str, typer.Option(metavar="ROOT", help="The tree whose agents pay.")],
    starts: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="A day in the first period that is charged.")],
    currency: CurrencyCode = "RUB",
    fixed: Annotated[str, typer.Option(metavar="AMOUNT", help="Of each agent.")] = "0",
    per_terminal: Annotated[str, typer.Option(metavar="AMOUNT", help="Of each of its terminals in service.")] = "0",
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help="month, week or day, by the tree's calendar.")
    ] = "month",
    agent: Annotated[
        list[str] | None, typer.Option(metavar="AGENT", help="Whom it is for, once or more. None: all of the tree.")
    ] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Charge nothing until it is set anew.")] = False,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set a plan. Every period that has begun since it starts is charged once, 24 periods back at most."""
    record = Plan(
        id=plan,
        tree=tree,
        agents=tuple(agent or ()),
        fixed=minor_units(fixed, currency),
        per_terminal=minor_units(per_terminal, currency),
        currency=currency,
        period=cast(PeriodKind, period),
        starts=calendar_day(starts),
        is_paused=paused,
    )
    settings = broker_settings()
    must_be_there(settings, tree, record.agents)
    command = SetPlan(id=command_id or fresh_id(), issued_at=now(), plan=record)
    answer = give(settings, command, operator, time_out)
    done(f"plan {plan}: {_price(record)}{', paused' if paused else ''}", command, answer)


def list_plans(as_json: AsJson = False) -> None:
    """All plans."""
    found = plans(broker_settings()).values()
    lines = (
        (one.id, one.tree, ", ".join(one.agents) or "all", _price(one), one.starts, "yes" if one.is_paused else "-")
        for one in found
    )
    listing(found, as_json, ("plan", "tree", "agents", "price", "starts", "paused"), lines)


def show(plan: PlanName, as_json: AsJson = False) -> None:
    """A plan and what was charged by it, the newest last; from ClickHouse."""
    from sinks.settlement import fees

    record = find_plan(broker_settings(), plan)
    with opened() as client:
        found = fees.charged(client, record.tree, plan)
    if as_json:
        json_line({**record.model_dump(mode="json"), "charged": found})
        return
    pairs({"plan": plan, "tree": record.tree, "agents": ", ".join(record.agents) or "all", "price": _price(record),
           "starts": record.starts, "paused": "yes" if record.is_paused else "no"})  # fmt: skip
    columns = ("charged (UTC)", "period", "agent", "payer", "terminals", "amount", "currency")
    lines = (
        (f"{one.charged_at:%Y-%m-%d %H:%M:%S}", one.period, one.agent, one.payer, one.terminals,
         major(one.amount, one.currency), one.currency)
        for one in found
    )  # fmt: skip
    rows(columns, lines, right=("terminals", "amount"))


def explain(plan: PlanName) -> None:
    """What each agent will be charged next, and when: with the terminals it has now."""
    from sinks.settlement import fees

    settings = broker_settings()
    record = find_plan(settings, plan)
    everyone = [one for one in purses(settings) if one.tree == record.tree]
    mine = (one for one in terminals(settings).values() if one.tree == record.tree)
    count = [one.agent for one in mine if one.is_in_service]
    with opened() as client:
        last = fees.last_periods(client, record.tree, plan)
        opened_at = fees.openings(client, record.tree, record.currency)
    columns = ("agent", "charged up to", "next", "begins", "terminals", "amount", "currency", "paid by")
    lines = [
        _next(record, one, spender(one, everyone), last.get(one.agent, ""), opened_at.get(one.agent, 0), count)
        for one in payers(record, everyone)
    ]
    rows(columns, lines, right=("terminals", "amount"))


def payers(plan: Plan, everyone: Sequence[Balance]) -> list[Balance]:
    """The plan's agents, each in the plan's currency, or in the tree's own where it has none of that."""
    found: dict[str, Balance] = {}
    for one in everyone:
        if (one.agent in plan.agents or not plan.agents) and (one.agent not in found or one.currency == plan.currency):
            found[one.agent] = one
    return list(found.values())


def find_plan(settings: Settings, plan: str) -> Plan:
    """Raises NotFound."""
    record = plans(settings).get(plan)
    if record is None:
        raise NotFound(f"there is no plan {plan!r}: `kassa plan list` shows all")
    return record


def _next(
    plan: Plan, agent: Balance, payer: Balance, last: str, opened_at: int, owners: list[str]
) -> tuple[object, ...]:
    """A line: of who will not be charged, why. opened_at: ms UTC; owners: whose terminal each is."""
    count = owners.count(agent.agent)
    amount = major(plan.fixed + plan.per_terminal * count, plan.currency)
    if agent.status == "closed" or agent.currency != plan.currency:
        why = "closed" if agent.status == "closed" else f"has no {plan.currency}"
        return (agent.agent, last or "-", "none", why, count, "-", plan.currency, payer.agent)
    today = day_of(instant_ms(datetime.now(UTC)), agent.time_zone)
    period, _ = plan.next_period(last, day_of(opened_at, agent.time_zone), today)
    begins = "paused" if plan.is_paused else _begins(first_day(period), today)
    return (agent.agent, last or "-", period, begins, count, amount, plan.currency, payer.agent)


def _begins(day: str, today: str) -> str:
    return day if day > today else f"{day}: at once"


def _price(plan: Plan) -> str:
    parts = [(plan.fixed, ""), (plan.per_terminal, " a terminal")]
    sums = [f"{major(minor, plan.currency)} {plan.currency}{of}" for minor, of in parts if minor]
    return f"{' and '.join(sums)}, each {plan.period}"
