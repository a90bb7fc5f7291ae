-- Ids of customers, groups and imports are assigned by these counters. They are below 2^31, because clients keep ids in
-- 32-bit integers, and none is assigned twice. Nouns: 1 customers, 2 groups, 3 imports.

-- The last id that was assigned or skipped. Shard 0 is the only one that this engine writes. A copy from PostgreSQL has
-- others: the next id is above all of them.
CREATE TABLE id_counters (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    noun        INTEGER NOT NULL,
    shard       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, noun, shard)
) STRICT, WITHOUT ROWID;

-- Ids above their counter whose customer or group was deleted: a fixture or a copy had brought them.
CREATE TABLE retired_ids (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    noun        INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, noun, id)
) STRICT, WITHOUT ROWID;

INSERT INTO retired_ids (merchant_id, noun, id)
    SELECT DISTINCT merchant_id, 1, customer_id FROM operations
    WHERE kind = 'delete_customer' AND customer_id <= 2147483647
    UNION ALL
    SELECT DISTINCT merchant_id, 2, group_id FROM operations
    WHERE kind = 'delete_group' AND group_id <= 2147483647;

-- Lists go by the time of creation.
CREATE INDEX imports_by_creation ON imports (merchant_id, at, id);
