-- A merchant with rows in every table that the second migration changes, with the names before that migration.

INSERT INTO merchants (merchant_id, name, plan, time_zone, created_at) VALUES (1, 'shop', 'basic', 'UTC', 0);
INSERT INTO groups (merchant_id, id, name, is_default, created_at) VALUES (1, 10, 'all', true, 0), (1, 11, 'vip', false, 0);
INSERT INTO customers (merchant_id, id, first_name, words, created_at, updated_at)
    VALUES (1, 1, 'Sara', 'sara', 0, 0), (1, 2, 'Omar', 'omar', 0, 0);
INSERT INTO customer_words (merchant_id, word, customer_id) VALUES (1, 'sara', 1), (1, 'omar', 2);
INSERT INTO tallies (merchant_id, slot, customers) VALUES (1, 1, 2);
INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
    VALUES (1, 10, 1, 5, 1), (1, 10, 2, 5, 1), (1, 11, 2, 5, 2);
INSERT INTO past_memberships (merchant_id, group_id, customer_id, operation_id, ended_operation_id, source)
    VALUES (1, 11, 1, 4, 5, 1);
INSERT INTO imports (merchant_id, id, at, actor, language, row_count, customers, refused, fence, lease_until)
    VALUES (1, 20, 0, 'operator', 'en', 7, 2, 3, 4, 0);
INSERT INTO import_problems (merchant_id, import_id, number, row_number, column_name, reason)
    VALUES (1, 20, 1, 6, 'mobile', 'used');
