-- merchant_id leads every key, so that a distributed database can keep all rows of a merchant together. Times are
-- microseconds since 1970, UTC: the very numbers that the embedded engine keeps.

CREATE TABLE merchants (
    merchant_id bigint NOT NULL PRIMARY KEY,
    name        text   NOT NULL,
    plan        text   NOT NULL,
    time_zone   text   NOT NULL,
    domain      text,
    created_at  bigint NOT NULL,
    removals    bigint NOT NULL DEFAULT 0   -- goes up before a customer or a group of the merchant is taken away
);

-- No foreign key: a merchant is never taken away, and looking for it would lock its row in every operation.
CREATE TABLE operations (
    merchant_id bigint NOT NULL,
    id          bigint NOT NULL,
    at          bigint NOT NULL,
    actor       text   NOT NULL,            -- operator, token:17
    kind        text   NOT NULL,            -- add_members, create_token, …
    group_id    bigint,                     -- the group that it changed, if it changed one
    customer_id bigint,                     -- the customer that it changed, if it changed one
    changes     bigint NOT NULL,            -- how many rows the caller would say have changed
    nonce       bigint NOT NULL,            -- by which a writer whose connection broke knows its own row
    PRIMARY KEY (merchant_id, id)
);

CREATE TABLE tokens (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    id          bigint NOT NULL,
    hash        bytea  NOT NULL,            -- SHA-256 of the secret
    scopes      text   NOT NULL,            -- separated by spaces
    created_at  bigint NOT NULL,
    expires_at  bigint,
    revoked_at  bigint,
    PRIMARY KEY (merchant_id, id)
);

-- The one look-up that cannot name a merchant: it is how a request finds out whose it is. Not unique, because a
-- unique key without merchant_id could not be kept by a distributed database; writers check.
CREATE INDEX tokens_by_hash ON tokens (hash);

CREATE TABLE groups (
    merchant_id bigint  NOT NULL REFERENCES merchants (merchant_id),
    id          bigint  NOT NULL,
    name        text    NOT NULL,
    conditions  text    NOT NULL DEFAULT '[]',
    features    text    NOT NULL DEFAULT '{}',
    is_default  boolean NOT NULL DEFAULT false,
    created_at  bigint  NOT NULL,
    deleted_by  bigint,                     -- the operation that deleted it; its memberships still have to move
    PRIMARY KEY (merchant_id, id)
);

CREATE UNIQUE INDEX groups_default ON groups (merchant_id) WHERE is_default;
CREATE INDEX groups_deleted ON groups (merchant_id, id) WHERE deleted_by IS NOT NULL;

CREATE TABLE customers (
    merchant_id  bigint NOT NULL REFERENCES merchants (merchant_id),
    id           bigint NOT NULL,
    first_name   text   NOT NULL,
    last_name    text,
    mobile       text,
    mobile_code  text,
    email        text,
    email_key    text,                      -- by which two addresses are the same
    gender       text,
    birthday     text,                      -- 1997-06-03
    city         text,
    location     text,
    ban_reason   text,                      -- why the customer may not order
    words        text   NOT NULL,           -- by which a keyword finds it, separated by spaces
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    PRIMARY KEY (merchant_id, id)
);

CREATE UNIQUE INDEX customers_by_mobile ON customers (merchant_id, mobile) WHERE mobile IS NOT NULL;
CREATE UNIQUE INDEX customers_by_email ON customers (merchant_id, email_key) WHERE email_key IS NOT NULL;

CREATE INDEX customers_by_creation ON customers (merchant_id, created_at, id);

-- The words of customers.words one by one: a keyword is looked for as the beginning of a word. Written only together
-- with that column, so that no foreign key has to watch over it.
CREATE TABLE customer_words (
    merchant_id bigint NOT NULL,
    word        text   NOT NULL COLLATE "C",
    customer_id bigint NOT NULL,
    PRIMARY KEY (merchant_id, word, customer_id)
);

-- How many customers a merchant has is the sum over its slots: counting a million rows for every page would cost more
-- than the page. Several slots, so that writers who stand side by side do not wait for one row.
CREATE TABLE tallies (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    slot        bigint NOT NULL,
    customers   bigint NOT NULL,
    PRIMARY KEY (merchant_id, slot)
);

-- Who is in which group now. Neither foreign keys nor checks: they would be half of the time of a large addition. Whoever
-- adds looks for the group and the customers in the same transaction, and merchants.removals tells whether one of them
-- was taken away meanwhile.
CREATE TABLE memberships (
    merchant_id  bigint   NOT NULL,
    group_id     bigint   NOT NULL,
    customer_id  bigint   NOT NULL,
    operation_id bigint   NOT NULL,         -- the operation that began it
    source       smallint NOT NULL,         -- 1 by hand, 2 by rule, 3 both
    PRIMARY KEY (merchant_id, group_id, customer_id)
);

-- Without the group: equal entries share one, which makes the index a fifth as large, and adding faster.
CREATE INDEX memberships_by_customer ON memberships (merchant_id, customer_id);

-- Who was in which group, from one operation until another.
CREATE TABLE past_memberships (
    merchant_id        bigint   NOT NULL REFERENCES merchants (merchant_id),
    group_id           bigint   NOT NULL,
    customer_id        bigint   NOT NULL,
    operation_id       bigint   NOT NULL,   -- the operation that began it
    ended_operation_id bigint   NOT NULL,   -- the operation that ended it
    source             smallint NOT NULL CHECK (source IN (1, 2, 3)),
    PRIMARY KEY (merchant_id, group_id, customer_id, operation_id)
);

CREATE INDEX past_memberships_by_customer ON past_memberships (merchant_id, customer_id, group_id);

-- Files of customers to be made. Whoever works on one holds its lease: the fence grows with each, and what is written
-- names it, so that a process which was paused can finish nothing that another has taken over.
CREATE TABLE imports (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    id          bigint NOT NULL,
    at          bigint NOT NULL,
    actor       text NOT NULL,
    language    text NOT NULL,
    row_count   bigint NOT NULL DEFAULT 0,
    customers   bigint NOT NULL DEFAULT 0,
    refused     bigint NOT NULL DEFAULT 0,
    fence       bigint NOT NULL DEFAULT 0,
    lease_until bigint NOT NULL DEFAULT 0,
    finished_at bigint,
    failure     text,
    file        bytea,
    PRIMARY KEY (merchant_id, id)
);

CREATE INDEX imports_unfinished ON imports (merchant_id, id) WHERE finished_at IS NULL;

-- What was wrong with rows of an import; the first ones.
CREATE TABLE import_problems (
    merchant_id bigint NOT NULL REFERENCES merchants (merchant_id),
    import_id   bigint NOT NULL,
    number      bigint NOT NULL,
    row_number  bigint NOT NULL,
    column_name text NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (merchant_id, import_id, number)
);
