-- Reversals: when a payment was posted, and how its payer gets the money back once it is reversed.
--
-- `posted_at` is the epoch where an earlier release wrote the row, until the warehouse is rebuilt; nothing here needs it.
-- A payee honours what was posted on the day of the order, and takes back what was reversed on the day of the reversal.

ALTER TABLE {database}.entries
    ADD COLUMN IF NOT EXISTS posted_at DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS posted_ref String,
    ADD COLUMN IF NOT EXISTS refund LowCardinality(String);

ALTER TABLE {database}.payment_states
    ADD COLUMN IF NOT EXISTS posted_at DateTime64(3, 'UTC'),
    ADD COLUMN IF NOT EXISTS refund LowCardinality(String);

CREATE OR REPLACE VIEW {database}.payments AS
SELECT
    payment_id,
    state,
    book,
    terminal,
    number,
    agent,
    payer_agent,
    payee,
    gateway,
    subscriber,
    amount,
    fee,
    processing,
    collected,
    currency,
    txn,
    tariff_version,
    tariff_rule,
    held,
    rewards,
    made_at,
    received_at,
    nullIf(held_at, toDateTime64(0, 3, 'UTC')) AS held_at,
    nullIf(posted_at, toDateTime64(0, 3, 'UTC')) AS posted_at,
    nullIf(final_at, toDateTime64(0, 3, 'UTC')) AS final_at,
    changed_at,
    refusal,
    reason,
    tries,
    deferrals,
    nullIf(due_at, toDateTime64(0, 3, 'UTC')) AS due_at,
    outcome_step,
    outcome_verdict,
    outcome_code,
    provider_ref,
    outcome_comment,
    refund,
    day,
    chain,
    partition,
    offset,
    change_to,
    change_spent
FROM {database}.payment_states FINAL;

CREATE OR REPLACE VIEW {database}.agent_day AS
SELECT
    book,
    arrayJoin(chain) AS agent,
    day,
    currency,
    count() AS payments_count,
    sum(amount) AS amount
FROM {database}.payment_states FINAL
WHERE day != '' AND state NOT IN ('VOIDED', 'REVERSED')
GROUP BY book, agent, day, currency
ORDER BY book, agent, day, currency;

CREATE OR REPLACE VIEW {database}.payee_lines AS
SELECT payee, payment_id, received_at AS moment, amount, fee, currency, txn, subscriber, provider_ref
FROM {database}.payments
WHERE state IN ('POSTED', 'REVERSING', 'REVERSAL_MANUAL', 'REVERSED')
UNION ALL
SELECT payee, payment_id, assumeNotNull(final_at) AS moment, -amount, -fee, currency, txn, subscriber, provider_ref
FROM {database}.payments
WHERE state = 'REVERSED';

CREATE OR REPLACE VIEW {database}.payee_day AS
SELECT
    lines.payee AS payee,
    toDate(substring(toString(lines.moment, if(zones.time_zone = '', 'UTC', zones.time_zone)), 1, 10))
        AS business_day,
    lines.currency AS currency,
    countIf(lines.amount > 0) AS payments_count,
    sum(lines.amount) AS amount,
    sum(lines.fee) AS fee,
    countIf(lines.amount < 0) AS reversals_count
FROM {database}.payee_lines AS lines
LEFT JOIN (SELECT id, time_zone FROM {database}.payees FINAL) AS zones ON zones.id = lines.payee
GROUP BY payee, business_day, currency
ORDER BY payee, business_day, currency;
