"""`kassa change block`, `unblock`, `list`: change that an operator has stopped, and all that is kept."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from console.change_kept import accounts
from console.context import broker_settings
from console.errors import BadInput
from console.numbers import fresh_id
from console.options import AsJson, CommandId, Operator, Reason, TimeOut
from console.output import listing, major
from console.signing import done, give, now
from console.warehouse import named
from schemas.change import mark_of
from schemas.change_command import BlockChange, UnblockChange

TreeOption = Annotated[str, typer.Option("--tree", metavar="ROOT", help="The root agent of the tree that keeps it.")]
PaymentOption = Annotated[
    str | None, typer.Option("--payment", metavar="PAYMENT", help="What is kept because of this payment.")
]
MarkOption = Annotated[
    str | None, typer.Option("--mark", metavar="FINGERPRINT", help="What is kept under this fingerprint of a code.")
]
CodeOption = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="The same by the code, which is not sent.")
]


def block(
    tree: TreeOption,
    reason: Reason,
    payment: PaymentOption = None,
    mark: MarkOption = None,
    code: CodeOption = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Stop change: from here on it is not spent, handed out or reclaimed, and does not expire."""
    command = BlockChange(**_order(tree, reason, payment, mark, code, command_id))
    done(f"{_named(command)} is blocked", command, give(broker_settings(), command, operator, time_out))


def unblock(
    tree: TreeOption,
    reason: Reason,
    payment: PaymentOption = None,
    mark: MarkOption = None,
    code: CodeOption = None,
    command_id: CommandId = None,
    operator: Operator = None,
    time_out: TimeOut = 10,
) -> None:
    """Let change go that was blocked: it is the payer's again, and its days until it expires begin anew."""
    command = UnblockChange(**_order(tree, reason, payment, mark, code, command_id))
    done(f"{_named(command)} is let go", command, give(broker_settings(), command, operator, time_out))


def listed(
    tree: Annotated[str | None, typer.Option("--tree", metavar="ROOT", help="Of this tree only.")] = None,
    only_blocked: Annotated[bool, typer.Option("--blocked", help="Only what is blocked.")] = False,
    as_json: AsJson = False,
) -> None:
    """All change that is kept, and all that is blocked, as ClickHouse has it; the oldest first."""
    found = accounts(tree, only_blocked)
    columns = ("tree", "fingerprint or payment", "balance", "currency", "moved", "")
    shown = ((one.tree, one.mark, major(one.balance, one.currency), one.currency, f"{one.moved_at:%Y-%m-%d %H:%M:%S}",
              "blocked" if one.is_blocked else "") for one in found)  # fmt: skip
    listing((named(one._fields, one) for one in found), as_json, columns, shown, right=("balance",))


def _order(
    tree: str, reason: str, payment: str | None, mark: str | None, code: str | None, command_id: str | None
) -> dict[str, Any]:  # fmt: skip
    """Raises BadInput unless it is said once which change."""
    if sum(one is not None for one in (payment, mark, code)) != 1:
        raise BadInput("say which change: --payment, --mark, or --code")
    order: dict[str, Any] = {"id": command_id or fresh_id(), "issued_at": now(), "tree": tree, "reason": reason}
    return {**order, "payment": payment, "mark": mark if code is None else mark_of(code)}


def _named(order: BlockChange | UnblockChange) -> str:
    return f"the change of payment {order.payment}" if order.payment else f"the change under {order.mark}"
