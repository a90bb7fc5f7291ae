-- Distributes the tables over the workers of a Citus cluster. Run it once, by hand, on the coordinator: after the first
-- `zumra serve` or `zumra merchant create` has created the tables, and before they hold much data.
--
--     psql "$DATABASE" --single-transaction --file citus.sql
--
-- All rows of a merchant are placed on one worker, so every statement of the service runs on one worker. The table
-- schema_migrations stays on the coordinator: it is read only when a program starts.

CREATE EXTENSION IF NOT EXISTS citus;

SELECT create_distributed_table('merchants', 'merchant_id');
SELECT create_distributed_table('operations', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('tokens', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('groups', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('customers', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('customer_search_terms', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('search_index', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('search_index_versions', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('customer_counters', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('id_counters', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('retired_ids', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('imports', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('import_problems', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('memberships', 'merchant_id', colocate_with => 'merchants');
SELECT create_distributed_table('past_memberships', 'merchant_id', colocate_with => 'merchants');
