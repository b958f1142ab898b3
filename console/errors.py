"""What the command line may fail with: every text is one readable line that says what, where and what to do."""

from __future__ import annotations

from schemas.refusal import Refusal


class KassaError(Exception):
    """Base of all of them. `exit_code` is what the shell sees: 2 asked wrongly or cannot be done now."""

    exit_code = 2


class BadInput(KassaError):
    """What was typed cannot be used."""


class NotFound(KassaError):
    """There is no such agent, terminal, payee or payment, or more than one."""


class NoBroker(KassaError):
    """No broker is known, or none answers where it should be."""


class NoAnswer(KassaError):
    """The request is in Kafka and nobody answered it in time: what becomes of it is not known here."""


class NotDelivered(KassaError):
    """Kafka did not take the request."""


class Refused(KassaError):
    """The server's clear no: a refusal code with its sentence."""

    exit_code = 1

    def __init__(self, what: str, code: int, reason: str = "", *, retryable: bool = False) -> None:
        refusal = Refusal.by_code(code)
        words = reason if refusal is Refusal.OTHER and reason else refusal.sentence
        more = f" ({reason})" if reason and words != reason else ""
        again = "; asked anew it may succeed later" if retryable else ""
        super().__init__(f"{what}: {code} {words}{more}{again}")
        self.code = code


class NotFinal(KassaError):
    """The payment was accepted and what became of it is not clear yet: neither success nor failure."""

    exit_code = 3


class Differs(KassaError):
    """The run is complete and not everything ended as it must."""

    exit_code = 1
