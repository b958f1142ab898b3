-- Settlement windows.
--
-- What a closing fixed stands in its entry, so it is kept there: views over `entries` are loaded exactly once because
-- the entries are. A table of its own, which most blocks of the ledger have no row for, would make the loader read from
-- the beginning at every start.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS closed_window String;

ALTER TABLE {database}.entries ADD INDEX IF NOT EXISTS by_kind kind TYPE set(64) GRANULARITY 4;

CREATE OR REPLACE VIEW {database}.windows AS
SELECT
    book AS tree,
    JSONExtractString(closed_window, 'subject') AS payee,
    JSONExtractUInt(closed_window, 'number') AS window_no,
    fromUnixTimestamp64Milli(JSONExtractInt(closed_window, 'opened_at'), 'UTC') AS opened_at,
    fromUnixTimestamp64Milli(JSONExtractInt(closed_window, 'closed_at'), 'UTC') AS closed_at,
    fromUnixTimestamp64Milli(JSONExtractInt(closed_window, 'due_at'), 'UTC') AS due_at,
    JSONExtractInt(closed_window, 'first_entry') AS first_entry,
    JSONExtractInt(closed_window, 'last_entry') AS last_entry,
    caused_by AS closed_by,
    partition,
    offset
FROM {database}.entries FINAL
WHERE kind = 'WINDOW_CLOSED';

CREATE OR REPLACE VIEW {database}.window_positions AS
SELECT
    tree,
    payee,
    window_no,
    closed_at,
    account,
    substring(account, 1, if(position(account, ':') = 0, length(account), position(account, ':') - 1)) AS account_kind,
    currency,
    opening,
    closing,
    first_leg,
    last_leg,
    settled,
    partition,
    offset
FROM
(
    SELECT
        book AS tree,
        JSONExtractString(closed_window, 'subject') AS payee,
        JSONExtractUInt(closed_window, 'number') AS window_no,
        fromUnixTimestamp64Milli(JSONExtractInt(closed_window, 'closed_at'), 'UTC') AS closed_at,
        arrayJoin(JSONExtractArrayRaw(closed_window, 'positions')) AS one,
        JSONExtractString(one, 'account') AS account,
        JSONExtractString(one, 'currency') AS currency,
        JSONExtractInt(one, 'opening') AS opening,
        JSONExtractInt(one, 'closing') AS closing,
        JSONExtractInt(one, 'first') AS first_leg,
        JSONExtractInt(one, 'last') AS last_leg,
        JSONExtractInt(one, 'settled') AS settled,
        partition,
        offset
    FROM {database}.entries FINAL
    WHERE kind = 'WINDOW_CLOSED'
);

CREATE TABLE IF NOT EXISTS {database}.schedules
(
    id String,
    tree LowCardinality(String) DEFAULT JSONExtractString(value, 'tree'),
    payee LowCardinality(String) DEFAULT JSONExtractString(value, 'payee'),
    cron String DEFAULT JSONExtractString(value, 'cron'),
    time_zone LowCardinality(String) DEFAULT JSONExtractString(value, 'time_zone'),
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
