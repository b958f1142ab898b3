"""A sold PIN on its way to its terminal: opened here, sealed to that terminal, and nowhere to be seen in between."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from schemas.pin_seal import PinUnreadable
from schemas.reply import Reply
from schemas.terminal import Terminal
from schemas.voucher import Secret, VoucherNote
from streams import metrics
from streams.pin_keys import PinKeys

log = structlog.get_logger()


class PinSealer:
    """The worker's. terminals: by id, kept up to date by whoever gives it."""

    def __init__(self, keys: PinKeys, terminals: Mapping[str, Terminal]) -> None:
        self._keys = keys
        self._terminals = terminals

    def enclosed(self, reply: Reply, terminal: str, note: VoucherNote) -> Reply:
        """The reply with the PIN in it. Where it cannot be enclosed the reply says so: the voucher is sold all the
        same, and may be printed again once what was wrong is put right."""
        try:
            return reply.model_copy(update={"secret": self._sealed(terminal, note)})
        except _NotEnclosed as error:
            metrics.PINS_NOT_SEALED.inc()
            log.error("pin_not_sealed", payment=note.payment, terminal=terminal, detail=str(error))
            return reply.model_copy(update={"reason": f"{error}; ask for it with voucher.reprint later"})

    def _sealed(self, terminal: str, note: VoucherNote) -> str:
        on_file, key = self._terminals.get(terminal), self._keys.find(note.kid)
        if on_file is None or on_file.sealing is None:
            raise _NotEnclosed(f"terminal {terminal} has no sealing key on file any more")
        if key is None:
            raise _NotEnclosed(f"this worker has no key {note.kid} of PINs")
        try:
            pin = key.open(note.payee, note.batch, note.serial, note.pin)
            secret = Secret(payment=note.payment, payee=note.payee, serial=note.serial, pin=pin)
            return on_file.sealing.seal(secret.model_dump_json().encode())
        except PinUnreadable as error:
            raise _NotEnclosed(str(error)) from None
        except ValueError:
            # Neither the PIN nor the key may be quoted, and whoever raised this may have.
            raise _NotEnclosed(f"PIN {note.serial} cannot be sealed to the key of terminal {terminal}") from None


class _NotEnclosed(Exception):
    """Why a PIN cannot go to its terminal now."""
