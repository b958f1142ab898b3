"""docs/money.md and docs/settlement.md are complete: every kind of entry with its legs, every kind of account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from schemas.account_kinds import ACCOUNT_KINDS
from schemas.command import DirectoryCommand, TreeCommand
from schemas.entry import EntryKind
from sinks.postings.purposes import MOVES_NOTHING

DOCS = Path(__file__).parent.parent / "docs"
MONEY = (DOCS / "money.md").read_text()


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table after this heading, without its head."""
    table = re.search(r"(?:^\|.*\n)+", page[page.index(heading) :], re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table[0].splitlines()[2:]]


def test_every_kind_of_entry_is_there_with_its_legs() -> None:
    table = rows(MONEY, "## Every kind of entry")
    assert sorted(kind for kind, *_ in table) == sorted(EntryKind)
    for kind, _, debit, credit in table:
        moves = EntryKind(kind) not in MOVES_NOTHING
        assert (debit != "–", credit != "–") == (moves, moves), kind


def test_its_legs_are_on_accounts_that_there_are_and_its_causes_are_commands() -> None:
    commands = {one.model_fields["kind"].default for one in _commands(TreeCommand, DirectoryCommand)}
    for kind, cause, debit, credit in rows(MONEY, "## Every kind of entry"):
        assert set(re.findall(r"`([a-z.-]+?)[:`]", debit + credit)) <= ACCOUNT_KINDS.keys(), kind
        assert set(re.findall(r"`([a-z_.]+)`", cause)) <= commands, kind


def _commands(*unions: object) -> list[type]:
    return [one for union in unions for part in get_args(union) for one in get_args(part) or (part,)]


def test_every_kind_of_account_is_there() -> None:
    table = rows((DOCS / "settlement.md").read_text(), "| account | normal side |")
    assert table == [
        [f"`{one.name}`", one.normal + (", memo" if one.is_memo else ""), one.what] for one in ACCOUNT_KINDS.values()
    ]
