"""`kassa voucher load`: a supplier's file becomes a batch. PINs leave this machine as ciphertext."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from console.amounts import calendar_day, minor_units
from console.client import Client
from console.context import broker_settings
from console.errors import BadInput, NoAnswer, Refused
from console.lookup import find_payee
from console.options import Operator, TimeOut
from console.output import major, say
from console.repeats import remembered
from console.requests import command_request
from console.signing import now, operator_key
from console.voucher_file import Pin, read_pins
from schemas.payee import Payee
from schemas.pin_seal import PinKey
from schemas.reply import Reply
from schemas.voucher_command import LoadVouchers
from streams.pin_keys import PinKeys, load_pin_key
from streams.settings import Settings

# A signed command is at most 16 KB, and signing makes four bytes of three.
_CHUNK_BYTES, _CHUNK_PINS = 10_000, 250
_TURN_S = 0.05


def load(
    payee: Annotated[str, typer.Argument(metavar="PAYEE", help="The product: a payee that is served with vouchers.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, XLSX or DBF with columns serial and pin.")],
    batch: Annotated[str, typer.Option(metavar="ID", help="The batch's id, new within the product.")],
    denomination: Annotated[str, typer.Option(metavar="AMOUNT", help="What a payer pays for one, such as 500.00.")],
    cost: Annotated[str, typer.Option(metavar="AMOUNT", help="What one costs us.")],
    supplier: Annotated[str, typer.Option(metavar="ID", help="To whom we owe that.")],
    expires: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day, of the payee's, on which one is sold.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KID", help="The key of PINs to seal under. Default: the only one here.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of a text or DBF file: utf-8, cp1251, cp866.")] = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Load a batch of vouchers, for sale once all of it is there. Given again, loading goes on where it stopped."""
    settings = broker_settings()
    product = find_payee(settings, payee)
    pins = read_pins(file, encoding)
    first = LoadVouchers(
        id=f"load.{payee}.{batch}.1",
        issued_at=now(),
        payee=payee,
        batch=batch,
        denomination=minor_units(denomination, product.currency),
        currency=product.currency,
        cost=minor_units(cost, product.currency),
        supplier=supplier,
        expires_at=_end_of(expires, product),
        kid=(sealing := _key(settings, key)).kid,
        count=len(pins),
        chunks=1,
        chunk=1,
        pins=((pins[0].serial, sealing.seal(payee, batch, pins[0].serial, pins[0].pin)),),
    )
    began = time.monotonic()
    again = _send(settings, chunks(first, pins, sealing), operator, time_out)
    more = f", {again} chunks done before" if again else ""
    face, worth = major(first.denomination, first.currency), major(first.cost * first.count, first.currency)
    say(
        f"batch {batch} of {payee}: {len(pins):,} vouchers of {face} {first.currency} are for sale, "
        f"{worth} {first.currency} owed to {supplier}  ({time.monotonic() - began:.1f} s{more})"
    )


def chunks(first: LoadVouchers, pins: Sequence[Pin], key: PinKey) -> list[LoadVouchers]:
    """The batch as commands that fit into a message. The same file gives the same ones. first: one, for the rest."""
    parts = list(_parts([(one.serial, key.seal(first.payee, first.batch, one.serial, one.pin)) for one in pins]))
    return [
        first.model_copy(
            update={
                "id": f"load.{first.payee}.{first.batch}.{number}",
                "chunks": len(parts),
                "chunk": number,
                "pins": tuple(part),
            }
        )
        for number, part in enumerate(parts, 1)
    ]


def _parts(sealed: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    part, size = list[tuple[str, str]](), 0
    for serial, pin in sealed:
        needed = len(serial) + len(pin) + len('["",""],')
        if part and (size + needed > _CHUNK_BYTES or len(part) == _CHUNK_PINS):
            yield part
            part, size = [], 0
        part.append((serial, pin))
        size += needed
    yield part


def _send(settings: Settings, commands: Sequence[LoadVouchers], operator: str | None, time_out_s: float) -> int:
    """Send them all and wait until each is answered; how many were done before. Raises Refused, NoAnswer."""
    key = operator_key(settings, operator)
    requests = {one.id: command_request(remembered(settings, one, "issued_at"), key) for one in commands}
    waiting, again = set(requests), 0
    with Client(settings, [next(iter(requests.values())).owner], many=True) as client:
        for request in requests.values():
            client.send(request)
        deadline = time.monotonic() + time_out_s
        while waiting:
            reply = client.poll(_TURN_S)
            if reply is not None and reply.id in waiting:
                _believe(reply, commands[0], len(commands))
                waiting.discard(reply.id)
                again += reply.again
                deadline = time.monotonic() + time_out_s
            elif time.monotonic() > deadline:
                raise NoAnswer(
                    f"{len(waiting)} of {len(commands)} chunks were not answered in {time_out_s:g} s: "
                    "give the same command again, and loading goes on"
                )
    return again


def _believe(reply: Reply, one: LoadVouchers, chunk_count: int) -> None:
    if reply.state == "DONE":
        return
    number = reply.id.rpartition(".")[2]
    raise Refused(
        f"chunk {number} of {chunk_count} of batch {one.batch}: nothing of the batch is for sale; where other chunks "
        f"are there, give them up with `kassa voucher drop {one.payee} {one.batch}`",
        reply.code,
        reply.reason,
    )


def _key(settings: Settings, kid: str | None) -> PinKey:
    """Raises BadInput, KeyFileError."""
    if kid is None:
        here = sorted(PinKeys(settings).ids())
        if len(here) != 1:
            what = f"several keys of PINs are here ({', '.join(here)})" if here else "no key of PINs is here"
            raise BadInput(f"{what}: say which with --key; `kassa voucher key KID` makes one")
        kid = here[0]
    return load_pin_key(settings, kid)


def _end_of(day: str | None, product: Payee) -> datetime | None:
    """When that day of the payee's is over."""
    if day is None:
        return None
    midnight = datetime.combine(calendar_day(day) + timedelta(days=1), clock(), ZoneInfo(product.time_zone))
    return midnight.astimezone(UTC)
