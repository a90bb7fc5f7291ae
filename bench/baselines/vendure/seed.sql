-- Customers 1 to 100,000 and the empty groups 1 to 400. Vendure sees only customers of its channel; the default is 1.
INSERT INTO customer (id, "emailAddress", "firstName", "lastName", "phoneNumber")
SELECT n, 'customer-' || n || '@example.com', 'Customer', n::text, '+966' || 500000000 + n
FROM generate_series(1, 100000) AS n;

INSERT INTO customer_channels_channel ("customerId", "channelId")
SELECT n, 1 FROM generate_series(1, 100000) AS n;

INSERT INTO customer_group (id, name)
SELECT n, 'Group ' || n FROM generate_series(1, 400) AS n;

SELECT setval(pg_get_serial_sequence('customer', 'id'), 100000);
SELECT setval(pg_get_serial_sequence('customer_group', 'id'), 400);

VACUUM ANALYZE;
