"""`kassa tariff explain`: which rule of a tariff a payment would be priced by, why, and the arithmetic."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.amounts import minor_units
from console.context import broker_settings
from console.errors import BadInput, NotFound
from console.fees import prices_for
from console.instants import instant
from console.lookup import balances, find_agent, payees, spender, tariffs
from console.options import AsJson, Tree
from console.output import json_line, major, rows, say
from console.tariff_explained import Part, Sum, arithmetic, parts
from console.tariff_words import amounts_words, scope_words, when_words
from schemas.balance import Balance
from schemas.ids import instant_ms
from schemas.tariff import Tariff
from schemas.week import wall_time
from streams.ledger.tariff_choice import agent_path


def explain_tariff(
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="Who is to receive the money.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="What the payee is to receive, such as 950.00.")],
    agent: Annotated[str, typer.Option(metavar="AGENT", help="Whose terminal takes it.")],
    tree: Tree = None,
    at: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="RFC 3339, such as 2026-01-02T19:00+03:00. Default: now.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a payment would cost and earn, by which rule and why. Reads the directory and balances; sends nothing."""
    settings = broker_settings()
    record = payees(settings).get(payee)
    if record is None:
        raise NotFound(f"there is no payee {payee!r}: `kassa payee list` shows all")
    tariff = tariffs(settings).get(payee) or Tariff(payee=payee, version=1)
    here, everyone = find_agent(settings, agent, tree), balances(settings)
    minor, moment = minor_units(amount, record.currency), instant_ms(instant(at))
    if not minor:
        raise BadInput("nothing is paid by a payment of 0")
    find_agent(settings, agent, tree, record.currency)  # who has no account in it sells nothing of this payee
    path = agent_path(here.tree, here.agent)
    line = _line(here, everyone)
    sums = arithmetic(prices_for(tariff, minor, path, moment), minor, line, spender(here, everyone).agent)
    if sums is None:
        raise BadInput(f"no fee fits {amount}: the tariff takes everything that is put in")
    found = parts(tariff, path, minor, moment)
    if as_json:
        json_line(_json(tariff, path, moment, found, sums))
        return
    say(f"payee {payee}, tariff {tariff.version}: {amount} {record.currency} by {path} on "
        f"{wall_time(moment, tariff.time_zone)}")  # fmt: skip
    _print_rules(tariff, found, record.currency)
    say("")
    lines = [(one.what, major(one.minor, record.currency), one.how) for one in sums]
    rows(("", record.currency, "minor units"), lines, right=(record.currency,))


def _print_rules(tariff: Tariff, found: list[Part], currency: str) -> None:
    rules = {rule.name: rule for rule in tariff.rules}
    if found:
        say("")
        rows(("rule", "for", "when", "amounts", ""), [
            (part.rule, scope_words(rules[part.rule]), when_words(rules[part.rule]),
             amounts_words(rules[part.rule], currency), part.verdict) for part in found
        ])  # fmt: skip
    if all(part.verdict != "wins" for part in found):
        say("no rule holds: the tariff's own prices do" if found else "it has no rules: its own prices hold")


def _json(tariff: Tariff, agent: str, at: int, found: list[Part], sums: list[Sum]) -> dict[str, Any]:
    return {
        "payee": tariff.payee,
        "version": tariff.version,
        "agent": agent,
        "at": at,
        "rule": next((part.rule for part in found if part.verdict == "wins"), ""),
        "rules": [{"rule": one.rule, "verdict": one.verdict, **one.narrowness._asdict()} for one in found],
        "sums": [one._asdict() for one in sums],
    }


def _line(agent: Balance, everyone: list[Balance]) -> list[str]:
    """The agent, then all above it."""
    tree = {one.agent: one for one in everyone if one.tree == agent.tree}
    line = [agent.agent]
    while (above := tree[line[-1]].parent) is not None and above in tree:
        line.append(above)
    return line
