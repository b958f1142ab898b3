-- Money between trees. Each entry about a transfer says all of it, so the view needs no join of one book with another.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS crossing String;

CREATE OR REPLACE VIEW {database}.clearing AS
SELECT
    JSONExtractString(crossing, 'origin') AS origin,
    JSONExtractUInt(crossing, 'number') AS transfer_no,
    JSONExtractString(any(crossing), 'target') AS target,
    JSONExtractString(any(crossing), 'giver') AS giver,
    JSONExtractString(any(crossing), 'taker') AS taker,
    JSONExtractInt(any(crossing), 'amount') AS amount,
    JSONExtractString(any(crossing), 'currency') AS currency,
    JSONExtractString(any(crossing), 'document') AS document,
    JSONExtractString(any(crossing), 'order') AS asked_by_command,
    JSONExtractString(any(crossing), 'by') AS asked_by,
    multiIf(
        countIf(kind = 'TRANSFER_RETURNED') > 0, 'returned',
        countIf(kind = 'TRANSFER_REJECTED') > 0, 'coming back',
        countIf(kind IN ('TRANSFER_RECEIVED', 'TRANSFER_CONFIRMED')) > 0, 'arrived',
        'under way'
    ) AS state,
    maxIf(reason, kind IN ('TRANSFER_REJECTED', 'TRANSFER_RETURNED')) AS why,
    minIf(at, kind = 'TRANSFER_SENT') AS sent_at,
    nullIf(maxIf(at, kind IN ('TRANSFER_RECEIVED', 'TRANSFER_REJECTED')), toDateTime64(0, 3, 'UTC')) AS taken_at,
    nullIf(maxIf(at, kind IN ('TRANSFER_CONFIRMED', 'TRANSFER_RETURNED')), toDateTime64(0, 3, 'UTC')) AS ended_at
FROM {database}.entries FINAL
WHERE crossing != ''
GROUP BY origin, transfer_no
ORDER BY origin, transfer_no;
