-- What people ask first. Every view reads deduplicated (FINAL).

CREATE OR REPLACE VIEW {database}.agent_statement AS
SELECT
    book,
    substring(account, 7) AS agent,
    account,
    currency,
    seq,
    at,
    amount,
    balance,
    kind,
    payment_id,
    cause_id,
    partition,
    offset
FROM {database}.legs FINAL
WHERE account_kind = 'agent'
ORDER BY book, account, currency, seq;

CREATE OR REPLACE VIEW {database}.trial_balance AS
SELECT
    book,
    account_kind,
    currency,
    uniqExact(account) AS accounts,
    -sumIf(amount, amount < 0) AS debit_turnover,
    sumIf(amount, amount > 0) AS credit_turnover,
    sum(amount) AS balance
FROM {database}.legs FINAL
GROUP BY book, account_kind, currency
ORDER BY book, currency, account_kind;

CREATE OR REPLACE VIEW {database}.payee_day AS
SELECT
    payments.payee AS payee,
    toDate(substring(toString(payments.received_at, if(zones.time_zone = '', 'UTC', zones.time_zone)), 1, 10))
        AS business_day,
    payments.currency AS currency,
    count() AS payments_count,
    sum(payments.amount) AS amount,
    sum(payments.fee) AS fee
FROM {database}.payments AS payments
LEFT JOIN (SELECT id, time_zone FROM {database}.payees FINAL) AS zones ON zones.id = payments.payee
WHERE payments.state = 'POSTED'
GROUP BY payee, business_day, currency
ORDER BY payee, business_day, currency;
