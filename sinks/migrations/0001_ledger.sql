-- The ledger as rows: one row per record in `entries`, one per leg in `legs`.
--
-- Every row carries the Kafka partition and offset it came from. Each insert holds rows of one Kafka partition, so
-- that with PARTITION BY partition it is one part, and so is taken whole or not at all. Rows of one offset are equal
-- however often they are inserted: ReplacingMergeTree drops what a second loader may have doubled, for those who read
-- FINAL. A partition can be dropped and loaded again from the ledger: ALTER TABLE … DROP PARTITION 3.

CREATE TABLE IF NOT EXISTS {database}.entries
(
    partition UInt16,
    offset Int64,
    book LowCardinality(String),
    entry_seq Int64,
    kind LowCardinality(String),
    at DateTime64(3, 'UTC'),
    appended_at DateTime64(3, 'UTC'),
    cause_id String,
    cause_digest String,
    caused_by String,
    refusal UInt16,
    reason String,
    tries UInt32,
    deferrals UInt32,
    due_at DateTime64(3, 'UTC'),
    document String,
    leg_count UInt16,
    payment_id String,
    number UInt64,
    terminal String,
    agent LowCardinality(String),
    payee LowCardinality(String),
    gateway LowCardinality(String),
    subscriber Map(String, String),
    amount Int64,
    fee Int64,
    processing Int64,
    collected Int64,
    currency LowCardinality(String),
    txn UInt64,
    tariff_version UInt32,
    payer_agent LowCardinality(String),
    held Int64,
    rewards Array(Tuple(account String, amount Int64)),
    made_at DateTime64(3, 'UTC'),
    received_at DateTime64(3, 'UTC'),
    outcome_step LowCardinality(String),
    outcome_verdict LowCardinality(String),
    outcome_code LowCardinality(String),
    provider_ref String,
    outcome_comment String,
    terms_agent LowCardinality(String),
    terms_parent LowCardinality(String),
    terms_name String,
    terms_currency LowCardinality(String),
    terms_overdraft Int64,
    terms_funding LowCardinality(String),
    record_table LowCardinality(String),
    record_id String,
    record String,
    INDEX by_payment payment_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_cause cause_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY partition
ORDER BY (partition, offset)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.legs
(
    partition UInt16,
    offset Int64,
    leg_no UInt16,
    book LowCardinality(String),
    account LowCardinality(String),
    account_kind LowCardinality(String),
    currency LowCardinality(String),
    amount Int64,
    seq Int64,
    balance Int64,
    at DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    payment_id String,
    cause_id String
)
ENGINE = ReplacingMergeTree
PARTITION BY partition
ORDER BY (partition, offset, leg_no)
SETTINGS non_replicated_deduplication_window = 1000;
