"""`kassa payment`: the whole story of a payment, and an operator's decision on one that nobody else can settle."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.context import broker_settings, load_settings
from console.errors import BadInput, NotFound
from console.lookup import find_terminal
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, major, pairs, rows, say
from console.reversing import reverse
from console.signing import done, give, now
from console.story import Step, Story, from_ledger
from schemas.command import ResolvePayment
from streams.settings import Settings

PaymentArgument = Annotated[
    str, typer.Argument(metavar="PAYMENT", help="The payment's id: '<terminal>.<number>', such as kiosk-7.12.")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Payments: show, resolve, reverse.", no_args_is_help=True)
    group.command("show")(show)
    group.command("resolve")(resolve)
    group.command("reverse")(reverse)
    app.add_typer(group, name="payment")


def show(
    payment: PaymentArgument,
    from_topic: Annotated[
        bool, typer.Option("--from-ledger", help="Read the ledger topic, not ClickHouse: slower, and never behind.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A payment's whole story: what it is, every decision about it, every leg that moved money."""
    story = _find(load_settings(), payment, from_topic)
    if story is None:
        raise NotFound(f"there is no payment {payment!r} in the ledger (quarantined messages are not payments)")
    if as_json:
        json_line({"payment": payment, "state": story.state, **story.facts, "steps": story.steps})
    else:
        _print(story)


def resolve(
    payment: PaymentArgument,
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="On what grounds: it goes on record.")],
    paid: Annotated[
        bool | None, typer.Option("--paid/--not-paid", help="Whether the payee has the money.", show_default=False)
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Decide a payment that is in MANUAL: the payee has the money, or has it not. Or give up one that waits. In
    REVERSAL_MANUAL: the payee has the money still, or gave it back.
    """
    if paid is None:
        raise BadInput("say which: --paid (the payee has the money) or --not-paid (it has not and will not)")
    settings = broker_settings()
    command = ResolvePayment(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=_tree(settings, payment),
        payment=payment,
        paid=paid,
        evidence=evidence,
    )
    answer = give(settings, command, operator, time_out)
    done(f"payment {payment} is {'POSTED' if paid else 'not paid, and ended'}", command, answer)


def _find(settings: Settings, payment: str, from_topic: bool) -> Story | None:
    """ClickHouse where one is known; the ledger itself where none is, or where it does not have the payment yet."""
    if settings.clickhouse and not from_topic:
        from console.story_warehouse import from_warehouse  # ClickHouse's client takes half a second to import

        story = from_warehouse(settings, payment)
        if story is not None or not settings.kafka:
            return story
    settings = broker_settings()
    return from_ledger(settings, payment, _tree(settings, payment))


def _tree(settings: Settings, payment: str) -> str:
    terminal, dot, number = payment.rpartition(".")
    if not (dot and terminal and number.isascii() and number.isdigit()):
        raise BadInput(f"{payment!r} is not a payment's id: '<terminal>.<number>', such as kiosk-7.12")
    return find_terminal(settings, terminal).tree


def _print(story: Story) -> None:
    facts, currency = story.facts, story.facts["currency"]
    subscriber = ", ".join(f"{name} {value}" for name, value in facts["subscriber"].items())
    pairs(
        {
            "payment": story.payment,
            "state": story.state,
            "amount": f"{major(facts['amount'], currency)} + fee {major(facts['fee'], currency)} {currency}",
            "held": f"{major(facts['held'], currency)} of agent {facts['payer_agent'] or '-'}",
            "payee": f"{facts['payee']} through {_route(facts)}, {subscriber}",
            "agent": f"{facts['agent']} in tree {facts['book']}",
            "txn": facts["txn"] or "-",
            "tariff": " ".join(f"{facts['tariff_version'] or '-'} {facts['tariff_rule']}".split()),
            "made": f"{facts['made_at']:%Y-%m-%d %H:%M:%S} UTC by the terminal's clock",
            "received": f"{facts['received_at']:%Y-%m-%d %H:%M:%S.%f} UTC",
        }
    )
    say("")
    rows(("at (UTC)", "decision", "by", "payee said", "why", "legs"), (_line(step, currency) for step in story.steps))


def _route(facts: dict[str, Any]) -> str:
    before = ", ".join(facts["rerouted_from"])
    return f"{facts['gateway'] or '-'}{f' (before: {before})' if before else ''}"


def _line(step: Step, currency: str) -> tuple[object, ...]:
    again = f"asked again at {step.due_at:%H:%M:%S}" if step.due_at is not None else ""
    why = " ".join(part for part in (str(step.refusal or ""), step.reason, again) if part)
    tries = f" ({step.tries} tries)" if step.tries > 1 else ""
    legs = "\n".join(
        f"{leg.account} {'+' if leg.amount > 0 else ''}{major(leg.amount, currency)} → {major(leg.balance, currency)}"
        for leg in step.legs
    )
    return (f"{step.at:%H:%M:%S.%f}"[:-3], step.kind + tries, step.by, step.outcome or "-", why or "-", legs or "-")
