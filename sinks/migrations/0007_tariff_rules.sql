-- By which rule of the tariff a payment was priced; "": the tariff's own prices. And of tariffs: how many rules they have.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS tariff_rule LowCardinality(String);

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS tariff_rule LowCardinality(String);

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
    offset
FROM {database}.payment_states FINAL;

ALTER TABLE {database}.tariffs
    ADD COLUMN IF NOT EXISTS rules Array(String)
    DEFAULT arrayMap(rule -> JSONExtractString(rule, 'name'), JSONExtractArrayRaw(value, 'rules'));
