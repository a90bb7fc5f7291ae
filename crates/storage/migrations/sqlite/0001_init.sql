-- merchant_id leads every key, so that tenancy shows in every query. Times are microseconds since 1970, UTC.

CREATE TABLE merchants (
    merchant_id INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    plan        TEXT    NOT NULL,
    time_zone   TEXT    NOT NULL,
    domain      TEXT,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE operations (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    id          INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,           -- operator, token:17
    kind        TEXT    NOT NULL,           -- add_members, create_token, …
    group_id    INTEGER,                    -- the group that it changed, if it changed one
    customer_id INTEGER,                    -- the customer that it changed, if it changed one
    changes     INTEGER NOT NULL,           -- how many rows the caller would say have changed
    PRIMARY KEY (merchant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    id          INTEGER NOT NULL,
    hash        BLOB    NOT NULL,           -- SHA-256 of the secret
    scopes      TEXT    NOT NULL,           -- separated by spaces
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER,
    PRIMARY KEY (merchant_id, id)
) STRICT, WITHOUT ROWID;

-- The one look-up that cannot name a merchant: it is how a request finds out whose it is. Not unique, because a
-- unique key without merchant_id could not be kept by a distributed database; writers check.
CREATE INDEX tokens_by_hash ON tokens (hash);

CREATE TABLE groups (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    id          INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    conditions  TEXT    NOT NULL DEFAULT '[]',
    features    TEXT    NOT NULL DEFAULT '{}',
    is_default  INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)),
    created_at  INTEGER NOT NULL,
    deleted_by  INTEGER,                    -- the operation that deleted it; its memberships still have to move
    PRIMARY KEY (merchant_id, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX groups_default ON groups (merchant_id) WHERE is_default = 1;
CREATE INDEX groups_deleted ON groups (merchant_id, id) WHERE deleted_by IS NOT NULL;

-- A rowid table, unlike the others: its key is a narrow index of its own, and checking ten thousand ids reads
-- that index alone, not rows of some hundred bytes.
CREATE TABLE customers (
    merchant_id  INTEGER NOT NULL REFERENCES merchants,
    id           INTEGER NOT NULL,
    first_name   TEXT    NOT NULL,
    last_name    TEXT,
    mobile       TEXT,
    mobile_code  TEXT,
    email        TEXT,
    email_key    TEXT,                      -- by which two addresses are the same
    gender       TEXT,
    birthday     TEXT,                      -- 1997-06-03
    city         TEXT,
    location     TEXT,
    ban_reason   TEXT,                      -- why the customer may not order
    words        TEXT    NOT NULL,          -- by which a keyword finds it, separated by spaces
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, id)
) STRICT;

CREATE UNIQUE INDEX customers_by_mobile ON customers (merchant_id, mobile) WHERE mobile IS NOT NULL;
CREATE UNIQUE INDEX customers_by_email ON customers (merchant_id, email_key) WHERE email_key IS NOT NULL;

CREATE INDEX customers_by_creation ON customers (merchant_id, created_at, id);

-- The words of customers.words one by one: a keyword is looked for as the beginning of a word. Written only together
-- with that column, so that no foreign key has to watch over it.
CREATE TABLE customer_words (
    merchant_id INTEGER NOT NULL,
    word        TEXT    NOT NULL,
    customer_id INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, word, customer_id)
) STRICT, WITHOUT ROWID;

-- How many customers a merchant has is the sum over its slots: counting a million rows for every page would cost more
-- than the page. Several slots, so that writers who stand side by side do not wait for one row.
CREATE TABLE tallies (
    merchant_id INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    customers   INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, slot)
) STRICT, WITHOUT ROWID;

-- Who is in which group now, clustered by group.
CREATE TABLE memberships (
    merchant_id  INTEGER NOT NULL,
    group_id     INTEGER NOT NULL,
    customer_id  INTEGER NOT NULL,
    operation_id INTEGER NOT NULL,          -- the operation that began it
    source       INTEGER NOT NULL CHECK (source BETWEEN 1 AND 3), -- 1 by hand, 2 by rule, 3 both
    PRIMARY KEY (merchant_id, group_id, customer_id),
    FOREIGN KEY (merchant_id, group_id) REFERENCES groups,
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customers
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_customer ON memberships (merchant_id, customer_id, group_id);

-- Who was in which group, from one operation until another.
CREATE TABLE past_memberships (
    merchant_id        INTEGER NOT NULL REFERENCES merchants,
    group_id           INTEGER NOT NULL,
    customer_id        INTEGER NOT NULL,
    operation_id       INTEGER NOT NULL,    -- the operation that began it
    ended_operation_id INTEGER NOT NULL,    -- the operation that ended it
    source             INTEGER NOT NULL CHECK (source BETWEEN 1 AND 3),
    PRIMARY KEY (merchant_id, group_id, customer_id, operation_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX past_memberships_by_customer ON past_memberships (merchant_id, customer_id, group_id);

-- Files of customers to be made. Whoever works on one holds its lease: the fence grows with each, and what is written
-- names it, so that a process which was paused can finish nothing that another has taken over.
CREATE TABLE imports (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    id          INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    actor       TEXT NOT NULL,
    language    TEXT NOT NULL,
    row_count   INTEGER NOT NULL DEFAULT 0,
    customers   INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    fence       INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    failure     TEXT,
    file        BLOB,
    PRIMARY KEY (merchant_id, id)
) STRICT;

CREATE INDEX imports_unfinished ON imports (merchant_id, id) WHERE finished_at IS NULL;

-- What was wrong with rows of an import; the first ones.
CREATE TABLE import_problems (
    merchant_id INTEGER NOT NULL REFERENCES merchants,
    import_id   INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    row_number  INTEGER NOT NULL,
    column_name TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (merchant_id, import_id, number)
) STRICT, WITHOUT ROWID;
