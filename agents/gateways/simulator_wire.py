"""The seam to a protocol on the payees' side: a request becomes a Question, an Answer becomes a reply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from agents.gateways.simulator_faults import Behaviour, Fault
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, Question


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a payee. path: what comes after the payee's name, "" or "/pay"."""

    payee: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """content_type: the whole header, with the charset."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire(ABC):
    """One protocol as a payee speaks it. It keeps nothing: one object serves every payee of its protocol.

    The faults every protocol can have are not its affair: it is given another payment's number to answer about
    (WRONG_TXN) or another sum (WRONG_SUM), and its reply is cut, lost or replaced after it.
    """

    @abstractmethod
    def read(self, request: Request, behaviour: Behaviour) -> Question:
        """Raises BadRequest where it is no request of the protocol."""

    @abstractmethod
    def write(self, question: Question, answer: Answer, behaviour: Behaviour, fault: Fault | None) -> Reply:
        """The reply. fault: for faults that are the protocol's own, such as a wrong signature."""

    def answer(self, payees: Payees, question: Question, at: int) -> Answer:
        """The payee's true answer at `at` (ms UTC); a protocol with questions of its own answers those here."""
        return payees.answer(question, at)

    def meets(self, question: Question, fault: Fault) -> bool:
        """May this fault hit this request? Where one question takes several, each fault has its place."""
        return True
