-- Of an entry by which change expired: after how many days without a touch.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_days UInt32;

-- Of one by which change is blocked, or not any more: which.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_account String;

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

CREATE OR REPLACE VIEW {database}.change_accounts AS
SELECT
    kept.book AS tree,
    substring(kept.account, 8) AS mark,
    kept.currency AS currency,
    kept.balance AS balance,
    kept.moved_at AS moved_at,
    stopped.is_blocked = 1 AS is_blocked
FROM
(
    SELECT book, account, currency, argMax(balance, seq) AS balance, max(at) AS moved_at
    FROM {database}.legs FINAL
    WHERE account_kind = 'change'
    GROUP BY book, account, currency
) AS kept
LEFT JOIN
(
    SELECT book, change_account, argMax(kind, entry_seq) = 'CHANGE_BLOCKED' AS is_blocked
    FROM {database}.entries FINAL
    WHERE kind IN ('CHANGE_BLOCKED', 'CHANGE_UNBLOCKED')
    GROUP BY book, change_account
) AS stopped ON kept.book = stopped.book AND kept.account = stopped.change_account;
