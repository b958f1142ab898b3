"""A chart of accounts: which account at the bank each kind of ledger account is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from schemas.ids import AgentId, Currency, Wire
from schemas.operator_order import OperatorOrder
from schemas.pattern import check_pattern

COMMON = "_common"  # the id of the chart of trees that have none of their own; no tree's id begins so

# Letters, digits and what banks put between them: never what makes a spreadsheet's cell a formula.
BankAccount = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z./ -]{0,39}$")]
Branch = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z./-]{0,19}$")]
KindName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,31}$")]


class Chart(Wire):
    """Directory record, topic `charts`, key: the tree's id, or "_common" for all trees that have none of their own.

    That each kind of account is mapped is looked at when it is set (streams/ledger/charts.py), not here: a chart of an
    earlier release, which knew fewer kinds, must still be readable.
    """

    tree: Annotated[AgentId | None, Field(description="none: of all trees that have none of their own")] = None
    version: Annotated[int, Field(ge=1, lt=2**31)] = 1
    branch: Annotated[Branch, Field(description="the bank's branch, as postings name it")]
    digits: Annotated[
        str,
        StringConstraints(min_length=1, max_length=100),
        AfterValidator(check_pattern),
        Field(description="a regular expression that every account's number matches", examples=[r"\d{20}"]),
    ] = ".+"
    accounts: Annotated[
        dict[Currency, dict[KindName, BankAccount]],
        Field(min_length=1, max_length=20, description="by currency: kind of ledger account -> number at the bank"),
    ]

    @property
    def id(self) -> str:
        return self.tree or COMMON

    def number(self, kind: str, currency: str) -> str | None:
        """The bank's number of a kind of account in a currency; None: the chart has none."""
        return self.accounts.get(currency, {}).get(kind)


class SetChart(OperatorOrder):
    """Windows closed from now on are posted by this chart; those closed before keep theirs."""

    kind: Literal["chart.set"] = "chart.set"
    chart: Chart
