"""`kassa deposits`: a bank statement becomes deposits, each credit once however often it is uploaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from console.bank_camt import read_camt
from console.bank_csv import read_csv
from console.bank_line import Credit, Statement, deposits
from console.client import Client
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput, Differs, NoAnswer
from console.lookup import purses
from console.options import Operator, TimeOut
from console.output import major, note, rows, say
from console.requests import command_request
from console.signing import operator_key
from schemas.command import Deposit
from schemas.reply import Reply
from streams.settings import Settings

_MOST_BYTES = 32 * 1024 * 1024


class Form(StrEnum):
    """How the file is written."""

    CSV = "csv"
    CAMT053 = "camt053"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Deposits: a bank statement's credits put on agents' accounts.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("upload")(upload)
    app.add_typer(group, name="deposits")


def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bank's statement.")],
    form: Annotated[
        Form | None, typer.Option("--form", help="csv or camt053 (camt.053.001.08). Default: by the file's name, .xml.")
    ] = None,
    leave: Annotated[
        list[str] | None,
        typer.Option(metavar="REFERENCE", help="A credit that is no deposit, by the bank's reference; repeatable."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deposited.")] = False,
    yes: Yes = False,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Deposit each credit of a bank statement to the agent its text names, once."""
    settings = broker_settings()
    statement = _read(file, form)
    if (missing := statement.leave(leave or ())) is not None:
        raise BadInput(f"--leave {missing}: no credit in {file} has this reference")
    found, faults = deposits(statement, purses(settings))
    if faults:
        rows(("line", "cannot be used", "reference"), faults, right=("line",))
        raise BadInput(f"{len(faults)} of {_count(statement)} credits in {file} cannot be used; nothing was deposited")
    totals = Counter[str]()
    for _, command in found:
        totals[command.currency] += command.amount
    sums = ", ".join(f"{major(minor, currency)} {currency}" for currency, minor in sorted(totals.items())) or "nothing"
    said = f"deposit {sums} in {len(found)} credits, {statement.passed_over} other rows passed over"
    if statement.taken_back:
        note(f"{statement.taken_back} of the rows say that the bank took a credit back: what of it was deposited "
             "is on its agent's account until it is withdrawn or corrected")  # fmt: skip
    if dry_run or not found:
        _show((credit, command, "to be deposited") for credit, command in found)
        say(f"would {said}")
        return
    confirm(said, yes)
    _show(_give(settings, found, operator, time_out))


def _read(file: Path, form: Form | None) -> Statement:
    """Raises BadInput."""
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= _MOST_BYTES else b""
    except OSError as error:
        raise BadInput(f"{file}: {error.strerror}") from None
    if size > _MOST_BYTES:
        raise BadInput(f"{file} has {size:,} bytes; a statement has at most {_MOST_BYTES:,}")
    is_camt = form is Form.CAMT053 or (form is None and file.suffix.lower() == ".xml")
    return read_camt(content) if is_camt else read_csv(content)


def _count(statement: Statement) -> int:
    return len(statement.credits) + len(statement.faults)


def _give(
    settings: Settings, found: list[tuple[Credit, Deposit]], operator: str | None, time_out_s: float
) -> Iterator[tuple[Credit, Deposit, str]]:
    """Each deposit and what became of it. Raises NoAnswer, and Differs at the end when any was refused."""
    key = operator_key(settings, operator)
    refused = 0
    with Client(settings, [command_request(found[0][1], key).owner]) as client:
        for credit, command in found:
            try:
                reply = next(client.ask(command_request(command, key), time_out_s)).reply
            except NoAnswer as error:
                raise NoAnswer(f"line {credit.line}: {error}; upload the file again: what is done stays done") from None
            refused += reply.state != "DONE"
            yield credit, command, _outcome(reply)
    if refused:
        raise Differs(f"{refused} of {len(found)} credits were not deposited")


def _outcome(reply: Reply) -> str:
    if reply.state != "DONE":
        return f"{reply.state} {reply.code} {reply.reason}"
    return "deposited before" if reply.again else "deposited"


def _show(lines: Iterator[tuple[Credit, Deposit, str]]) -> None:
    """A table; what was done is shown also when what follows fails."""
    done: list[tuple[object, ...]] = []
    try:
        for credit, command, outcome in lines:
            amount = f"{major(command.amount, command.currency)} {command.currency}"
            done.append((credit.line, credit.reference, command.tree, command.agent, amount, outcome))
    finally:
        if done:
            rows(("line", "reference", "tree", "agent", "amount", "outcome"), done, right=("line", "amount"))
