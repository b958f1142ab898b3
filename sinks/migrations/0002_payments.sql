-- Where each payment stands now.
--
-- The loader writes a row here for every entry about a payment, from the same records and with a high-water mark of
-- this table's own. It is not a materialized view on `entries`: a view's rows are written after the table's, so a
-- server that dies in between has entries whose payments are never seen, and a repeat of the insert is dropped.
--
-- The row with the highest offset wins, so a repeated or late row changes nothing. The sorting key is made of facts
-- that never change, in the order registries ask for them.

CREATE TABLE IF NOT EXISTS {database}.payment_states
(
    partition UInt16,
    offset Int64,
    payee LowCardinality(String),
    received_at DateTime64(3, 'UTC'),
    payment_id String,
    state LowCardinality(String),
    book LowCardinality(String),
    number UInt64,
    terminal String,
    agent LowCardinality(String),
    payer_agent LowCardinality(String),
    gateway LowCardinality(String),
    subscriber Map(String, String),
    amount Int64,
    fee Int64,
    processing Int64,
    collected Int64,
    currency LowCardinality(String),
    txn UInt64,
    tariff_version UInt32,
    held Int64,
    rewards Array(Tuple(account String, amount Int64)),
    made_at DateTime64(3, 'UTC'),
    held_at DateTime64(3, 'UTC'),
    final_at DateTime64(3, 'UTC'),
    changed_at DateTime64(3, 'UTC'),
    refusal UInt16,
    reason String,
    tries UInt32,
    deferrals UInt32,
    due_at DateTime64(3, 'UTC'),
    outcome_step LowCardinality(String),
    outcome_verdict LowCardinality(String),
    outcome_code LowCardinality(String),
    provider_ref String,
    outcome_comment String,
    INDEX by_payment payment_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset offset TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(offset)
PARTITION BY partition
ORDER BY (payee, received_at, payment_id, partition)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE OR REPLACE VIEW {database}.payments AS
SELECT
    payment_id,
    state,
    book,
    terminal,
    number,
    agent,
    payer_agent,
    payee,
    gateway,
    subscriber,
    amount,
    fee,
    processing,
    collected,
    currency,
    txn,
    tariff_version,
    held,
    rewards,
    made_at,
    received_at,
    nullIf(held_at, toDateTime64(0, 3, 'UTC')) AS held_at,
    nullIf(final_at, toDateTime64(0, 3, 'UTC')) AS final_at,
    changed_at,
    refusal,
    reason,
    tries,
    deferrals,
    nullIf(due_at, toDateTime64(0, 3, 'UTC')) AS due_at,
    outcome_step,
    outcome_verdict,
    outcome_code,
    provider_ref,
    outcome_comment,
    partition,
    offset
FROM {database}.payment_states FINAL;
