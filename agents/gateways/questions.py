"""What a gateway record may say its payee can be asked, by protocol."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.gateway import Gateway

# Protocol -> what there is to ask besides check and pay, in its dialects too. One that is not here is believed.
QUESTIONS: Mapping[str, frozenset[str]] = {
    "osmp": frozenset({"status", "cancel"}),
    "agent-xml": frozenset({"status"}),
    "signed-kv": frozenset({"status"}),
    "two-phase": frozenset({"status", "cancel", "statement"}),
}


def wrong_questions(record: Gateway) -> str:
    """What it says its payee can be asked, and its protocol has no such question, in words; "": nothing."""
    wanted = [*record.asks, *(["cancel"] if record.cancels else [])]
    known = QUESTIONS.get(record.protocol)
    wrong = [question for question in wanted if known is not None and question not in known]
    return f"protocol {record.protocol} has no {wrong[0]}" if wrong else ""
