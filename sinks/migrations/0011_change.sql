-- Of an entry by which change expired: after how many days without a touch.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_days UInt32;

-- Change that paid for a payment: fingerprints of the codes, and how much of each. Its movements are in `legs`.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_spent Array(Tuple(mark String, amount Int64));

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS change_spent Array(Tuple(mark String, amount Int64));

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
    day,
    chain,
    partition,
    offset,
    change_to,
    change_spent
FROM {database}.payment_states FINAL;
