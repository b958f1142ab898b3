"""Questions before payment in the end: answered truly or not at all, and nothing on the ledger comes of one."""

from __future__ import annotations

from agents.gateways.simulator_faults import Behaviour, debtor
from schemas.entry import Entry
from tests.chaos.findings import DIVERGENCE, REPLY, UNHEARD, Findings
from tests.chaos.other_payees import CARD, HEATING
from tests.chaos.past import Past

# Of the payees that are asked before they are paid one tells who owes what; how it does is the simulator's.
DEBTORS = "internet"
TELLS = {"debtors": "1"}
_NOT_ASKED = (CARD, HEATING)


class AnswersTold:
    """Feed it all entries, then finish."""

    def __init__(self, past: Past) -> None:
        self._past = past

    def see(self, entry: Entry, wrong: Findings) -> None:
        payment = entry.payment.id if entry.payment is not None else ""
        if self._past.questions and {entry.cause.id, payment} & self._past.questions.keys():
            wrong.add(
                DIVERGENCE, f"book {entry.book} entry {entry.seq}: {entry.kind} comes of question {entry.cause.id}"
            )

    def finish(self, wrong: Findings) -> None:
        heard = {answer.id for answer in self._past.answers}
        for answer in self._past.answers:
            asked = self._past.questions.get(answer.id)
            if asked is None:
                wrong.add(REPLY, f"answered, and nobody asked: {answer}")
                continue
            who = debtor(Behaviour(options=TELLS), asked.account) if asked.payee == DEBTORS else None
            if answer.source != "rules" and asked.payee in _NOT_ASKED:
                wrong.add(REPLY, f"{asked.payee} is nobody to ask, and was asked: {answer}")
            if (answer.name, answer.debt) not in {("", None), who}:
                wrong.add(REPLY, f"told of {asked.payee} {asked.account}, and it is not so: {answer}")
        for id, asked in self._past.questions.items():
            if asked.is_last and id not in heard:
                wrong.add(
                    UNHEARD, f"question {id} about {asked.payee} was asked when all was calm, and nobody answered"
                )
