-- Charts of accounts. What a chart was when a window was closed stands in `entries`.

CREATE TABLE IF NOT EXISTS {database}.charts
(
    id String,
    tree LowCardinality(String) DEFAULT JSONExtractString(value, 'tree'),
    version UInt32 DEFAULT JSONExtractUInt(value, 'version'),
    branch LowCardinality(String) DEFAULT JSONExtractString(value, 'branch'),
    currencies Array(String) DEFAULT JSONExtractKeys(value, 'accounts'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
