-- Where each payment stands now.
--
-- The loader writes a row here for every entry about a payment, from the same records and with a high-water mark of
-- this table's own. It is not a materialized view on `entries`: a view's rows are written after the table's, so a
-- server that dies in between has entries whose payments are never seen, and a repeat of the insert is dropped.
--
-- Merging rows of one payment takes the newest of what changes and any one of what does not. Taking a maximum twice
-- changes nothing, so neither does a repeated row. The sorting key is made of facts that never change, in the order
-- registries ask for them.

CREATE TABLE IF NOT EXISTS {database}.payment_states
(
    partition UInt16,
    payee LowCardinality(String),
    received_at DateTime64(3, 'UTC'),
    payment_id String,
    offset SimpleAggregateFunction(max, Int64),
    book SimpleAggregateFunction(anyLast, LowCardinality(String)),
    number SimpleAggregateFunction(anyLast, UInt64),
    terminal SimpleAggregateFunction(anyLast, String),
    agent SimpleAggregateFunction(anyLast, LowCardinality(String)),
    payer_agent SimpleAggregateFunction(anyLast, LowCardinality(String)),
    gateway SimpleAggregateFunction(anyLast, LowCardinality(String)),
    subscriber SimpleAggregateFunction(anyLast, Map(String, String)),
    amount SimpleAggregateFunction(anyLast, Int64),
    fee SimpleAggregateFunction(anyLast, Int64),
    processing SimpleAggregateFunction(anyLast, Int64),
    collected SimpleAggregateFunction(anyLast, Int64),
    currency SimpleAggregateFunction(anyLast, LowCardinality(String)),
    txn SimpleAggregateFunction(anyLast, UInt64),
    tariff_version SimpleAggregateFunction(anyLast, UInt32),
    held SimpleAggregateFunction(anyLast, Int64),
    rewards SimpleAggregateFunction(anyLast, Array(Tuple(account String, amount Int64))),
    made_at SimpleAggregateFunction(anyLast, DateTime64(3, 'UTC')),
    held_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    final_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    -- The newest entry that changed the state (DEFERRED does not), the newest of all, the newest with an answer.
    -- Each begins with its offset, which decides which is newest; -1: none.
    standing SimpleAggregateFunction(max, Tuple(
        offset Int64, state String, at DateTime64(3, 'UTC'), refusal UInt16, reason String)),
    progress SimpleAggregateFunction(max, Tuple(
        offset Int64, tries UInt32, deferrals UInt32, due_at DateTime64(3, 'UTC'))),
    answer SimpleAggregateFunction(max, Tuple(
        offset Int64, step String, verdict String, code String, provider_ref String, comment String)),
    INDEX by_payment payment_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_offset offset TYPE minmax GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY partition
ORDER BY (payee, received_at, payment_id, partition)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE OR REPLACE VIEW {database}.payments AS
SELECT
    payment_id,
    standing.state AS state,
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
    standing.at AS state_at,
    standing.refusal AS refusal,
    standing.reason AS reason,
    progress.tries AS tries,
    progress.deferrals AS deferrals,
    nullIf(progress.due_at, toDateTime64(0, 3, 'UTC')) AS due_at,
    answer.step AS outcome_step,
    answer.verdict AS outcome_verdict,
    answer.code AS outcome_code,
    answer.provider_ref AS provider_ref,
    answer.comment AS outcome_comment,
    partition,
    offset
FROM {database}.payment_states FINAL;
