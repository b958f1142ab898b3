"""Vouchers in the end: each that was sold is one payment's, each such payment has one, and its terminal was told it."""

from __future__ import annotations

from console.audit_index import fingerprint
from schemas.entry import Entry, EntryKind
from tests.chaos.findings import DIVERGENCE, DOUBLED, LOST, REPLY, UNHEARD, Findings
from tests.chaos.other_payees import pin_of
from tests.chaos.past import Past
from tests.chaos.replies_told import LAST_WORDS_MS


class SoldFromStock:
    """Feed it all entries of all partitions, in any order of partitions, then finish. sold: how many PINs were."""

    def __init__(self) -> None:
        self.sold = 0
        self._buyer: dict[tuple[str, str], str] = {}  # product, serial -> payment
        self._serial: dict[str, str] = {}  # payment -> what it was sold
        self._posted: dict[str, tuple[str, int]] = {}  # payment -> what it has, since when

    def see(self, entry: Entry, wrong: Findings) -> None:
        note, facts = entry.voucher, entry.payment
        if note is not None and entry.kind is EntryKind.VOUCHER_SOLD:
            self.sold += 1
            buyer = self._buyer.setdefault((note.payee, note.serial), note.payment)
            serial = self._serial.setdefault(note.payment, note.serial)
            if buyer != note.payment:
                wrong.add(DOUBLED, f"PIN {note.serial} was sold to payment {buyer} and to payment {note.payment}")
            if serial != note.serial:
                wrong.add(DOUBLED, f"payment {note.payment} was sold PINs {serial} and {note.serial}")
        elif facts is not None and facts.served == "vouchers" and entry.kind is EntryKind.POSTED:
            self._posted[facts.id] = note.serial if note is not None else "", entry.at

    def finish(self, past: Past, wrong: Findings) -> None:
        """All is calm: what was sold has reached its payment."""
        for payment, serial in self._serial.items():
            if payment not in self._posted:
                wrong.add(LOST, f"payment {payment} was sold PIN {serial} and is not posted")
        for payment, (serial, _) in self._posted.items():
            if serial != self._serial.get(payment):
                wrong.add(DIVERGENCE, f"payment {payment} is posted with PIN {serial or 'none'}, which it was not sold")
        for told in past.secrets:
            if not told.terminal:
                wrong.add(REPLY, f"the PIN in the reply to {told.payment} is one that nobody can open")
            elif told.terminal != told.payment.rpartition(".")[0]:
                wrong.add(REPLY, f"{told.terminal} was told the PIN of payment {told.payment}")
            elif told.serial != self._serial.get(told.payment) or told.pin != _hashed(told.serial):
                wrong.add(REPLY, f"payment {told.payment} was told PIN {told.serial}, which is not its own")
        heard = {told.payment for told in past.secrets}
        for payment, (serial, at) in self._posted.items():
            if payment not in heard and at < past.ended_at - LAST_WORDS_MS:
                wrong.add(UNHEARD, f"payment {payment} has PIN {serial}, and nobody was told it")


def _hashed(serial: str) -> str:
    return f"{fingerprint(pin_of(serial).encode()):016x}"
