"""`kassa change send`: all that is left under a code goes to a phone, less the fee."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import named_values, subscriber_fields
from console.change_kept import left_under
from console.context import broker_settings
from console.errors import BadInput
from console.fees import amount_within
from console.lookup import find_payee, find_terminal, tariffs
from console.numbers import reserve_numbers
from console.options import AsJson, NoWait, TimeOut, Wait
from console.output import major
from console.paying import send
from console.signing import now
from schemas.change import ChangeSpent
from schemas.ids import instant_ms
from schemas.payment import PaymentOrder
from streams.keyring import load_terminal_key
from streams.ledger.tariff_choice import agent_path


def send_change(
    code: Annotated[str, typer.Option(metavar="CODE", help="The code on the payer's receipt.")],
    terminal: Annotated[str, typer.Option(metavar="TERMINAL", help="Which terminal pays; its key is on this machine.")],
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="Who is to receive the money.")],
    subscriber: Annotated[
        str, typer.Option("--subscriber", metavar="NUMBER", help="The subscriber's number: the payee's first field.")
    ],
    field: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A further field of the payee.")] = None,
    wait: Wait = 30,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    time_out: TimeOut = 10,
) -> None:
    """Send all the change under a code to a phone; the tariff says how much of it is the fee.

    Exit code 0: paid (with --no-wait: accepted); 1: refused; 3: accepted, its outcome is not clear yet.
    """
    settings = broker_settings()
    key = load_terminal_key(settings, terminal)
    record = find_terminal(settings, terminal)
    on_file = find_payee(settings, payee)
    left, coin, made_at = left_under(code, record.tree, on_file.currency), on_file.currency, now()
    if not left:
        raise BadInput(f"no change in {coin} is left under this code in tree {record.tree}")
    path = agent_path(record.tree, record.agent)
    amount = amount_within(tariffs(settings).get(payee), left, path, instant_ms(made_at))
    if amount is None:
        raise BadInput(f"no amount and fee fit {major(left, coin)} {coin} by the tariff of {payee}: `kassa pay` "
                       "--change-code with an --amount")  # fmt: skip
    number = reserve_numbers(settings, terminal)
    order = PaymentOrder(
        id=f"{terminal}.{number}",
        terminal=terminal,
        number=number,
        agent=record.agent,
        payee=payee,
        subscriber=subscriber_fields(on_file.fields[0].name, subscriber, named_values(field or [])),
        amount=amount,
        fee=left - amount,
        currency=coin,
        made_at=made_at,
        change_from=(ChangeSpent(code=code, amount=left),),
    )
    send(settings, order, record.tree, key, None, wait=wait, no_wait=no_wait, as_json=as_json, time_out=time_out)
