"""What a payee's result codes let us conclude: a protocol's table as data, and what a dialect changes in it."""

from __future__ import annotations

from collections.abc import Mapping

from agents.gateways.errors import GatewayError, NotSent
from schemas.gateway import Gateway, Meaning
from schemas.outcome import GatewayOutcome, Step, Verdict

_YES: Mapping[Step, Verdict] = {
    "check": Verdict.CHECKED,
    "pay": Verdict.PAID,
    "status": Verdict.PAID,
    "cancel": Verdict.CANCELLED,
}


class ResultTable:
    """Code -> meaning. A key is a code, or "<step>:<code>" where it means something else to one of the questions.

    A status is where this matters most: "not found" is then no refusal of the payment, and "technical error" may be
    one of the question. So to a status a code is a yes or a no only where that is said of a status, or it is fixed.
    """

    def __init__(self, protocol: Mapping[str, Meaning], record: Gateway, fixed: frozenset[str] = frozenset()) -> None:
        """protocol: its own table. record: the dialect; its `fatal_codes` replace the protocol's "fatal" lines for
        bare codes, then its `results` are laid over. fixed: codes that mean the same whatever a record says."""
        own = dict(protocol)
        if record.fatal_codes is not None:
            own = {code: meaning for code, meaning in own.items() if meaning != "fatal" or ":" in code}
            own |= {str(code): "fatal" for code in record.fatal_codes}
        own |= record.results
        self._meanings: Mapping[str, Meaning] = own | {code: protocol[code] for code in fixed}
        self._fixed = fixed
        self._of_status = frozenset(key.removeprefix("status:") for key in own if key.startswith("status:"))

    def meaning(self, step: Step, code: str) -> Meaning:
        """A code nobody told us about is "unknown"."""
        if code in self._fixed:
            return self._meanings[code]
        return self._meanings.get(f"{step}:{code}") or self._meanings.get(code, "unknown")

    def verdict(self, step: Step, code: str) -> Verdict:
        """Never a yes and never a no but where the table says so. "absent" is an answer only to a status."""
        meaning = self.meaning(step, code)
        if step == "status" and meaning != "absent" and code not in self._fixed | self._of_status:
            return Verdict.UNCLEAR
        match meaning:
            case "ok":
                return _YES[step]
            case "fatal":
                return Verdict.FATAL
            case "absent" if step == "status":
                return Verdict.ABSENT
            case _:
                return Verdict.UNCLEAR


def failed(step: Step, error: GatewayError) -> GatewayOutcome:
    """What a question came to that got no answer."""
    verdict = Verdict.NOT_SENT if isinstance(error, NotSent) else Verdict.UNCLEAR
    return GatewayOutcome(step, verdict, error.code, comment=error.comment)
