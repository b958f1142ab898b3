"""What the demo shows of its run: answers by state and reason, and the trial balance."""

from __future__ import annotations

from console.fleet_tally import Tally, answers
from console.output import rows, say
from schemas.money import Money
from schemas.refusal import Refusal
from sinks.warehouse import open_warehouse
from sinks.warehouse import rows as select
from streams.settings import Settings

_TRIAL_BALANCE = """
SELECT account_kind, currency, sum(debit_turnover), sum(credit_turnover), sum(balance)
FROM trial_balance GROUP BY account_kind, currency ORDER BY account_kind, currency
"""


def print_answers(tally: Tally) -> None:
    """Accepted, declined and quarantined, each by reason."""
    found = sorted(answers(tally.tracks).items())
    lines = [
        (state, code or "", Refusal.by_code(code).sentence if code else "", count) for (state, code), count in found
    ]
    rows(("answer", "code", "meaning", "messages"), lines, right=("code", "messages"))
    say("")


def print_trial_balance(settings: Settings) -> None:
    """Turnovers and balances by kind of account, in major units; the balances of all kinds sum to zero."""
    with open_warehouse(settings) as client:
        found = select(client, _TRIAL_BALANCE)
    lines = [(kind, code, *(str(Money(int(minor), code)) for minor in amounts)) for kind, code, *amounts in found]
    total = sum(int(line[4]) for line in found)
    rows(("account", "currency", "debit", "credit", "balance"), lines, right=("debit", "credit", "balance"))
    say(f"sum over all accounts: {total}")
    say("")
