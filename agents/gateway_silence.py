"""Which gateways do not work at the moment, as far as this worker's own questions tell: a routing matter only.

Nobody is kept from asking. Where a payee has another route, new payments go there until this one works again.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.outcome import GatewayOutcome, Verdict

# So many questions in a row that nobody answered, and for so long after the last of them: then it is tried again.
_IN_A_ROW = 3
_FOR_MS = 15_000


@dataclass(slots=True)
class _Silence:
    questions: int = 0
    last_at: int = 0


class GatewaySilence:
    """Times are ms UTC."""

    def __init__(self) -> None:
        self._silent: dict[str, _Silence] = {}

    def answered(self, gateway: str, outcome: GatewayOutcome, at: int) -> None:
        """Take in what came of a question."""
        if is_answer(outcome):
            self._silent.pop(gateway, None)
            return
        silence = self._silent.setdefault(gateway, _Silence())
        silence.questions, silence.last_at = silence.questions + 1, at

    def unwell(self, at: int) -> frozenset[str]:
        """The gateways to choose last. May be asked from any thread."""
        return frozenset(
            gateway
            for gateway, silence in list(self._silent.items())
            if silence.questions >= _IN_A_ROW and at - silence.last_at < _FOR_MS
        )


def is_answer(outcome: GatewayOutcome) -> bool:
    """Did the payee say something? A result code of its own is a number; words such as "timeout" are ours."""
    if outcome.verdict is Verdict.NOT_SENT:
        return False
    return outcome.verdict is not Verdict.UNCLEAR or outcome.code.removeprefix("-").isdecimal()
