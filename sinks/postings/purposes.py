"""What a posting was for, in words. Nothing that a payer typed in, and no mark of its change, is ever in them.

A word that is changed here changes files that banks have already: a kind keeps its sentence for ever.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.account_kinds import purpose_of
from schemas.entry import EntryKind

SENTENCES: Mapping[EntryKind, str] = {
    EntryKind.HELD: "Funds held for payment {payment} to {payee}",
    EntryKind.POSTED: "Payment {payment} to {payee}",
    EntryKind.VOIDED: "Payment {payment} to {payee} was not made",
    EntryKind.DECLINED: "Payment {payment} to {payee} was declined",
    EntryKind.REVERSED: "Reversal of payment {payment} to {payee}",
    EntryKind.DEPOSITED: "Deposit",
    EntryKind.TRANSFERRED: "Transfer",
    EntryKind.WITHDRAWN: "Withdrawal",
    EntryKind.CHANGE_PAID_OUT: "Change handed out",
    EntryKind.WINDOW_CLOSED: "Settlement with {payee}",
    EntryKind.CHANGE_EXPIRED: "Change that nobody claimed",
    EntryKind.CHANGE_RECLAIMED: "Change that was claimed after all",
    EntryKind.FEE_CHARGED: "Periodic fee",
    EntryKind.CASH_COLLECTED: "Cash collected and counted",
    EntryKind.TRANSFER_SENT: "Transfer to another tree",
    EntryKind.TRANSFER_RECEIVED: "Transfer from another tree",
    EntryKind.EXCHANGED: "Currency exchange",
    EntryKind.TRANSFER_RETURNED: "Transfer that came back from another tree",
    EntryKind.CORRECTED: "Correction by hand",
    EntryKind.VOUCHER_BATCH_OPENED: "Vouchers in stock",
    EntryKind.SUPPLIER_PAID: "Payment for vouchers",
}

# Kinds that have no legs, and so no postings.
MOVES_NOTHING = frozenset({
    EntryKind.UNKNOWN, EntryKind.MANUAL, EntryKind.WAITING_FUNDS, EntryKind.DEFERRED, EntryKind.AGENT_OPENED,
    EntryKind.SENT, EntryKind.REROUTED,
    EntryKind.LIMIT_SET, EntryKind.DIRECTORY_SET, EntryKind.REFUSED, EntryKind.AGENT_BLOCKED,
    EntryKind.AGENT_UNBLOCKED, EntryKind.AGENT_CLOSED, EntryKind.AGENT_MOVED, EntryKind.CURRENCY_OPENED,
    EntryKind.TRANSFER_CONFIRMED, EntryKind.TRANSFER_REJECTED, EntryKind.CHANGE_BLOCKED, EntryKind.CHANGE_UNBLOCKED,
    EntryKind.REVERSING, EntryKind.REVERSAL_REFUSED,
    EntryKind.REVERSAL_MANUAL, EntryKind.CORRECTION_PROPOSED, EntryKind.CORRECTION_DROPPED,
    EntryKind.VOUCHERS_LOADED, EntryKind.VOUCHER_BATCH_DROPPED, EntryKind.VOUCHER_BATCH_BLOCKED,
    EntryKind.VOUCHER_BATCH_UNBLOCKED, EntryKind.VOUCHER_RESERVED, EntryKind.VOUCHER_LAPSED, EntryKind.VOUCHER_SOLD,
    EntryKind.VOUCHER_NONE, EntryKind.VOUCHER_REPRINTED, EntryKind.QUEUED, EntryKind.REGISTRY_LINE,
    EntryKind.REGISTRY_CUT, EntryKind.REGISTRY_DELIVERED, EntryKind.REGISTRY_ANSWERED,
})  # fmt: skip

# The kinds that take back what an earlier entry of the same payment did, and which that is.
TAKES_BACK: Mapping[EntryKind, EntryKind] = {EntryKind.VOIDED: EntryKind.HELD, EntryKind.REVERSED: EntryKind.POSTED}


def purpose(kind: EntryKind, payment: str, payee: str, debit: str, credit: str) -> str:
    """debit, credit: ledger accounts. payment, payee: ids, "" where there is none."""
    return f"{SENTENCES[kind].format(payment=payment, payee=payee)}: {purpose_of(debit)} to {purpose_of(credit)}"
