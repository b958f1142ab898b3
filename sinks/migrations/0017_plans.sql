-- Periodic fees of agents: the plans, and what was charged by them.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS charge String;

CREATE OR REPLACE VIEW {database}.fees AS
SELECT
    book AS tree,
    JSONExtractString(charge, 'plan') AS plan,
    JSONExtractString(charge, 'agent') AS agent,
    JSONExtractString(charge, 'payer') AS payer,
    JSONExtractString(charge, 'period') AS period,
    JSONExtractString(charge, 'currency') AS currency,
    JSONExtractInt(charge, 'fixed') AS fixed,
    JSONExtractInt(charge, 'per_terminal') AS per_terminal,
    JSONExtractInt(charge, 'terminals') AS terminals,
    JSONExtractInt(charge, 'amount') AS amount,
    JSONExtractString(charge, 'plan_digest') AS plan_digest,
    at AS charged_at,
    entry_seq,
    partition,
    offset
FROM {database}.entries FINAL
WHERE kind = 'FEE_CHARGED';

CREATE TABLE IF NOT EXISTS {database}.plans
(
    id String,
    tree LowCardinality(String) DEFAULT JSONExtractString(value, 'tree'),
    agents Array(String) DEFAULT JSONExtract(value, 'agents', 'Array(String)'),
    fixed Int64 DEFAULT JSONExtractInt(value, 'fixed'),
    per_terminal Int64 DEFAULT JSONExtractInt(value, 'per_terminal'),
    currency LowCardinality(String) DEFAULT JSONExtractString(value, 'currency'),
    period LowCardinality(String) DEFAULT JSONExtractString(value, 'period'),
    starts String DEFAULT JSONExtractString(value, 'starts'),
    is_paused UInt8 DEFAULT JSONExtractBool(value, 'is_paused'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
