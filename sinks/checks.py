"""Proofs about the loaded ledger, in SQL: what each function returns are the faults, so an empty list is good news.

Amounts and balances are minor units. Every query reads FINAL, except the one that looks for what FINAL hides. They
go partition by partition, which bounds their memory: a book, and so an account, lives on one partition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from clickhouse_connect.driver.client import Client

from sinks.warehouse import rows


class ChainBreak(NamedTuple):
    """A leg that does not follow from the one before it in its account: `seq` + 1 and `balance` + amount are due."""

    book: str
    account: str
    currency: str
    partition: int
    offset: int
    seq: int
    seq_due: int
    balance: int
    balance_due: int


class Unbalanced(NamedTuple):
    """An entry whose legs of one currency do not sum to zero."""

    partition: int
    offset: int
    book: str
    entry_seq: int
    currency: str
    total: int


class Total(NamedTuple):
    """All legs of a currency together; `total` must be 0."""

    currency: str
    legs: int
    total: int


class HoldMismatch(NamedTuple):
    """An agent whose hold account is not what its open payments hold."""

    book: str
    agent: str
    currency: str
    hold_balance: int
    open_held: int


class BookGap(NamedTuple):
    """A book whose entries are not 1, 2, 3, …, or are on more than one partition."""

    book: str
    partitions: int
    entries: int
    first_seq: int
    last_seq: int


class Incomplete(NamedTuple):
    """An entry with other legs than it had in the ledger: `legs_due` when it was read, `legs` in the table."""

    partition: int
    offset: int
    legs_due: int
    legs: int


class StalePayment(NamedTuple):
    """A payment whose state is not that of its last entry."""

    payment_id: str
    state_offset: int
    entry_offset: int


class Duplicates(NamedTuple):
    """A table with rows that only FINAL hides."""

    table: str
    partition: int
    rows: int
    distinct: int


_CHAINS = """
SELECT book, account, currency, partition, offset, seq, seq_due, balance, balance_due
FROM
(
    SELECT
        book, account, currency, partition, offset, seq, balance,
        lagInFrame(seq, 1, 0) OVER one_back + 1 AS seq_due,
        lagInFrame(balance, 1, 0) OVER one_back + amount AS balance_due
    FROM legs FINAL
    WHERE partition = {partition:UInt16}
    WINDOW one_back AS (
        PARTITION BY book, account, currency ORDER BY seq, offset, leg_no ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
)
WHERE seq != seq_due OR balance != balance_due
ORDER BY book, account, currency, seq
LIMIT {limit:UInt32}
"""

_UNBALANCED = """
SELECT partition, offset, any(entries.book), any(entries.entry_seq), currency, total
FROM
(
    SELECT partition, offset, currency, sum(amount) AS total
    FROM legs FINAL
    WHERE partition = {partition:UInt16}
    GROUP BY partition, offset, currency
    HAVING total != 0
    ORDER BY offset
    LIMIT {limit:UInt32}
) AS sums
LEFT JOIN (SELECT partition, offset, book, entry_seq FROM entries FINAL WHERE partition = {partition:UInt16}) AS entries
    USING (partition, offset)
GROUP BY partition, offset, currency, total
ORDER BY offset, currency
"""

_TOTALS = "SELECT currency, count(), sum(amount) FROM legs FINAL GROUP BY currency ORDER BY currency"

_HOLDS = """
SELECT book, agent, currency, sum(hold) AS hold_balance, sum(held) AS open_held
FROM
(
    SELECT book, substring(account, 6) AS agent, currency, amount AS hold, toInt64(0) AS held
    FROM legs FINAL WHERE account_kind = 'hold'
    UNION ALL
    SELECT book, payer_agent, currency, toInt64(0), held
    FROM payments WHERE state IN ('HELD', 'SENT', 'UNKNOWN', 'MANUAL')
)
GROUP BY book, agent, currency
HAVING hold_balance != open_held
ORDER BY book, agent, currency
LIMIT {limit:UInt32}
"""

_BOOKS = """
SELECT
    book, uniqExact(partition) AS partitions, count() AS entries,
    min(entry_seq) AS first_seq, max(entry_seq) AS last_seq
FROM entries FINAL
GROUP BY book
HAVING partitions != 1 OR first_seq != 1 OR last_seq != entries OR uniqExact(entry_seq) != entries
ORDER BY book
LIMIT {limit:UInt32}
"""

_INCOMPLETE = """
SELECT {partition:UInt16}, offset, toInt64(sum(due)) AS legs_due, toInt64(sum(there)) AS legs
FROM
(
    SELECT offset, leg_count AS due, 0 AS there FROM entries FINAL WHERE partition = {partition:UInt16}
    UNION ALL
    SELECT offset, 0, 1 FROM legs FINAL WHERE partition = {partition:UInt16}
)
GROUP BY offset
HAVING legs_due != legs
ORDER BY offset
LIMIT {limit:UInt32}
"""

_STALE = """
SELECT payment_id, max(standing) AS state_offset, max(last) AS entry_offset
FROM
(
    SELECT payment_id, offset AS standing, toInt64(-1) AS last
    FROM payment_states FINAL WHERE partition = {partition:UInt16}
    UNION ALL
    SELECT payment_id, toInt64(-1), offset
    FROM entries FINAL WHERE partition = {partition:UInt16} AND payment_id != ''
)
GROUP BY payment_id
HAVING state_offset != entry_offset
ORDER BY payment_id
LIMIT {limit:UInt32}
"""

_DUPLICATES = """
SELECT '{table}', partition, sum(stored) AS stored_rows, sum(read) AS distinct_rows
FROM
(
    SELECT partition, count() AS stored, 0 AS read FROM {table} GROUP BY partition
    UNION ALL
    SELECT partition, 0, count() FROM {table} FINAL GROUP BY partition
)
GROUP BY partition
HAVING stored_rows != distinct_rows
ORDER BY partition
"""

MOST = 1_000  # faults listed by one query; who has more of them has seen enough


def broken_chains(client: Client) -> list[ChainBreak]:
    """Accounts with a gap or a repeat in their numbering, or a balance that does not follow."""
    return [ChainBreak(*row) for row in _by_partition(client, _CHAINS)]


def unbalanced_entries(client: Client) -> list[Unbalanced]:
    return [Unbalanced(*row) for row in _by_partition(client, _UNBALANCED)]


def totals(client: Client) -> list[Total]:
    """One row for each currency there is, faulty or not."""
    return [Total(*row) for row in rows(client, _TOTALS)]


def hold_mismatches(client: Client) -> list[HoldMismatch]:
    return [HoldMismatch(*row) for row in rows(client, _HOLDS, {"limit": MOST})]


def book_gaps(client: Client) -> list[BookGap]:
    return [BookGap(*row) for row in rows(client, _BOOKS, {"limit": MOST})]


def incomplete_entries(client: Client) -> list[Incomplete]:
    return [Incomplete(*row) for row in _by_partition(client, _INCOMPLETE)]


def stale_payments(client: Client) -> list[StalePayment]:
    return [StalePayment(*row) for row in _by_partition(client, _STALE)]


def physical_duplicates(client: Client) -> list[Duplicates]:
    """Rows stored twice. Nobody who reads FINAL is misled by them; they tell of two loaders at one time."""
    return [
        Duplicates(*row)
        for table in ("entries", "legs", "rejects")
        for row in rows(client, _DUPLICATES.format(table=table))
    ]


def partitions(client: Client) -> list[int]:
    """The ledger partitions the warehouse has anything of."""
    return [int(partition) for (partition,) in rows(client, "SELECT DISTINCT partition FROM entries ORDER BY 1")]


def _by_partition(client: Client, query: str) -> list[Sequence[Any]]:
    return [
        row
        for partition in partitions(client)
        for row in rows(client, query, {"partition": partition, "limit": MOST})
    ]  # fmt: skip
