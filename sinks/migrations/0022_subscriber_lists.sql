-- Payees' uploaded lists of subscribers: which is in force. Their rows are nobody's to analyse, and stay on their topic.

CREATE TABLE IF NOT EXISTS {database}.subscriber_lists
(
    id String,
    upload String DEFAULT JSONExtractString(value, 'upload'),
    rows UInt32 DEFAULT JSONExtractUInt(value, 'rows'),
    digest String DEFAULT JSONExtractString(value, 'digest'),
    as_of DateTime64(3, 'UTC') DEFAULT parseDateTime64BestEffortOrZero(JSONExtractString(value, 'as_of'), 3, 'UTC'),
    file String DEFAULT JSONExtractString(value, 'file'),
    value String,
    deleted UInt8,
    partition UInt16,
    offset Int64,
    appended_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(offset, deleted)
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
