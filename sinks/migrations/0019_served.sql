-- How a payment's payee is served: empty, online over its gateway; 'offline', by registries; 'vouchers', from stock.

ALTER TABLE {database}.entries ADD COLUMN IF NOT EXISTS served LowCardinality(String);

ALTER TABLE {database}.payment_states ADD COLUMN IF NOT EXISTS served LowCardinality(String);
