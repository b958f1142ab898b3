-- A payment's route: gateways it may still be paid through, the next one first, and those that let it go before.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS routes Array(LowCardinality(String));

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS rerouted_from Array(LowCardinality(String));

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS routes Array(LowCardinality(String));

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS rerouted_from Array(LowCardinality(String));

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
    change_spent,
    served,
    routes,
    rerouted_from
FROM {database}.payment_states FINAL;
