-- What became of agents: their standing and limits, what counts for these, and a view of them as they are.
--
-- Rows loaded before are of agents that were open: there was nothing else.

ALTER TABLE {database}.entries
    ADD COLUMN IF NOT EXISTS terms_status LowCardinality(String) DEFAULT if(terms_agent = '', '', 'open'),
    ADD COLUMN IF NOT EXISTS terms_time_zone LowCardinality(String) DEFAULT if(terms_agent = '', '', 'UTC'),
    ADD COLUMN IF NOT EXISTS terms_payment_max Int64,
    ADD COLUMN IF NOT EXISTS terms_daily_max Int64,
    ADD COLUMN IF NOT EXISTS terms_monthly_max Int64,
    ADD COLUMN IF NOT EXISTS terms_payees Array(String),
    ADD COLUMN IF NOT EXISTS day LowCardinality(String),
    ADD COLUMN IF NOT EXISTS chain Array(String);

ALTER TABLE {database}.payment_states
    ADD COLUMN IF NOT EXISTS day LowCardinality(String),
    ADD COLUMN IF NOT EXISTS chain Array(String);

CREATE OR REPLACE VIEW {database}.agents AS
SELECT
    book,
    terms_agent AS agent,
    argMax(terms_parent, offset) AS parent,
    argMax(terms_name, offset) AS name,
    argMax(terms_currency, offset) AS currency,
    argMax(terms_funding, offset) AS funding,
    argMax(terms_status, offset) AS status,
    argMax(terms_overdraft, offset) AS overdraft,
    argMax(terms_payment_max, offset) AS payment_max,
    argMax(terms_daily_max, offset) AS daily_max,
    argMax(terms_monthly_max, offset) AS monthly_max,
    argMax(terms_payees, offset) AS payees,
    argMax(terms_time_zone, offset) AS time_zone,
    min(at) AS opened_at,
    max(at) AS changed_at
FROM {database}.entries FINAL
WHERE terms_agent != ''
GROUP BY book, agent
ORDER BY book, agent;

CREATE OR REPLACE VIEW {database}.agent_day AS
SELECT
    book,
    arrayJoin(chain) AS agent,
    day,
    currency,
    count() AS payments_count,
    sum(amount) AS amount
FROM {database}.payment_states FINAL
WHERE day != '' AND state != 'VOIDED'
GROUP BY book, agent, day, currency
ORDER BY book, agent, day, currency;
