-- Cash in terminals: each collection, and what should be in every terminal now. Views over `entries`, as for windows.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS collection String;

CREATE OR REPLACE VIEW {database}.collections AS
SELECT
    book AS tree,
    JSONExtractString(collection, 'terminal') AS terminal,
    JSONExtractString(collection, 'agent') AS agent,
    JSONExtractString(collection, 'currency') AS currency,
    JSONExtractUInt(collection, 'number') AS collection_no,
    at AS collected_at,
    JSONExtractInt(collection, 'expected') AS expected,
    JSONExtractInt(collection, 'counted') AS counted,
    JSONExtractInt(collection, 'shortage') AS shortage,
    JSONExtract(collection, 'denominations', 'Array(Tuple(Int64, Int64))') AS denominations,
    JSONExtractInt(collection, 'first_entry') AS first_entry,
    JSONExtractInt(collection, 'last_entry') AS last_entry,
    document AS bag,
    reason AS comment,
    caused_by AS collected_by,
    cause_id,
    partition,
    offset
FROM {database}.entries FINAL
WHERE kind = 'CASH_COLLECTED';

-- What was collected with an order is in the box at its receipt (of a declined one, if it was kept); else the cashier
-- takes it when the payee has the payment. See docs/money.md.
CREATE OR REPLACE VIEW {database}.cash_expected AS
SELECT
    tree,
    terminal,
    agent,
    currency,
    sum(moved) AS expected,
    nullIf(max(emptied_at), toDateTime64(0, 3, 'UTC')) AS collected_at
FROM
(
    SELECT
        book AS tree,
        terminal,
        agent,
        currency,
        multiIf(
            collected = 0, if(kind = 'POSTED', greatest(amount + fee - arraySum(change_spent.amount), 0), 0),
            cause_id != payment_id OR caused_by IN ('dispatch', 'funds', 'timer'), 0,
            kind IN ('HELD', 'WAITING_FUNDS') OR (kind = 'DECLINED' AND leg_count > 0), collected,
            0
        ) AS moved,
        toDateTime64(0, 3, 'UTC') AS emptied_at
    FROM {database}.entries FINAL
    WHERE payment_id != '' AND moved != 0
    UNION ALL
    SELECT
        tree,
        terminal,
        agent,
        currency,
        -expected AS moved,
        collected_at AS emptied_at
    FROM {database}.collections
)
GROUP BY tree, terminal, agent, currency;
