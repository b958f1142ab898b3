-- Registries of payees that are served offline: their lines, what became of each, and the registries themselves.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS registry String;

CREATE OR REPLACE VIEW {database}.registry_lines AS
SELECT
    lines.payee AS payee,
    lines.number AS number,
    lines.line AS line,
    lines.txn AS txn,
    lines.payment_id AS payment_id,
    lines.tree AS tree,
    lines.subscriber AS subscriber,
    lines.amount AS amount,
    lines.currency AS currency,
    lines.paid_at AS paid_at,
    lines.added_at AS added_at,
    multiIf(answers.answered_at = toDateTime64(0, 3, 'UTC'), '', answers.accepted, 'accepted', 'rejected') AS answer,
    answers.reason AS reason,
    nullIf(answers.answered_at, toDateTime64(0, 3, 'UTC')) AS answered_at
FROM
(
    SELECT
        JSONExtractString(registry, 'payee') AS payee,
        JSONExtractUInt(registry, 'number') AS number,
        row_number() OVER (
            PARTITION BY JSONExtractString(registry, 'payee'), JSONExtractUInt(registry, 'number') ORDER BY entry_seq
        ) AS line,
        JSONExtractUInt(registry, 'line', 'txn') AS txn,
        JSONExtractString(registry, 'line', 'payment') AS payment_id,
        JSONExtractString(registry, 'line', 'tree') AS tree,
        JSONExtractRaw(registry, 'line', 'subscriber') AS subscriber,
        JSONExtractInt(registry, 'line', 'amount') AS amount,
        JSONExtractString(registry, 'line', 'currency') AS currency,
        fromUnixTimestamp64Milli(JSONExtractInt(registry, 'line', 'paid_at'), 'UTC') AS paid_at,
        at AS added_at
    FROM {database}.entries FINAL
    WHERE kind = 'REGISTRY_LINE'
) AS lines
LEFT JOIN
(
    SELECT
        JSONExtractUInt(said, 'txn') AS txn,
        JSONExtractBool(said, 'accepted') AS accepted,
        JSONExtractString(said, 'reason') AS reason,
        at AS answered_at
    FROM {database}.entries FINAL
    ARRAY JOIN JSONExtractArrayRaw(registry, 'answers') AS said
    WHERE kind = 'REGISTRY_ANSWERED'
) AS answers ON lines.txn = answers.txn
ORDER BY payee, number, line;

CREATE OR REPLACE VIEW {database}.registries AS
SELECT
    payee,
    number,
    multiIf(
        cut_at IS NULL, 'open',
        delivered_at IS NULL, 'cut',
        accepted + rejected = lines, 'answered',
        accepted + rejected > 0, 'answered in part',
        'delivered'
    ) AS state,
    lines,
    total,
    currency,
    digest,
    accepted,
    rejected,
    accepted_total,
    form,
    time_zone,
    since,
    cut_at,
    due_at,
    delivered_at,
    delivered_how,
    sha256,
    evidence
FROM
(
    SELECT
        JSONExtractString(registry, 'payee') AS payee,
        JSONExtractUInt(registry, 'number') AS number,
        countIf(kind = 'REGISTRY_LINE') AS lines,
        sumIf(JSONExtractInt(registry, 'line', 'amount'), kind = 'REGISTRY_LINE') AS total,
        anyIf(
            if(kind = 'REGISTRY_CUT', JSONExtractString(registry, 'cut', 'currency'),
                JSONExtractString(registry, 'line', 'currency')),
            kind IN ('REGISTRY_CUT', 'REGISTRY_LINE')
        ) AS currency,
        maxIf(JSONExtractString(registry, 'cut', 'digest'), kind = 'REGISTRY_CUT') AS digest,
        sum(length(arrayFilter(said -> JSONExtractBool(said, 'accepted'), answers))) AS accepted,
        sum(length(answers)) - accepted AS rejected,
        sum(
            arraySum(
                said -> JSONExtractInt(said, 'amount'), arrayFilter(said -> JSONExtractBool(said, 'accepted'), answers)
            )
        ) AS accepted_total,
        maxIf(JSONExtractString(registry, 'cut', 'form'), kind = 'REGISTRY_CUT') AS form,
        maxIf(JSONExtractString(registry, 'cut', 'time_zone'), kind = 'REGISTRY_CUT') AS time_zone,
        nullIf(
            fromUnixTimestamp64Milli(maxIf(JSONExtractInt(registry, 'cut', 'since'), kind = 'REGISTRY_CUT'), 'UTC'),
            toDateTime64(0, 3, 'UTC')
        ) AS since,
        nullIf(maxIf(at, kind = 'REGISTRY_CUT'), toDateTime64(0, 3, 'UTC')) AS cut_at,
        nullIf(
            fromUnixTimestamp64Milli(maxIf(JSONExtractInt(registry, 'cut', 'due_at'), kind = 'REGISTRY_CUT'), 'UTC'),
            toDateTime64(0, 3, 'UTC')
        ) AS due_at,
        nullIf(maxIf(at, kind = 'REGISTRY_DELIVERED'), toDateTime64(0, 3, 'UTC')) AS delivered_at,
        maxIf(JSONExtractString(registry, 'delivery', 'how'), kind = 'REGISTRY_DELIVERED') AS delivered_how,
        maxIf(JSONExtractString(registry, 'delivery', 'sha256'), kind = 'REGISTRY_DELIVERED') AS sha256,
        maxIf(document, kind = 'REGISTRY_DELIVERED') AS evidence
    FROM
    (
        SELECT kind, at, document, registry, JSONExtractArrayRaw(registry, 'answers') AS answers
        FROM {database}.entries FINAL
        WHERE registry != ''
    )
    GROUP BY payee, number
)
ORDER BY payee, number;
