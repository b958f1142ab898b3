-- What people were told. The newest row of (kind, subject, since) says whether it is over.

CREATE TABLE IF NOT EXISTS {database}.alerts
(
    partition UInt16,
    offset Int64,
    kind LowCardinality(String),
    subject String,
    agent LowCardinality(String),
    severity LowCardinality(String),
    text String,
    at DateTime64(3, 'UTC'),
    since DateTime64(3, 'UTC'),
    count Int64,
    over UInt8,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY partition
ORDER BY (partition, offset)
SETTINGS non_replicated_deduplication_window = 1000;
