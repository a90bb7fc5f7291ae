-- Ids of customers, groups and imports are assigned by these counters. They are below 2^31, because clients keep ids in
-- 32-bit integers, and none is assigned twice. Nouns: 1 customers, 2 groups, 3 imports.

-- The last id that was assigned or skipped. Customers have shards 1 to 16, so that concurrent writers rarely wait for one
-- row: a shard assigns every sixteenth id. Shard 0 counts groups and imports. For customers it is a lower bound of all
-- shards, after a copy from SQLite or a skip.
CREATE TABLE id_counters (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    noun        bigint NOT NULL,
    shard       bigint NOT NULL,
    last        bigint NOT NULL,
    PRIMARY KEY (merchant_id, noun, shard)
);

-- Ids above their counter whose customer or group was deleted: a fixture or a copy had brought them.
CREATE TABLE retired_ids (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    noun        bigint NOT NULL,
    id          bigint NOT NULL,
    PRIMARY KEY (merchant_id, noun, id)
);

INSERT INTO retired_ids (merchant_id, noun, id)
    SELECT DISTINCT merchant_id, 1, customer_id FROM operations
    WHERE kind = 'delete_customer' AND customer_id <= 2147483647
    UNION ALL
    SELECT DISTINCT merchant_id, 2, group_id FROM operations
    WHERE kind = 'delete_group' AND group_id <= 2147483647;

-- Lists go by the time of creation.
CREATE INDEX imports_by_creation ON imports (merchant_id, at, id);
