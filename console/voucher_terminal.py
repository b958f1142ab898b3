"""`kassa voucher reserve` and `reprint`: what a terminal asks of vouchers, with its key on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from console.amounts import minor_units
from console.client import Answer, Client
from console.context import broker_settings
from console.errors import BadInput, Refused
from console.lookup import find_payee, find_terminal
from console.numbers import fresh_id, reserve_numbers
from console.options import AsJson, CommandId, TimeOut
from console.output import json_line, say
from console.repeats import remembered
from console.requests import command_request
from console.signing import now
from console.voucher_secret import opened, words
from schemas.voucher_command import ReprintVoucher, ReserveVoucher
from streams.keyring import load_terminal_key
from streams.settings import Settings


def reserve(
    terminal: Annotated[str, typer.Option(metavar="TERMINAL", help="Which one asks; its key is on this machine.")],
    payee: Annotated[str, typer.Option(metavar="PAYEE", help="The product.")],
    amount: Annotated[str, typer.Option(metavar="AMOUNT", help="The denomination, such as 500.00.")],
    number: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Of the payment that will follow. Default: the next.")
    ] = None,
    command_id: CommandId = None,
    as_json: AsJson = False,
    time_out: TimeOut = 10,
) -> None:
    """Keep a voucher for a payment before its cash is taken; pay then with the same --number."""
    settings = broker_settings()
    record, product = find_terminal(settings, terminal), find_payee(settings, payee)
    running = number if number is not None else reserve_numbers(settings, terminal)
    command = ReserveVoucher(
        id=command_id or fresh_id(),
        issued_at=now(),
        payee=payee,
        tree=record.tree,
        payment=f"{terminal}.{running}",
        denomination=minor_units(amount, product.currency),
        currency=product.currency,
    )
    reply = _asked(settings, command, terminal, time_out).reply
    if as_json:
        json_line({**reply.model_dump(mode="json"), "payment": command.payment, "number": running})
    elif reply.reserved_until is None:
        say(f"what was reserved for payment {command.payment} is over  (command {command.id}, done before)")
    else:
        until = f"{reply.reserved_until:%Y-%m-%d %H:%M:%S} UTC"
        say(f"a voucher is reserved until {until}: pay with --number {running}  (command {command.id})")


def reprint(
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="'<terminal>.<number>' of a voucher it sold.")],
    command_id: CommandId = None,
    as_json: AsJson = False,
    time_out: TimeOut = 10,
) -> None:
    """Print a voucher's PIN again, signed and opened with the key of the terminal that sold it."""
    settings = broker_settings()
    terminal, dot, number = payment.rpartition(".")
    if not (dot and terminal and number.isascii() and number.isdigit()):
        raise BadInput(f"{payment!r} is not a payment's id: '<terminal>.<number>', such as kiosk-7.12")
    record = find_terminal(settings, terminal)
    command = ReprintVoucher(id=command_id or fresh_id(), issued_at=now(), tree=record.tree, payment=payment)
    reply = _asked(settings, command, terminal, time_out).reply
    secret = opened(settings, terminal, reply)
    if secret is None:
        raise Refused(f"payment {payment} has a voucher, and its PIN did not come", 300, reply.reason)
    if as_json:
        json_line({**reply.model_dump(mode="json"), **secret.model_dump()})
    else:
        say(words(secret))


def _asked(settings: Settings, command: ReserveVoucher | ReprintVoucher, terminal: str, time_out_s: float) -> Answer:
    """Raises Refused, NoAnswer and what Client raises."""
    request = command_request(remembered(settings, command, "issued_at"), load_terminal_key(settings, terminal))
    with Client(settings, [terminal]) as client:
        *_, answer = client.ask(request, time_out_s)
    if answer.reply.state != "DONE":
        reply = answer.reply
        raise Refused(f"{command.kind} {command.id}", reply.code, reply.reason, retryable=reply.retryable)
    return answer
