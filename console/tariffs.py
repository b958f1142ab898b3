"""`kassa tariff`: what a payment costs the payer, and what it earns the agents and the operator."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from console.amounts import basis_points, minor_units, percentage
from console.context import broker_settings
from console.errors import BadInput, NotFound, Refused
from console.lookup import find_payee, payees, tariffs
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, pairs, rows, say
from console.repeats import sent_before
from console.signing import done, give, now
from console.tariff_explain import explain_tariff
from console.tariff_file import read_tariff
from console.tariff_words import amounts_words, prices_words, rate_words, scope_words, when_words
from schemas.command import SetTariff
from schemas.ids import instant_ms
from schemas.refusal import Refusal
from schemas.tariff import Fee, Rate, Tariff
from streams.ledger.tariff_ties import first_tie
from streams.settings import Settings

PayeeId = Annotated[str, typer.Argument(metavar="PAYEE", help="The payee it is the tariff of.")]


class FeeBase(StrEnum):
    """What the fee is a percentage of."""

    AMOUNT = "amount"
    COLLECTED = "collected"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Tariffs: set, check, show, explain, list.", no_args_is_help=True)
    group.command("set")(set_tariff)
    group.command("check")(check_tariff)
    group.command("show")(show_tariff)
    group.command("explain")(explain_tariff)
    group.command("list")(list_tariffs)
    app.add_typer(group, name="tariff")


def set_tariff(
    payee: PayeeId,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="TOML or JSON with rules, instead of what follows."),
    ] = None,
    fee: Annotated[str, typer.Option(metavar="PERCENT", help="What the payer pays on top, such as 5%.")] = "0%",
    fee_base: Annotated[
        FeeBase, typer.Option(help="A percentage of what the payee receives, or of everything put in.")
    ] = FeeBase.AMOUNT,
    fee_min: Annotated[str, typer.Option(metavar="AMOUNT", help="The fee is at least this.")] = "0",
    fee_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The fee is at most this.")] = None,
    processing: Annotated[
        str, typer.Option(metavar="PERCENT", help="What the operator takes from the agent, of the amount.")
    ] = "0%",
    reward: Annotated[str, typer.Option(metavar="PERCENT", help="What the payee gives, of the amount.")] = "0%",
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERCENT", help="Of the reward: the agent's share, then the one's above it, …; the rest: operator."
        ),
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Set a payee's tariff. Payments from then on follow it, earlier ones keep theirs."""
    settings = broker_settings()
    record = find_payee(settings, payee)
    version = _version(settings, payee, command_id)
    if file is not None:
        if (fee, fee_min, fee_max, processing, reward, share) != ("0%", "0", None, "0%", "0%", None):
            raise BadInput("prices are in the file, or in options, not in both")
        tariff = read_tariff(file, payee, record.currency, version)
    else:
        tariff = Tariff(
            payee=payee,
            version=version,
            fee=Fee(
                rate_bps=basis_points(fee),
                min_minor=minor_units(fee_min, record.currency),
                max_minor=minor_units(fee_max, record.currency) if fee_max is not None else None,
                base=fee_base.value,
            ),
            processing=Rate(rate_bps=basis_points(processing)),
            reward=Rate(rate_bps=basis_points(reward)),
            reward_shares_bps=tuple(basis_points(one) for one in share or ()),
        )
    command = SetTariff(id=command_id or fresh_id(), issued_at=now(), tariff=tariff)
    answer = give(settings, command, operator, time_out)
    done(f"tariff {tariff.version} of payee {payee} is in force", command, answer)


def check_tariff(
    payee: PayeeId, file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON, as for `tariff set`.")]
) -> None:
    """Say whether a tariff would be taken, and send nothing. Exit code 1: two of its rules tie."""
    settings = broker_settings()
    tariff = read_tariff(file, payee, find_payee(settings, payee).currency, _version(settings, payee, None))
    tie = first_tie(tariff, instant_ms(now()))
    if tie is not None:
        raise Refused(str(file), Refusal.OTHER.code, tie.sentence(tariff.time_zone))
    say(f"{file}: {len(tariff.rules)} rules, none of which tie")


def show_tariff(payee: PayeeId, as_json: AsJson = False) -> None:
    """A payee's tariff with all its rules, narrowest last as they were written. --json: as a file for `tariff set`."""
    settings = broker_settings()
    currency = find_payee(settings, payee).currency
    tariff = tariffs(settings).get(payee)
    if tariff is None:
        raise NotFound(f"payee {payee!r} has no tariff: its payments have no fee and no reward")
    if as_json:
        json_line(tariff)
        return
    names = ("payee", "version", "fee", "processing", "reward", "shares of the reward")
    facts = dict(zip(names, _line(tariff, currency), strict=True))
    groups = {f"group {name}": ", ".join(members) for name, members in tariff.groups.items()}
    pairs({**facts, **groups, "time zone": tariff.time_zone})
    if tariff.rules:
        say("")
        columns = ("rule", "for", "when", "amounts", "prices")
        rows(columns, ((rule.name, scope_words(rule), when_words(rule), amounts_words(rule, currency),
                        prices_words(rule, currency)) for rule in tariff.rules))  # fmt: skip


def _version(settings: Settings, payee: str, command_id: str | None) -> int:
    """The next version; of an order given again under its own --id, the one it had."""
    before = sent_before(settings, command_id) if command_id is not None else None
    if before is not None and before.get("kind") == "tariff.set":
        return int(before["tariff"]["version"])
    on_file = tariffs(settings).get(payee)
    return on_file.version + 1 if on_file is not None else 1


def list_tariffs(as_json: AsJson = False) -> None:
    """All tariffs in force."""
    settings = broker_settings()
    found = tariffs(settings).values()
    if as_json:
        for one in found:
            json_line(one)
        return
    currencies = {payee.id: payee.currency for payee in payees(settings).values()}
    columns = ("payee", "version", "fee", "processing", "reward", "shares of the reward", "rules")
    lines = ((*_line(one, currencies.get(one.payee)), len(one.rules)) for one in found)
    rows(columns, lines, right=("version", "rules"))


def _line(one: Tariff, currency: str | None) -> tuple[object, ...]:
    shares = ", ".join(percentage(bps) for bps in one.reward_shares_bps) or "-"
    prices = (rate_words(rate, currency) for rate in (one.fee, one.processing, one.reward))
    return (one.payee, one.version, *prices, shares)
