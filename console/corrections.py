"""`kassa correct`: money is moved by hand, linked to what it makes good; above a threshold another must approve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from console.amounts import minor_units, named_values
from console.confirming import Yes, confirm
from console.context import broker_settings
from console.errors import BadInput, NotFound
from console.numbers import fresh_id
from console.options import AsJson, CommandId, CurrencyCode, Operator, TimeOut
from console.output import json_line, listing, major, pairs, rows
from console.signing import done, give, now
from console.warehouse import Row, named, select
from schemas.correction import ApproveCorrection, Correct, DropCorrection, Movement

OfTree = Annotated[str, typer.Option("--tree", metavar="ROOT", help="The tree whose book it is in.")]
Proposal = Annotated[str, typer.Argument(metavar="ID", help="The id of the command that asked for it.")]

_COLUMNS = (
    "tree", "proposal", "state", "amount", "currency", "corrects", "reason", "evidence", "proposed_by", "approved_by",
    "approval", "dropped_because", "threshold", "asked_at", "decided_at", "entry_no", "movements",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Corrections by hand: make, approve, drop, list, show.", no_args_is_help=True)
    group.command("make")(make)
    group.command("approve")(approve)
    group.command("drop")(drop)
    group.command("list")(list_corrections)
    group.command("show")(show)
    app.add_typer(group, name="correct")


def make(
    movements: Annotated[
        list[str], typer.Argument(metavar="ACCOUNT=AMOUNT...", help="Such as agent:shop=-12.50 fee=12.50; sum zero.")
    ],
    tree: OfTree,
    corrects: Annotated[str, typer.Option(metavar="WHAT", help="A payment's id, or 'entry 17' of the tree's book.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why.")],
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="The act or letter behind it: it goes on record.")],
    currency: CurrencyCode = "RUB",
    yes: Yes = False,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Move money by hand, or propose to: above the server's four_eyes_above another operator must approve it."""
    command = Correct(
        id=command_id or fresh_id(),
        issued_at=now(),
        tree=tree,
        currency=currency,
        movements=tuple(_movements(movements, currency)),
        corrects=corrects,
        reason=reason,
        evidence=evidence,
    )
    confirm(f"correct {corrects} of tree {tree} by {' '.join(movements)} {currency}", yes)
    answer = give(broker_settings(), command, operator, time_out)
    done(f"correction of {corrects} in tree {tree}: {answer.reply.reason or 'done'}", command, answer)


def approve(
    proposal: Proposal,
    tree: OfTree,
    evidence: Annotated[str, typer.Option(metavar="TEXT", help="What you have seen: it goes on record.")],
    yes: Yes = False,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Approve what another operator proposed: the money moves."""
    command = ApproveCorrection(
        id=command_id or fresh_id(), issued_at=now(), tree=tree, proposal=proposal, evidence=evidence
    )
    confirm(f"approve correction {proposal} of tree {tree}", yes)
    answer = give(broker_settings(), command, operator, time_out)
    done(f"correction {proposal} approved", command, answer)


def drop(
    proposal: Proposal,
    tree: OfTree,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why not.")],
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Let a proposal come to nothing, one's own or another's."""
    command = DropCorrection(id=command_id or fresh_id(), issued_at=now(), tree=tree, proposal=proposal, reason=reason)
    answer = give(broker_settings(), command, operator, time_out)
    done(f"correction {proposal} dropped", command, answer)


def list_corrections(
    tree: Annotated[str, typer.Option(metavar="ROOT", help="Of this tree only.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that wait for another operator.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest, at most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Corrections, the newest first, as ClickHouse has them."""
    which = "state = 'proposed'" if open_only else "1"
    found = _select(
        f"WHERE {which} AND {{tree:String}} IN ('', tree) ORDER BY asked_at DESC, proposal LIMIT {limit}",
        {"tree": tree},
    )
    columns = ("correction", "tree", "of", "amount", "", "state", "by", "approved by", "asked")
    lines = (
        (id, of, corrects, major(amount, coin), coin, state, by, second or "-", f"{asked:%Y-%m-%d %H:%M:%S}")
        for of, id, state, amount, coin, corrects, _, _, by, second, _, _, _, asked, *_ in found
    )
    listing((named(_COLUMNS, one) for one in found), as_json, columns, lines, right=("amount",))


def show(proposal: Proposal, tree: OfTree, as_json: AsJson = False) -> None:
    """One correction: what it moves, why, and who signed."""
    found = _select("WHERE tree = {tree:String} AND proposal = {proposal:String}", {"tree": tree, "proposal": proposal})
    if not found:
        raise NotFound(f"there is no correction {proposal!r} in tree {tree!r}: `kassa correct list` shows all")
    said = named(_COLUMNS, found[0])
    if as_json:
        json_line(said)
        return
    coin, moved = said["currency"], said.pop("movements")
    said["amount"], said["threshold"] = (f"{major(said[name], coin)} {coin}" for name in ("amount", "threshold"))
    pairs({name.replace("_", " "): value for name, value in said.items() if value not in (None, "", 0)})
    rows(("account", "amount"), ((account, major(amount, coin)) for account, amount in moved), right=("amount",))


def _movements(texts: Iterable[str], currency: str) -> Iterable[Movement]:
    """ "agent:shop=-12.50": an account and what it gets, below zero what it gives. Raises BadInput, MoneyError."""
    for account, text in named_values(texts).items():
        is_debit, digits = text.startswith("-"), text.removeprefix("-").removeprefix("+")
        if digits.startswith(("-", "+")):
            raise BadInput(f"{text!r} is no amount: write -12.50 or 12.50")
        amount = minor_units(digits, currency)
        yield Movement(account=account, amount=-amount if is_debit else amount)


def _select(which: str, asked: dict[str, str]) -> list[Row]:
    return select(f"SELECT {', '.join(_COLUMNS)} FROM corrections {which}", asked)
