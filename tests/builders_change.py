"""Change under a code, as Ex. 3 leaves it, and payments that spend it."""

from __future__ import annotations

from typing import Any

from schemas.change import ChangeSpent, mark_of
from schemas.change_command import BlockChange, ReclaimChange, UnblockChange
from schemas.tariff import Fee, Tariff
from streams.ledger.commands import Instruct, Place
from streams.ledger.state import State
from tests.builders import NOW, a_place, a_rate, a_settle, a_tariff, a_tree, an_instruct, decided

CODE, OTHER_CODE = "00112233445566778899aabbccddeeff", "ff" * 16
MARK, OTHER_MARK = mark_of(CODE), mark_of(OTHER_CODE)
CHANGE, OTHER_CHANGE = f"change:{MARK}", f"change:{OTHER_MARK}"
LEFT = 17_750  # of Ex. 3, minor units


def an_absolute_fee() -> Tariff:
    """Ex. 3: 1000, of which 300 are the operator's."""
    operators = a_rate(min_minor=300, max_minor=300)
    return a_tariff(fee=Fee(min_minor=1_000, max_minor=1_000), processing=operators, reward=a_rate())


def example_3(number: int = 1, code: str = CODE, **changes: Any) -> Place:
    """A price of 31250, its fee, and a note of 50000: 17750 is change."""
    values = {"amount": 31_250, "fee": 1_000, "collected": 50_000, "change_to": mark_of(code)}
    return a_place(**values | {"number": number, "tariff": an_absolute_fee()} | changes)


def spending(*parts: tuple[str, int], number: int = 9, **changes: Any) -> Place:
    """The whole of Ex. 3's change, less the fee, to a phone; or what is said."""
    spent = tuple(ChangeSpent(code=code, amount=amount) for code, amount in parts or [(CODE, LEFT)])
    values = {"amount": LEFT - 1_000, "fee": 1_000, "change_from": spent, "tariff": an_absolute_fee()}
    return a_place(**{"number": number} | values | changes)


def a_reclaim(code: str = CODE, agent: str = "S", amount: int = LEFT, tree: str = "A", **changes: Any) -> Instruct:
    """Of change under a code that has expired; code="" says it has none, and is known by its payment."""
    values: dict[str, Any] = {"id": "reclaim-1", "issued_at": NOW, "tree": tree, "agent": agent, "code": code or None}
    values |= {"amount": amount, "currency": "RUB", "evidence": "Receipt 12"}
    return an_instruct(ReclaimChange(**values | changes))


def block_change(payment: str = "", mark: str | None = MARK, tree: str = "A", **changes: Any) -> Instruct:
    """By fingerprint, or by the payment."""
    return an_instruct(BlockChange(**_which("block", payment, mark, tree) | changes))


def unblock_change(payment: str = "", mark: str | None = MARK, tree: str = "A", **changes: Any) -> Instruct:
    return an_instruct(UnblockChange(**_which("unblock", payment, mark, tree) | changes))


def _which(what: str, payment: str, mark: str | None, tree: str) -> dict[str, Any]:
    by = {"payment": payment} if payment else {"mark": mark}
    return {"id": f"{what}-change", "issued_at": NOW, "tree": tree, "reason": "Stolen card", **by}


def with_change(money: int = 49_300) -> State:
    """Ex. 3 as it is posted: 17750 under CODE, and S has what it had less 49300."""
    state = a_tree(money=money)
    decided(state, example_3())
    decided(state, a_settle())
    return state
