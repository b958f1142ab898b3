-- What became of agents: their standing, and a view of them as they are.
--
-- Rows loaded before are of agents that were open: there was nothing else.

ALTER TABLE {database}.entries
    ADD COLUMN IF NOT EXISTS terms_status LowCardinality(String) DEFAULT if(terms_agent = '', '', 'open');

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
    min(at) AS opened_at,
    max(at) AS changed_at
FROM {database}.entries FINAL
WHERE terms_agent != ''
GROUP BY book, agent
ORDER BY book, agent;
