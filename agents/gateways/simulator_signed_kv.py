"""Signed key=value as a simulated payee speaks it. See docs/gateways/signed-kv.md."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from cryptography.hazmat.primitives import hashes

from agents.gateways import signed_kv_message as message
from agents.gateways.errors import NotSent
from agents.gateways.rsa_keys import Signer, Verifier, signer, verifier
from agents.gateways.signed_kv import PATHS
from agents.gateways.simulator_faults import Behaviour, Fault, debtor
from agents.gateways.simulator_payees import Payees
from agents.gateways.simulator_question import Answer, BadRequest, Question, Said
from agents.gateways.simulator_wire import Reply, Request, Wire
from agents.gateways.xml_reply import BrokenReply

# What is said -> ERROR and RESULT, of a check or pay and of a status. A REFUSED's ERROR is its own code.
SAID = {
    Said.OK: (0, 0, 7),
    Said.NOT_FINISHED: (0, 3, 3),
    Said.TEMPORARY: (24, 1, 3),
    Said.ABSENT: (11, 1, 1),
    Said.CANCELLED: (34, 1, 7),
    Said.INCONSISTENT: (1, 1, 1),
    Said.KNOWN: (1, 1, 1),
}

_COMMANDS = {f"/{path}": step for step, path in PATHS.items()}
_FORM = message.FORM_FIELD.encode() + b"="


class SignedKvWire(Wire):
    """Options: `key`: path of the payee's private key; `asker_key`: of the asker's public one. PEM, both needed."""

    def read(self, request: Request, behaviour: Behaviour) -> Question:
        if request.method != "POST" or request.path not in _COMMANDS or not request.body.startswith(_FORM):
            raise BadRequest(f"expected a POST of {message.FORM_FIELD} to one of {', '.join(PATHS.values())}")
        try:
            asked = message.read(unquote_to_bytes(request.body.removeprefix(_FORM)), _verifier(behaviour))
        except (message.WrongSignature, BrokenReply) as error:
            raise BadRequest(str(error)) from None
        if not all(asked.get(key, "").isdigit() for key in ("SD", "AP", "OP")):
            raise BadRequest("expected SD, AP and OP")
        account = asked.get("NUMBER") or asked.get("ACCOUNT", "")
        return Question.read(
            request.payee, _COMMANDS[request.path], asked.get("SESSION", ""), account, asked.get("AMOUNT", "")
        )

    def answer(self, payees: Payees, question: Question, at: int) -> Answer:
        is_known = payees.books[question.payee].stored(question.txn) is not None
        answer = payees.answer(question, at)
        return replace(answer, said=Said.KNOWN) if is_known and question.command == "pay" else answer

    def write(self, question: Question, answer: Answer, behaviour: Behaviour, fault: Fault | None) -> Reply:
        error, result, of_status = SAID.get(answer.said, (answer.code, 1, 7))
        said = [
            ("SESSION", str(question.txn)),
            ("ERROR", str(error)),
            ("RESULT", str(of_status if question.command == "status" else result)),
        ]
        if answer.paid is not None:
            said.append(("TRANSID", str(answer.paid.prv_txn)))
        if amount := question.sum or (answer.paid.sum if answer.paid else ""):
            said.append(("AMOUNT", amount))
        if question.command == "check" and answer.said is Said.OK and (known := debtor(behaviour, question.account)):
            name, debt = known
            said += [("NAME", name), ("DEBT", f"{debt // 100}.{debt % 100:02}"), ("PERIOD", "01.2026")]
        if behaviour.cp1251:
            said.append(("ADDINFO", "Платёж принят") if error == 0 else ("ERRMSG", "Отказ"))
        body = message.write(said, _signer(behaviour))
        if fault is Fault.WRONG_SIGNATURE:
            body = body.replace(b"\r\nERROR=", b"\r\nNOTE=\r\nERROR=")  # what was signed is another text
        return Reply(body, f"text/plain; charset={message.CHARSET}")


def _signer(behaviour: Behaviour) -> Signer:
    return _read_signer(behaviour.options.get("key", ""))


def _verifier(behaviour: Behaviour) -> Verifier:
    return _read_verifier(behaviour.options.get("asker_key", ""))


@cache
def _read_signer(path: str) -> Signer:
    try:
        return signer(Path(path).read_bytes(), hashes.SHA256())
    except (OSError, NotSent) as error:
        raise BadRequest(f"this payee has no usable key: {error}") from None


@cache
def _read_verifier(path: str) -> Verifier:
    try:
        return verifier(Path(path).read_bytes(), hashes.SHA256())
    except (OSError, NotSent) as error:
        raise BadRequest(f"this payee does not know the asker's key: {error}") from None
