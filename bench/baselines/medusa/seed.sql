-- Customers 1 to 100,000 and groups 1 to 400, all empty. An id is as long as Medusa's own: prefix and 26 characters.
INSERT INTO customer (id, email, first_name, last_name, phone, has_account)
SELECT 'cus_' || lpad(n::text, 26, '0'), 'customer-' || n || '@example.com', 'Customer', n::text,
       '+966' || 500000000 + n, true
FROM generate_series(1, 100000) AS n;

INSERT INTO customer_group (id, name)
SELECT 'cusgroup_' || lpad(n::text, 26, '0'), 'Group ' || n
FROM generate_series(1, 400) AS n;

VACUUM ANALYZE;
