-- An agent in each of its currencies: limits and overdraft are a currency's, everything else is the agent's own as its
-- last entry in whatever currency left it.

CREATE OR REPLACE VIEW {database}.agents AS
SELECT
    book,
    agent,
    parent,
    name,
    currency,
    funding,
    status,
    overdraft,
    payment_max,
    daily_max,
    monthly_max,
    payees,
    time_zone,
    opened_at,
    changed_at
FROM
(
    SELECT
        book,
        terms_agent AS agent,
        terms_currency AS currency,
        argMax(terms_overdraft, offset) AS overdraft,
        argMax(terms_payment_max, offset) AS payment_max,
        argMax(terms_daily_max, offset) AS daily_max,
        argMax(terms_monthly_max, offset) AS monthly_max,
        min(at) AS opened_at
    FROM {database}.entries FINAL
    WHERE terms_agent != ''
    GROUP BY book, agent, currency
) AS purse
INNER JOIN
(
    SELECT
        book,
        terms_agent AS agent,
        argMax(terms_parent, offset) AS parent,
        argMax(terms_name, offset) AS name,
        argMax(terms_funding, offset) AS funding,
        argMax(terms_status, offset) AS status,
        argMax(terms_payees, offset) AS payees,
        argMax(terms_time_zone, offset) AS time_zone,
        max(at) AS changed_at
    FROM {database}.entries FINAL
    WHERE terms_agent != ''
    GROUP BY book, agent
) AS own USING (book, agent)
ORDER BY book, agent, opened_at, currency;
