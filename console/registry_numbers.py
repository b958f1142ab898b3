"""`kassa registry list`, `show`, `cut`, `deliver`, `answer`: numbered registries of payees served offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.client import Client
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput, NoAnswer, Refused
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, TimeOut
from console.output import json_line, listing, major, pairs, rows, say
from console.requests import command_request
from console.signing import done, give, now, operator_key
from console.warehouse import opened
from schemas.ids import ms_instant
from schemas.registry import registry_name
from schemas.registry_command import AnswerRegistry, CutRegistry, DeliverRegistry
from streams.settings import Settings

if TYPE_CHECKING:
    from sinks.registries.numbered import NumberedRegistry

PayeeOption = Annotated[str, typer.Option("--payee", metavar="PAYEE", help="Whose registry.")]
Number = Annotated[int, typer.Option("--registry", metavar="N", min=1, help="The registry's number: 1, 2, 3, …")]


def register(group: typer.Typer) -> None:
    group.command("list")(list_registries)
    group.command("show")(show)
    group.command("cut")(cut)
    group.command("deliver")(deliver)
    group.command("answer")(answer)


def list_registries(
    payee: Annotated[str | None, typer.Option(metavar="PAYEE", help="Of this payee only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Numbered registries, of all payees that are served offline or of one."""
    from sinks.registries.numbered import registries

    with opened() as client:
        found = registries(client, payee or "")
    columns = ("payee", "registry", "state", "lines", "total", "currency", "cut", "delivered", "accepted", "rejected")
    right = ("registry", "lines", "total", "accepted", "rejected")
    facts = [_facts(one) for one in found]
    listing(facts, as_json, columns, ([one[name] for name in columns] for one in facts), right=right)


def show(payee: PayeeOption, number: Number, as_json: AsJson = False) -> None:
    """A registry and its lines. What payers typed in is not shown: it is in the file."""
    from sinks.registries.numbered import find_registry, lines_of

    with opened() as client:
        registry = find_registry(client, payee, number)
        lines = lines_of(client, registry)
    found = [
        {
            "line": one.place, "txn": one.line.txn, "payment": one.line.payment, "tree": one.line.tree,
            "amount": major(one.line.amount, one.line.currency), "answer": one.answer or "-", "reason": one.reason,
        }
        for one in lines
    ]  # fmt: skip
    if as_json:
        json_line({**_facts(registry), "payments": found})
        return
    pairs(_facts(registry))
    columns = ("line", "txn", "payment", "tree", "amount", "answer", "reason")
    rows(columns, (list(one.values()) for one in found), right=("line", "txn", "amount"))


def cut(
    payee: PayeeOption,
    number: Number,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Cut the open registry now. Its number must be given, so that repeating the command cuts no second one."""
    command = CutRegistry(id=command_id or fresh_id(), issued_at=now(), payee=payee, number=number)
    reply = give(broker_settings(), command, operator, time_out)
    done(f"registry {number} of payee {payee} is cut", command, reply)


def deliver(
    payee: PayeeOption,
    number: Number,
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="How, and who took it: it goes on record.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="First write the file there, the same bytes as the courier's.")
    ] = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Say that a registry was brought to its payee by hand; the courier tries it no more."""
    settings = broker_settings()
    if out is not None:
        say(f"file {_write(payee, number, out)}")
    command = DeliverRegistry(
        id=command_id or fresh_id(), issued_at=now(), payee=payee, number=number, evidence=evidence
    )
    reply = give(settings, command, operator, time_out)
    done(f"registry {number} of payee {payee} is delivered", command, reply)


def answer(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The payee's answer: .csv, .tsv, .txt or .xlsx.")],
    payee: PayeeOption,
    number: Number,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="utf-8, cp1251 or cp866, of a text file. Default: UTF-8.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether all of it is right.")] = False,
    yes: Yes = False,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Take in a payee's answer to a registry, line by line: accepted lines are paid, rejected ones given back.

    The whole file is looked at first; where a line is wrong nothing of it is done. The same file again changes nothing.
    """
    from console.registry_answers import commands, read_answers
    from sinks.registries.numbered import find_registry, lines_of

    settings = broker_settings()
    with opened() as client:
        registry = find_registry(client, payee, number)
        if not registry.delivered_at:
            raise BadInput(f"registry {number} of payee {payee} is {registry.state}: it is not delivered yet")
        lines = lines_of(client, registry)
    answers = read_answers(file, registry, lines, encoding)
    fresh = {one.line.txn for one in lines if not one.answer} & {one.txn for one in answers}
    accepted = sum(one.accepted for one in answers)
    said = f"{accepted} accepted, {len(answers) - accepted} rejected, {len(answers) - len(fresh)} of them known before"
    if dry_run or not fresh:
        say(f"{said}: nothing to do" if not fresh else f"would take in {said}")
        return
    confirm(f"take in {said}", yes)
    _give(settings, list(commands(registry, answers, now())), operator, time_out)
    say(f"registry {number} of payee {payee}: {said}")


def _give(settings: Settings, found: Sequence[AnswerRegistry], operator: str | None, time_out_s: float) -> None:
    key = operator_key(settings, operator)
    with Client(settings, [command_request(found[0], key).owner]) as client:
        for place, command in enumerate(found, 1):
            try:
                reply = next(client.ask(command_request(command, key), time_out_s)).reply
            except NoAnswer as error:
                raise NoAnswer(
                    f"part {place} of {len(found)}: {error}; give the file again: what is done stays done"
                ) from None
            if reply.state != "DONE":
                raise Refused(f"part {place} of {len(found)} ({command.id})", reply.code, reply.reason)


def _write(payee: str, number: int, out: Path) -> Path:
    from sinks.registries.numbered import find_registry, lines_of
    from sinks.whole_file import whole_file
    from streams.registry_file import registry_bytes

    with opened() as client:
        registry = find_registry(client, payee, number)
        if registry.state == "open":
            raise BadInput(f"registry {number} of payee {payee} is open: it has no file yet")
        lines = [one.line for one in lines_of(client, registry)]
    out.mkdir(parents=True, exist_ok=True)
    path = out / registry_name(payee, number, registry.cut.form)
    with whole_file(path) as file:
        file.write(registry_bytes(registry.cut, lines))
    return path


def _facts(one: NumberedRegistry) -> dict[str, object]:
    cut = one.cut
    return {
        "payee": one.payee,
        "registry": one.number,
        "state": one.state,
        "lines": cut.lines,
        "total": major(cut.total, cut.currency) if cut.currency else str(cut.total),
        "currency": cut.currency,
        "since": _moment(cut.since),
        "cut": _moment(cut.until),
        "delivered": _moment(one.delivered_at),
        "how": one.delivered_how or "-",
        "evidence": one.evidence or "-",
        "accepted": one.accepted,
        "rejected": one.rejected,
        "digest": cut.digest or "-",
    }


def _moment(at: int) -> str:
    return f"{ms_instant(at):%Y-%m-%d %H:%M:%S}" if at else "-"
