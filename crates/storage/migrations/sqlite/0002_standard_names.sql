-- Names that say what they hold: search terms (an inverted index), sharded counters, and the state of an import.
-- Renames only; no row is rewritten. Nothing was released with the old names, so no older version serves beside this one.

ALTER TABLE customers RENAME COLUMN words TO search_terms;

ALTER TABLE customer_words RENAME TO customer_search_terms;
ALTER TABLE customer_search_terms RENAME COLUMN word TO term;

ALTER TABLE tallies RENAME TO customer_counters;
ALTER TABLE customer_counters RENAME COLUMN slot TO shard;

ALTER TABLE imports RENAME COLUMN row_count TO last_row;
ALTER TABLE imports RENAME COLUMN customers TO created_customers;
ALTER TABLE imports RENAME COLUMN refused TO rejected_rows;
ALTER TABLE imports RENAME COLUMN fence TO fencing_token;
