"""`kassa check`: ask about a subscriber before cash is taken, as a terminal enrolled on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units, named_values, subscriber_fields
from console.check_client import CheckClient
from console.context import broker_settings
from console.errors import NotFinal, Refused
from console.lookup import find_agent, find_terminal, payees
from console.numbers import fresh_id
from console.options import AsJson, TimeOut
from console.output import json_line, major, pairs
from console.requests import check_request
from console.signing import now
from schemas.envelope import SigningKey
from schemas.refusal import Refusal
from schemas.terminal import Terminal
from schemas.tracking import CheckReply, CheckRequest
from streams.keyring import load_terminal_key
from streams.settings import Settings

_SOURCES = {
    "payee": "the payee",
    "subscribers": "the payee's list of subscribers",
    "rules": "nobody: only Kassa's own rules were looked at",
}
_CANNOT = frozenset({Refusal.TEMPORARY.code, Refusal.CANNOT_CHECK.code})


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(
    terminal: Annotated[str, typer.Option(metavar="TERMINAL", help="Which terminal asks; its key is on this machine.")],
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="Who would receive the money.")],
    subscriber: Annotated[
        str, typer.Option("--to", metavar="NUMBER", help="The subscriber's number: the payee's first field.")
    ],
    amount: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What the payee would receive, such as 950.00; if it is known.")
    ] = None,
    field: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A further field of the payee.")] = None,
    as_json: AsJson = False,
    time_out: TimeOut = 10,
) -> None:
    """Ask whether a payment would be taken, and show the subscriber's name and debt. Nothing is paid.

    Exit code 0: it would be taken; 1: it would not; 3: that cannot be told now.
    """
    settings = broker_settings()
    key, record = load_terminal_key(settings, terminal), find_terminal(settings, terminal)
    ask(settings, record, key, payee, subscriber, amount, field or [], as_json=as_json, time_out=time_out)


def ask(
    settings: Settings,
    terminal: Terminal,
    key: SigningKey,
    payee: str,
    subscriber: str,
    amount: str | None,
    fields: list[str],
    *,
    as_json: bool,
    time_out: float,
) -> None:
    """Send the question and show the answer. Raises Refused or NotFinal where it is no yes."""
    on_file = payees(settings).get(payee)
    currency = on_file.currency if on_file else find_agent(settings, terminal.agent, terminal.tree).currency
    request = CheckRequest(
        id=f"{terminal.id}.check.{fresh_id()}",
        terminal=terminal.id,
        agent=terminal.agent,
        payee=payee,
        subscriber=subscriber_fields(
            on_file.fields[0].name if on_file else "account", subscriber, named_values(fields)
        ),
        amount=minor_units(amount, currency) if amount is not None else None,
        made_at=now(),
    )
    with CheckClient(settings, [terminal.id]) as client:
        reply, took_s = client.ask(check_request(request, terminal.tree, key), time_out)
    if as_json:
        json_line({**reply.model_dump(mode="json"), "elapsed_ms": round(took_s * 1000, 1)})
    else:
        pairs(told(reply, currency, took_s))
    if reply.code in _CANNOT:
        raise NotFinal(f"payee {payee} cannot be asked about this subscriber now: {reply.reason}")
    if reply.code:
        raise Refused(f"a payment to {payee} would not be taken", reply.code, reply.reason, retryable=reply.retryable)


def told(reply: CheckReply, currency: str, took_s: float) -> dict[str, object]:
    """The answer for people. Amounts in major units."""
    facts: dict[str, object] = {"payee": reply.payee, "asked": f"{_SOURCES[reply.source]}, {took_s * 1000:.0f} ms"}
    if reply.listed_at is not None:
        facts["list as of"] = f"{reply.listed_at:%Y-%m-%d %H:%M:%S} UTC"
    if reply.name:
        facts["name"] = reply.name
    if reply.debt is not None:
        facts["debt"] = f"{major(reply.debt, currency)} {currency}"
    facts |= {field.name: field.text for field in reply.shown if field.name not in facts}
    if reply.denominations:
        facts["takes only"] = ", ".join(major(one, currency) for one in reply.denominations)
    elif reply.min_amount is not None and reply.max_amount is not None:
        facts["takes"] = f"{major(reply.min_amount, currency)} to {major(reply.max_amount, currency)} {currency}"
    if reply.fee is not None:
        facts["fee"] = f"{major(reply.fee, currency)} {currency}"
    if reply.secret is not None:
        facts["sealed"] = "what is told of the subscriber does not open with a key here: enroll the terminal anew"
    facts["answer"] = "would be taken" if not reply.code else f"code {reply.code}  {reply.reason}"
    return facts
