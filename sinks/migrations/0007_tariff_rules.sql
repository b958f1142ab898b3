-- By which rule of the tariff a payment was priced; "": the tariff's own prices. And of tariffs: how many rules they have.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS tariff_rule LowCardinality(String);

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS tariff_rule LowCardinality(String);

ALTER TABLE {database}.tariffs
    ADD COLUMN IF NOT EXISTS rules Array(String)
    DEFAULT arrayMap(rule -> JSONExtractString(rule, 'name'), JSONExtractArrayRaw(value, 'rules'));
