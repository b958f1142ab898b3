"""The kinds of ledger accounts: all there are, and what each is for. An account is `<kind>` or `<kind>:<whose>`.

A chart of accounts must map each of them (schemas/chart.py), so whoever adds an account adds its kind here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AccountKind:
    """normal: the side on which it usually has its balance; on the ledger a credit is positive, a debit negative.

    is_memo: it tells of things outside the books (cash in terminals), nobody owes it to anybody. what: what its balance
    is. purpose: how a bank posting names it; "{}" is whose it is. Never a payer's data, nor the mark of its change.
    """

    name: str
    normal: Literal["credit", "debit"]
    is_memo: bool
    what: str
    purpose: str


_ALL = (
    AccountKind("agent", "credit", False, "an agent's own money; below zero within its overdraft", "agent {}"),
    AccountKind("hold", "credit", False, "what is reserved of an agent's money for open payments", "hold of agent {}"),
    AccountKind("payee", "credit", False, "what is owed to a payee", "payee {}"),
    AccountKind("change", "credit", False, "what is kept for a payer", "change kept for a payer"),
    AccountKind("fee", "credit", False, "the operator's processing fees", "the operator's fees"),
    AccountKind("reward", "credit", False, "the operator's part of payees' rewards", "the operator's rewards"),
    AccountKind("bank", "debit", False, "money at the operator's bank", "the bank"),
    AccountKind("clearing", "credit", False, "what this tree owes another", "clearing with tree {}"),
    AccountKind("exchange", "credit", False, "what exchanges of one currency for another left", "currency exchange"),
    AccountKind("unclaimed", "credit", False, "change that nobody claimed in time", "unclaimed change"),
    AccountKind("agent-fees", "credit", False, "periodic fees taken from agents", "the operator's fees of agents"),
    AccountKind("voucher-stock", "debit", False, "vouchers at cost; in a tree, what it sold", "voucher stock {}"),
    AccountKind("supplier", "credit", False, "what is owed for vouchers", "supplier {}"),
    AccountKind("cash", "credit", True, "what is missing of the cash counted at a terminal", "cash in terminal {}"),
    AccountKind("cash-taken", "debit", True, "the other side of the cash in an agent's terminals", "cash of agent {}"),
)  # fmt: skip

ACCOUNT_KINDS: Mapping[str, AccountKind] = {kind.name: kind for kind in _ALL}


def kind_of(account: str) -> str:
    """ "payee:mobile" -> "payee"; of what is no kind that is known, too."""
    return account.partition(":")[0]


def purpose_of(account: str) -> str:
    """How a bank posting names the account: "payee:mobile" -> "payee mobile"."""
    kind, _, whose = account.partition(":")
    known = ACCOUNT_KINDS.get(kind)
    return known.purpose.format(whose) if known is not None else kind
