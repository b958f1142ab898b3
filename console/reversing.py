"""`kassa payment reverse`: ask a payee to give a payment back, as an operator or as the terminal that took it."""

from __future__ import annotations

import time
from typing import Annotated, cast

import typer

from console.client import Client
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput, NoAnswer, NotFinal, Refused
from console.lookup import find_terminal
from console.numbers import fresh_id
from console.options import CommandId, Operator, TimeOut
from console.output import say
from console.repeats import remembered
from console.requests import Request, command_request
from console.signing import now, operator_key
from schemas.reply import Reply
from schemas.reversal import Refund, ReversePayment
from streams.keyring import load_terminal_key

_TURN_S = 0.05


def reverse(
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="A posted payment: '<terminal>.<number>'.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="The payer's receipt or letter: it goes on record.")],
    refund: Annotated[
        str,
        typer.Option(
            metavar="cash|change", help="How the payer gets amount and fee: from the agent's hand, or as change."
        ),
    ] = "cash",
    as_terminal: Annotated[
        bool, typer.Option("--as-terminal", help="Signed by the terminal that took it; its key is on this machine.")
    ] = False,
    yes: Yes = False,
    wait: Annotated[float, typer.Option(min=0, metavar="S", help="How long to wait for the payee's answer.")] = 30,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Ask the payee to give a posted payment back; with it goes all that was earned by it.

    Exit code 0: reversed; 1: refused, by us or the payee; 3: asked, and the payee's answer is not clear yet.
    """
    if refund not in ("cash", "change"):
        raise BadInput(f"--refund {refund!r} is neither cash nor change")
    settings = broker_settings()
    terminal = find_terminal(settings, _terminal(payment))
    key = load_terminal_key(settings, terminal.id) if as_terminal else operator_key(settings, operator)
    confirm(f"reverse payment {payment}, {refund} for the payer", yes)
    command = ReversePayment(
        id=command_id or fresh_id(), issued_at=now(), tree=terminal.tree, payment=payment, reason=reason,
        evidence=evidence, refund=cast(Refund, refund),
    )  # fmt: skip
    request = command_request(remembered(settings, command, "issued_at"), key)
    with Client(settings, [request.owner, terminal.id]) as client:
        last = _asked(client, request, payment, time_out, wait)
    _judge(payment, last, wait, request.id)


def _terminal(payment: str) -> str:
    terminal, dot, number = payment.rpartition(".")
    if not (dot and terminal and number.isascii() and number.isdigit()):
        raise BadInput(f"{payment!r} is not a payment's id: '<terminal>.<number>', such as kiosk-7.12")
    return terminal


def _asked(client: Client, request: Request, payment: str, time_out_s: float, wait_s: float) -> Reply | None:
    """Send it; the last word about the payment, None: nothing was said. Raises Refused, NoAnswer."""
    client.send(request)
    last, done, deadline = None, None, time.monotonic() + time_out_s
    while (left := deadline - time.monotonic()) > 0 and not (done and last is not None and last.final):
        reply = client.poll(min(left, _TURN_S))
        if reply is not None and reply.id == payment:
            last = reply
        elif reply is not None and reply.id == request.id and done is None:
            if reply.state != "DONE":
                raise Refused(f"payment.reverse {request.id}", reply.code, reply.reason)
            done, deadline = reply, time.monotonic() + (0 if reply.again else wait_s)
    if done is None:
        raise NoAnswer(
            f"no worker answered in {time_out_s:g} s; once one does, repeat with --id {request.id}: it is done once"
        )
    return last


def _judge(payment: str, last: Reply | None, wait_s: float, command: str) -> None:
    if last is not None and last.state == "REVERSED":
        say(f"payment {payment} is REVERSED  (command {command})")
    elif last is not None and last.state == "REVERSAL_REFUSED":
        raise Refused(f"payment {payment} stays POSTED: its payee keeps it", last.code, last.reason)
    else:
        raise NotFinal(
            f"the reversal of {payment} was asked for and is not final after {wait_s:g} s: "
            f"ask later with `kassa payment show {payment}`"
        )
