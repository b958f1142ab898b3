-- Of an entry by which change expired: after how many days without a touch.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_days UInt32;

-- Of one by which change is blocked, or not any more: which.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_account String;

-- Change that paid for a payment: fingerprints of the codes, and how much of each. Its movements are in `legs`;
-- view `payments` has it from 0012 on.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS change_spent Array(Tuple(mark String, amount Int64));

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS change_spent Array(Tuple(mark String, amount Int64));

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
