-- Customers 1 to 100,000 and the empty groups 1 to 400. Ids have the length of Medusa's own: prefix and 26 characters.
INSERT INTO customer (id, email, first_name, last_name, phone, has_account)
SELECT 'cus_' || lpad(n::text, 26, '0'), 'customer-' || n || '@example.com', 'Customer', n::text,
       '+966' || 500000000 + n, true
FROM generate_series(1, 100000) AS n;

INSERT INTO customer_group (id, name)
SELECT 'cusgroup_' || lpad(n::text, 26, '0'), 'Group ' || n
FROM generate_series(1, 400) AS n;

VACUUM ANALYZE;
