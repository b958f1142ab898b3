-- Corrections by hand, from the proposal to its end. Each entry about one says all of it.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS correction String;

CREATE OR REPLACE VIEW {database}.corrections AS
SELECT
    book AS tree,
    JSONExtractString(correction, 'proposal') AS proposal,
    multiIf(
        countIf(kind = 'CORRECTED') > 0, 'corrected',
        countIf(kind = 'CORRECTION_DROPPED') > 0, 'dropped',
        'proposed'
    ) AS state,
    JSONExtractString(any(correction), 'currency') AS currency,
    arraySum(
        one -> greatest(one.2, 0), JSONExtract(any(correction), 'movements', 'Array(Tuple(String, Int64))')
    ) AS amount,
    JSONExtract(any(correction), 'movements', 'Array(Tuple(String, Int64))') AS movements,
    JSONExtractString(any(correction), 'corrects') AS corrects,
    JSONExtractString(any(correction), 'reason') AS reason,
    JSONExtractString(any(correction), 'evidence') AS evidence,
    JSONExtractString(any(correction), 'proposed_by') AS proposed_by,
    max(JSONExtractString(correction, 'approved_by')) AS approved_by,
    JSONExtractInt(any(correction), 'threshold') AS threshold,
    maxIf(document, kind = 'CORRECTED') AS approval,
    maxIf(entries.reason, kind = 'CORRECTION_DROPPED') AS dropped_because,
    min(at) AS asked_at,
    nullIf(maxIf(at, kind != 'CORRECTION_PROPOSED'), toDateTime64(0, 3, 'UTC')) AS decided_at,
    maxIf(entry_seq, kind = 'CORRECTED') AS entry_no
FROM {database}.entries FINAL
WHERE correction != ''
GROUP BY tree, proposal
ORDER BY tree, proposal;
