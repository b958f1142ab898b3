-- Whom to tell, and whose agent an alert is about.

CREATE TABLE IF NOT EXISTS {database}.contacts
(
    id String,
    mail Array(String) DEFAULT JSONExtract(value, 'mail', 'Array(String)'),
    webhooks Array(String) DEFAULT arrayMap(hook -> JSONExtractString(hook, 'url'), JSONExtractArrayRaw(value, 'webhooks')),
    low_balance Int64 DEFAULT JSONExtractInt(value, 'low_balance'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE {database}.alerts ADD COLUMN IF NOT EXISTS tree LowCardinality(String) AFTER agent;
