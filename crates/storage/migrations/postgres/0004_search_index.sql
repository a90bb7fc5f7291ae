-- The search index with the time of creation in its key: matches are listed by it. customer_search_terms stays as it is:
-- it finds the customers whose terms have not been folded anew, and is empty once every index has been rebuilt.

CREATE TABLE search_index (
    merchant_id bigint NOT NULL,
    term        text   NOT NULL COLLATE "C",
    created_at  bigint NOT NULL,            -- of the customer
    customer_id bigint NOT NULL,
    PRIMARY KEY (merchant_id, term, created_at, customer_id)
);

-- The version of the search terms of all customers of a merchant; without a row it is 1. While the index is rebuilt,
-- the customers up to an id already have the next version.
CREATE TABLE search_index_versions (
    merchant_id     bigint NOT NULL PRIMARY KEY,
    version         bigint NOT NULL,
    next_version    bigint NOT NULL,
    rebuilt_through bigint NOT NULL         -- the greatest id of a customer that was rebuilt; 0 if none was
);
