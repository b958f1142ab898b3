-- Vouchers: what an entry says of them, as JSON; batches and what is left of each; every sale.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS voucher String;

CREATE OR REPLACE VIEW {database}.voucher_sales AS
SELECT
    JSONExtractString(voucher, 'payee') AS payee,
    JSONExtractString(voucher, 'batch') AS batch,
    JSONExtractString(voucher, 'serial') AS serial,
    JSONExtractInt(voucher, 'denomination') AS denomination,
    JSONExtractString(voucher, 'currency') AS currency,
    JSONExtractInt(voucher, 'cost') AS cost,
    payment_id,
    terminal,
    agent,
    book AS tree,
    at AS sold_at
FROM {database}.entries FINAL
WHERE kind = 'POSTED' AND voucher != '';

CREATE OR REPLACE VIEW {database}.voucher_stock AS
WITH batches AS (
    SELECT
        JSONExtractString(voucher, 'payee') AS payee,
        JSONExtractString(voucher, 'batch') AS batch,
        JSONExtractInt(voucher, 'terms', 'denomination') AS denomination,
        JSONExtractString(voucher, 'terms', 'currency') AS currency,
        JSONExtractInt(voucher, 'terms', 'cost') AS cost,
        JSONExtractString(voucher, 'terms', 'supplier') AS supplier,
        JSONExtractInt(voucher, 'terms', 'count') AS loaded,
        JSONExtractInt(voucher, 'terms', 'expires_at') AS expires_ms,
        at AS opened_at
    FROM {database}.entries FINAL
    WHERE kind = 'VOUCHER_BATCH_OPENED'
),
taken AS (
    SELECT
        JSONExtractString(voucher, 'payee') AS payee,
        JSONExtractString(voucher, 'batch') AS batch,
        countIf(kind = 'VOUCHER_SOLD') AS sold,
        argMaxIf(kind, entry_seq, kind IN ('VOUCHER_BATCH_BLOCKED', 'VOUCHER_BATCH_UNBLOCKED')) AS standing
    FROM {database}.entries FINAL
    WHERE kind IN ('VOUCHER_SOLD', 'VOUCHER_BATCH_BLOCKED', 'VOUCHER_BATCH_UNBLOCKED')
    GROUP BY payee, batch
)
SELECT
    batches.payee AS payee,
    batches.denomination AS denomination,
    batches.currency AS currency,
    batches.batch AS batch,
    batches.supplier AS supplier,
    batches.cost AS cost,
    batches.loaded AS loaded,
    taken.sold AS sold,
    batches.loaded - taken.sold AS unsold,
    taken.standing = 'VOUCHER_BATCH_BLOCKED' AS blocked,
    if(batches.expires_ms > 0, fromUnixTimestamp64Milli(batches.expires_ms, 'UTC'), NULL) AS expires_at,
    batches.opened_at AS opened_at
FROM batches
LEFT JOIN taken ON taken.payee = batches.payee AND taken.batch = batches.batch
ORDER BY payee, denomination, opened_at;
