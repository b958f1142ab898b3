-- Messages in quarantine, byte for byte, and the directory as it now stands.

CREATE TABLE IF NOT EXISTS {database}.rejects
(
    partition UInt16,
    offset Int64,
    reason LowCardinality(String),
    detail String,
    origin_topic LowCardinality(String),
    origin_partition Int32,
    origin_offset Int64,
    key String,
    value String,
    received_at DateTime64(3, 'UTC'),
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
PARTITION BY partition
ORDER BY (partition, offset)
SETTINGS non_replicated_deduplication_window = 1000;

-- Directory tables: the newest offset of an id wins; a deleted record (Kafka tombstone) stays as a row that FINAL
-- leaves out. The useful columns are read out of `value` here, so a record in a newer shape than this release knows
-- is still loaded whole. What a record was before is in `entries` (DIRECTORY_SET).

CREATE TABLE IF NOT EXISTS {database}.terminals
(
    id String,
    agent LowCardinality(String) DEFAULT JSONExtractString(value, 'agent'),
    tree LowCardinality(String) DEFAULT JSONExtractString(value, 'tree'),
    address String DEFAULT JSONExtractString(value, 'address'),
    keys Array(String) DEFAULT arrayMap(key -> JSONExtractString(key, 'kid'), JSONExtractArrayRaw(value, 'keys')),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.payees
(
    id String,
    name String DEFAULT JSONExtractString(value, 'name'),
    gateway LowCardinality(String) DEFAULT JSONExtractString(value, 'gateway'),
    currency LowCardinality(String) DEFAULT JSONExtractString(value, 'currency'),
    time_zone LowCardinality(String) DEFAULT JSONExtractString(value, 'time_zone'),
    min_amount Int64 DEFAULT JSONExtractInt(value, 'min_amount'),
    max_amount Int64 DEFAULT JSONExtractInt(value, 'max_amount'),
    fields Array(String) DEFAULT arrayMap(f -> JSONExtractString(f, 'name'), JSONExtractArrayRaw(value, 'fields')),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.tariffs
(
    id String,
    version UInt32 DEFAULT JSONExtractUInt(value, 'version'),
    fee_bps UInt32 DEFAULT JSONExtractUInt(value, 'fee', 'rate_bps'),
    processing_bps UInt32 DEFAULT JSONExtractUInt(value, 'processing', 'rate_bps'),
    reward_bps UInt32 DEFAULT JSONExtractUInt(value, 'reward', 'rate_bps'),
    reward_shares_bps Array(UInt32) DEFAULT JSONExtract(value, 'reward_shares_bps', 'Array(UInt32)'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.gateways
(
    id String,
    protocol LowCardinality(String) DEFAULT JSONExtractString(value, 'protocol'),
    url String DEFAULT JSONExtractString(value, 'url'),
    time_out_ms UInt32 DEFAULT JSONExtractUInt(value, 'time_out_ms'),
    connections UInt32 DEFAULT JSONExtractUInt(value, 'connections'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS {database}.operators
(
    id String,
    keys Array(String) DEFAULT arrayMap(key -> JSONExtractString(key, 'kid'), JSONExtractArrayRaw(value, 'keys')),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
