"""Tracking before payment: how soon a check is answered, and how soon a payee's list of a million is in force.

python -m bench.tracking [--rows 1000000] [--checks 500] [--format csv|xlsx|dbf]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import get_args

from bench.figures import Figure, report
from bench.rig import CHECKED, CURRENCY, Rig, running
from console.check_client import CheckClient
from console.client import Client
from console.demo import carry_out
from console.fleet_tally import percentile
from console.output import say
from console.requests import Request, check_request
from console.subscribers import load_list
from console.table_files.writing import Format, write_table
from schemas.command import SetPayee
from schemas.payee import Payee, SubscriberField
from schemas.tracking import CheckReply, CheckRequest
from streams.keyring import load_operator_key

LISTED = "listed"
_BOUND_S = 120.0


def main() -> None:
    arguments = argparse.ArgumentParser(prog="bench.tracking", description=__doc__)
    arguments.add_argument("--rows", type=int, default=1_000_000, help="subscribers in the list")
    arguments.add_argument("--checks", type=int, default=500, help="questions, one after the other")
    arguments.add_argument("--format", choices=get_args(Format), default="csv", help="of the list's file")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as rig, _asking(rig) as client:
        _introduce(rig)
        figures = []
        for payee in (LISTED, CHECKED):
            if payee == LISTED:
                say("a list is loaded …")
                figures += loaded(rig, client, Path(place), asked.rows, asked.format)
            say(f"checks of {payee} …")
            figures += answered(rig, client, payee, asked.checks)
    report(figures, Path("var/bench"))


def loaded(rig: Rig, client: CheckClient, place: Path, count: int, format: Format) -> list[Figure]:
    """From the file to the first check that finds its last subscriber."""
    file = place / f"subscribers.{format}"
    listed = (
        (
            f"{9_000_000_000 + number}",
            f"Ivanov Ivan {number}",
            Decimal(f"{number % 100_000}.50"),
            f"Lenina {number % 200}",
        )
        for number in range(count)
    )
    write_table(file, format, ("number", "name", "debt", "address"), listed)
    began = time.monotonic()
    load_list(rig.stack.settings, LISTED, file)
    in_force = time.monotonic()
    last = f"{9_000_000_000 + count - 1}"
    while (reply := _ask(rig, client, LISTED, last)).code:
        assert time.monotonic() - began < _BOUND_S, reply
    asked = time.monotonic()
    how = f"{count:,} rows of {format.upper()}, {file.stat().st_size / 1e6:.0f} MB"
    return [
        Figure("list on the ledger", in_force - began, "s", f"{how}: read, judged, on its topic, in force"),
        Figure("list asked by the worker", asked - began, "s", "the same, and a check finds its last subscriber"),
    ]


def answered(rig: Rig, client: CheckClient, payee: str, count: int) -> list[Figure]:
    """Questions one after the other: from producing one to reading its signed answer."""
    took = []
    for number in range(count):
        began = time.monotonic()
        reply = _ask(rig, client, payee, f"{9_000_000_000 + number}")
        assert reply.code == 0, reply
        took.append(time.monotonic() - began)
    who = "its list" if payee == LISTED else "the payee over HTTP"
    how = f"produce to signed answer, one after the other, {count} questions to {who}"
    return [Figure(f"check p{p}, {who}", (percentile(took, p) or 0) * 1000, "ms", how) for p in (50, 99)]


@contextmanager
def _asking(rig: Rig) -> Iterator[CheckClient]:
    with CheckClient(rig.stack.settings, [rig.fleet[0].id]) as client:
        yield client


def _introduce(rig: Rig) -> None:
    field = SubscriberField(name="account", title="Phone", pattern=r"9\d{9}")
    payee = Payee(
        id=LISTED, name=LISTED, gateway=CHECKED, currency=CURRENCY, fields=(field,), max_amount=10**9,
        checked_at="subscribers",
    )  # fmt: skip
    with Client(rig.stack.settings, ["root"], many=True) as client:
        command = SetPayee(id="payee.listed", issued_at=datetime.now(UTC), payee=payee)
        carry_out(client, [command], load_operator_key(rig.stack.settings, "root"))


def _ask(rig: Rig, client: CheckClient, payee: str, number: str) -> CheckReply:
    one = rig.fleet[0]
    check = CheckRequest(
        id=f"{one.id}.{payee}.{time.monotonic_ns()}", terminal=one.id, agent=one.agent, payee=payee,
        subscriber={"account": number}, made_at=datetime.now(UTC),
    )  # fmt: skip
    request: Request = check_request(check, one.tree, one.key)
    return client.ask(request, 10)[0]


if __name__ == "__main__":
    main()
