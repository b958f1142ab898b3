"""`kassa pay`: send one signed payment as a terminal enrolled on this machine, and say what becomes of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.amounts import minor_units, named_values, subscriber_fields
from console.change_kept import spent_from
from console.checking import ask
from console.client import Answer, Client
from console.context import broker_settings
from console.errors import BadInput, NotFinal, Refused
from console.fees import fee_on_top
from console.lookup import find_agent, find_terminal, payees, tariffs
from console.numbers import reserve_numbers
from console.options import AsJson, NoWait, TimeOut, Wait
from console.output import json_line, major, say
from console.repeats import remembered
from console.requests import payment_request
from console.signing import now
from console.voucher_secret import opened
from console.voucher_secret import words as printed
from schemas.change import ChangeSpent, mark_of, new_code
from schemas.envelope import SigningKey
from schemas.ids import instant_ms
from schemas.payment import PaymentOrder
from schemas.reply import Reply
from schemas.terminal import Terminal
from streams.keyring import load_terminal_key
from streams.ledger.tariff_choice import agent_path
from streams.settings import Settings

_PAID_OR_HELD = {"HELD", "POSTED"}


def register(app: typer.Typer) -> None:
    app.command("pay")(pay)


def pay(
    terminal: Annotated[str, typer.Option(metavar="TERMINAL", help="Which terminal pays; its key is on this machine.")],
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="Who is to receive the money.")],
    subscriber: Annotated[
        str, typer.Option("--to", metavar="NUMBER", help="The subscriber's number: the payee's first field.")
    ],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="What the payee is to receive, such as 950.00.")],
    fee: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What the payer pays on top. Default: what the tariff says.")
    ] = None,
    field: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A further field of the payee.")] = None,
    collected: Annotated[bool, typer.Option("--collected", help="The cash is already in the box.")] = False,
    put_in: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Cash in the box; what is beyond amount and fee is change.")
    ] = None,
    change_code: Annotated[
        str | None, typer.Option("--change", metavar="CODE", help="Under which to keep the change. Default: a new one.")
    ] = None,
    spend: Annotated[
        list[str] | None,
        typer.Option("--change-code", metavar="CODE[:AMOUNT]", help="Change that pays first: all of it, or so much."),
    ] = None,
    number: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The terminal's running number: one used before repeats it.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Pay nothing: ask first, and show the subscriber's name and debt.")
    ] = False,
    wait: Wait = 30,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    time_out: TimeOut = 10,
) -> None:
    """Send one signed payment and wait for its signed replies.

    Exit code 0: paid, or queued for its payee's registry (with --no-wait: accepted; with --check: it would be taken);
    1: refused; 3: accepted, its outcome is not clear yet (with --check: nobody can tell now).
    """
    settings = broker_settings()
    key = load_terminal_key(settings, terminal)
    record = find_terminal(settings, terminal)
    if check:
        ask(settings, record, key, payee, subscriber, amount, field or [], as_json=as_json, time_out=time_out)
        return
    code = change_code or (new_code() if put_in is not None else None)
    order = _order(settings, record, payee, subscriber, amount, fee, field or [], collected, number)
    order = _with_cash(order, put_in, code, spent_from(spend or [], record.tree, order), collected)
    send(settings, order, record.tree, key, code, wait=wait, no_wait=no_wait, as_json=as_json, time_out=time_out)


def send(
    settings: Settings,
    order: PaymentOrder,
    tree: str,
    key: SigningKey,
    code: str | None,
    *,
    wait: float,
    no_wait: bool,
    as_json: bool,
    time_out: float,
) -> None:
    """Sign it, send it and tell what becomes of it. code: under which its change is kept. Raises as _judge does."""
    request = payment_request(remembered(settings, order, "made_at"), tree, key)
    if not as_json:
        coin = order.currency
        say(f"payment {order.id}: {major(order.amount, coin)} + fee {major(order.fee, coin)} {coin} to {order.payee}")
        if order.from_change:
            say(f"of it {major(order.from_change, coin)} {coin} from change")
        if code is not None:
            say(f"change code {code}: whoever has it has the change")
    with Client(settings, [order.terminal]) as client:
        last = None
        for answer in client.ask(request, time_out, 0 if no_wait else wait):
            _tell(settings, order.terminal, answer, as_json)
            last = answer.reply
            if last.state == "QUEUED":
                break  # its payee is told by a registry: that takes a day, or days
    if last is not None:
        _judge(order.id, last, no_wait, wait)


def _order(
    settings: Settings,
    terminal: Terminal,
    payee: str,
    subscriber: str,
    amount: str,
    fee: str | None,
    fields: list[str],
    collected: bool,
    number: int | None,
) -> PaymentOrder:
    """The order as the terminal would make it. What is wrong about the payment is left for the server to find."""
    on_file = payees(settings).get(payee)
    currency = on_file.currency if on_file else find_agent(settings, terminal.agent, terminal.tree).currency
    minor = minor_units(amount, currency)
    made_at = now()
    if fee is not None:
        fee_minor: int | None = minor_units(fee, currency)
    else:
        path = agent_path(terminal.tree, terminal.agent)
        fee_minor = fee_on_top(tariffs(settings).get(payee), minor, path, instant_ms(made_at))
    if fee_minor is None:
        raise BadInput(f"no fee fits {amount} by the tariff of {payee}: say which with --fee")
    running = number if number is not None else reserve_numbers(settings, terminal.id)
    return PaymentOrder(
        id=f"{terminal.id}.{running}",
        terminal=terminal.id,
        number=running,
        agent=terminal.agent,
        payee=payee,
        subscriber=subscriber_fields(
            on_file.fields[0].name if on_file else "account", subscriber, named_values(fields)
        ),
        amount=minor,
        fee=fee_minor,
        collected=minor + fee_minor if collected else 0,
        currency=currency,
        made_at=made_at,
    )


def _with_cash(
    order: PaymentOrder, put_in: str | None, code: str | None, spent: tuple[ChangeSpent, ...], collected: bool
) -> PaymentOrder:
    """What was put in, what change pays, and where what is left goes: of that the fingerprint alone is sent."""
    changes: dict[str, Any] = {"change_to": mark_of(code)} if code is not None else {}
    changes["change_from"] = spent
    if put_in is not None:
        changes["collected"] = minor_units(put_in, order.currency)
    elif collected:
        changes["collected"] = max(0, order.collected - sum(one.amount for one in spent))
    return PaymentOrder.model_validate({**order.model_dump(), **changes})


def _tell(settings: Settings, terminal: str, answer: Answer, as_json: bool) -> None:
    reply = answer.reply
    secret = opened(settings, terminal, reply)
    if as_json:
        more = {"serial": secret.serial, "pin": secret.pin} if secret is not None else {}
        json_line({**reply.model_dump(mode="json"), **more, "elapsed_ms": round(answer.elapsed_s * 1000, 1)})
        return
    words = [f"{reply.state:<9}{answer.elapsed_s * 1000:7.0f} ms"]
    words += [f"txn {reply.txn}"] if reply.txn else []
    words += [f"code {reply.code}"] if reply.code else []
    words += [reply.reason] if reply.reason else []
    words += ["the stored outcome of a duplicate"] if reply.again else []
    words += ["final"] if reply.final else []
    say("  ".join(words))
    if secret is not None:
        say(printed(secret))


def _judge(payment: str, last: Reply, no_wait: bool, wait: float) -> None:
    """Raises Refused or NotFinal where the payment is not (yet) what the shell's 0 would say."""
    if last.state in ("DECLINED", "VOIDED", "REJECTED"):
        raise Refused(f"payment {payment} is {last.state}", last.code, last.reason, retryable=last.retryable)
    if last.state == "QUEUED":
        return
    if last.state not in _PAID_OR_HELD or not (last.final or no_wait):
        raise NotFinal(
            f"payment {payment} is {last.state}, not final after {wait:g} s: "
            f"ask later with `kassa payment show {payment}`"
        )
