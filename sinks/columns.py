"""The tables the loader fills: their columns in the order of the rows, with the types the rows have on the wire.

The tables themselves are made by `migrations/`; tests hold the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

_TIME = "DateTime64(3, 'UTC')"
_WORD = "LowCardinality(String)"
_SHARES = "Array(Tuple(account String, amount Int64))"
_NAMES = "Array(LowCardinality(String))"
_SPENT = "Array(Tuple(mark String, amount Int64))"


@dataclass(frozen=True, slots=True)
class Table:
    """A name, and (column, type) in the order of the rows."""

    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    @property
    def types(self) -> list[str]:
        return [type_ for _, type_ in self.columns]


ENTRIES = Table(
    "entries",
    (
        ("partition", "UInt16"),
        ("offset", "Int64"),
        ("appended_at", _TIME),
        ("book", _WORD),
        ("entry_seq", "Int64"),
        ("kind", _WORD),
        ("at", _TIME),
        ("cause_id", "String"),
        ("cause_digest", "String"),
        ("caused_by", "String"),
        ("refusal", "UInt16"),
        ("reason", "String"),
        ("tries", "UInt32"),
        ("deferrals", "UInt32"),
        ("due_at", _TIME),
        ("document", "String"),
        ("leg_count", "UInt16"),
        ("payment_id", "String"),
        ("number", "UInt64"),
        ("terminal", "String"),
        ("agent", _WORD),
        ("payee", _WORD),
        ("gateway", _WORD),
        ("subscriber", "Map(String, String)"),
        ("amount", "Int64"),
        ("fee", "Int64"),
        ("processing", "Int64"),
        ("collected", "Int64"),
        ("currency", _WORD),
        ("txn", "UInt64"),
        ("tariff_version", "UInt32"),
        ("payer_agent", _WORD),
        ("held", "Int64"),
        ("rewards", _SHARES),
        ("made_at", _TIME),
        ("received_at", _TIME),
        ("outcome_step", _WORD),
        ("outcome_verdict", _WORD),
        ("outcome_code", _WORD),
        ("provider_ref", "String"),
        ("outcome_comment", "String"),
        ("terms_agent", _WORD),
        ("terms_parent", _WORD),
        ("terms_name", "String"),
        ("terms_currency", _WORD),
        ("terms_overdraft", "Int64"),
        ("terms_funding", _WORD),
        ("terms_status", _WORD),
        ("terms_time_zone", _WORD),
        ("terms_payment_max", "Int64"),
        ("terms_daily_max", "Int64"),
        ("terms_monthly_max", "Int64"),
        ("terms_payees", "Array(String)"),
        ("day", _WORD),
        ("chain", "Array(String)"),
        ("record_table", _WORD),
        ("record_id", "String"),
        ("record", "String"),
        ("tariff_rule", _WORD),
        ("closed_window", "String"),
        ("change_to", "String"),
        ("change_spent", _SPENT),
        ("crossing", "String"),
        ("change_days", "UInt32"),
        ("rate", "String"),
        ("collection", "String"),
        ("charge", "String"),
        ("posted_at", _TIME),
        ("posted_ref", "String"),
        ("refund", _WORD),
        ("change_account", "String"),
        ("correction", "String"),
        ("served", _WORD),
        ("routes", _NAMES),
        ("rerouted_from", _NAMES),
        ("voucher", "String"),
        ("registry", "String"),
    ),
)

LEGS = Table(
    "legs",
    (
        ("partition", "UInt16"),
        ("offset", "Int64"),
        ("leg_no", "UInt16"),
        ("book", _WORD),
        ("account", _WORD),
        ("account_kind", _WORD),
        ("currency", _WORD),
        ("amount", "Int64"),
        ("seq", "Int64"),
        ("balance", "Int64"),
        ("at", _TIME),
        ("kind", _WORD),
        ("payment_id", "String"),
        ("cause_id", "String"),
    ),
)

PAYMENT_STATES = Table(
    "payment_states",
    (
        ("partition", "UInt16"),
        ("offset", "Int64"),
        ("payee", _WORD),
        ("received_at", _TIME),
        ("payment_id", "String"),
        ("state", _WORD),
        ("book", _WORD),
        ("number", "UInt64"),
        ("terminal", "String"),
        ("agent", _WORD),
        ("payer_agent", _WORD),
        ("gateway", _WORD),
        ("subscriber", "Map(String, String)"),
        ("amount", "Int64"),
        ("fee", "Int64"),
        ("processing", "Int64"),
        ("collected", "Int64"),
        ("currency", _WORD),
        ("txn", "UInt64"),
        ("tariff_version", "UInt32"),
        ("held", "Int64"),
        ("rewards", _SHARES),
        ("made_at", _TIME),
        ("held_at", _TIME),
        ("final_at", _TIME),
        ("changed_at", _TIME),
        ("refusal", "UInt16"),
        ("reason", "String"),
        ("tries", "UInt32"),
        ("deferrals", "UInt32"),
        ("due_at", _TIME),
        ("outcome_step", _WORD),
        ("outcome_verdict", _WORD),
        ("outcome_code", _WORD),
        ("provider_ref", "String"),
        ("outcome_comment", "String"),
        ("day", _WORD),
        ("chain", "Array(String)"),
        ("tariff_rule", _WORD),
        ("change_to", "String"),
        ("change_spent", _SPENT),
        ("posted_at", _TIME),
        ("refund", _WORD),
        ("served", _WORD),
        ("routes", _NAMES),
        ("rerouted_from", _NAMES),
    ),
)

REJECTS = Table(
    "rejects",
    (
        ("partition", "UInt16"),
        ("offset", "Int64"),
        ("reason", _WORD),
        ("detail", "String"),
        ("origin_topic", _WORD),
        ("origin_partition", "Int32"),
        ("origin_offset", "Int64"),
        ("key", "String"),
        ("value", "String"),
        ("received_at", _TIME),
        ("appended_at", _TIME),
    ),
)

ALERTS = Table(
    "alerts",
    (
        ("partition", "UInt16"),
        ("offset", "Int64"),
        ("kind", _WORD),
        ("subject", "String"),
        ("agent", _WORD),
        ("severity", _WORD),
        ("text", "String"),
        ("at", _TIME),
        ("since", _TIME),
        ("count", "Int64"),
        ("over", "UInt8"),
        ("appended_at", _TIME),
        ("tree", _WORD),
    ),
)

_DIRECTORY_COLUMNS = (
    ("partition", "UInt16"),
    ("offset", "Int64"),
    ("id", "String"),
    ("value", "String"),
    ("deleted", "UInt8"),
    ("appended_at", _TIME),
)

# Directory tables have the names of their topics.
DIRECTORY_TABLES = {
    name: Table(name, _DIRECTORY_COLUMNS)
    for name in (
        "terminals",
        "payees",
        "tariffs",
        "gateways",
        "operators",
        "contacts",
        "schedules",
        "charts",
        "plans",
        "subscriber_lists",
    )
}

ALL = (ENTRIES, LEGS, PAYMENT_STATES, REJECTS, ALERTS, *DIRECTORY_TABLES.values())
