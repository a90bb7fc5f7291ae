-- Adds customers to groups: all requests of one merchant that share a statement. One round trip, one transaction.
-- Each request is all or nothing, and has its own row in operations.
--
-- $1 merchant. One array entry per request: $2 group, $3 proposed operation id, $4 time in microseconds, $5 actor,
-- $6 nonce, $7 customer ids, sorted and unique, as the text of an array: distributed databases have no nested arrays.
-- $8 length of the longest list plus one, $9 id gap, $10 the source bit "by hand", $11 the kind of the operations,
-- $12 how far a proposed id may be behind the newest operation.
--
-- Each lookup is a subquery of its own, because the planner may run a join by reading a whole group, or all customers.
-- Lengths of lists are hidden behind a SELECT. Otherwise the server makes a new plan for every length, which takes longer
-- than the insert.
WITH
-- The newest operation of the merchant.
newest AS (SELECT max(id) AS id FROM operations WHERE merchant_id = $1),
-- The removal counter, in a row that stays locked. A transaction that deletes a customer or a group increments it
-- before it looks at memberships. An unchanged value proves that the rows seen below still exist.
removal_guard AS (SELECT removals FROM merchants WHERE merchant_id = $1 FOR SHARE),
-- The requests, numbered n = 1, 2, …
input AS MATERIALIZED (
    SELECT n, group_id, id, at, actor, nonce, ids::bigint[] AS ids
    FROM unnest((SELECT $2::bigint[]), $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[])
             WITH ORDINALITY AS input (group_id, id, at, actor, nonce, ids, n)),
-- Each list as a whole. Large lists are usually contiguous: a page of customers, or an import, none of them members.
contiguous_lists AS MATERIALIZED (
    SELECT n, group_id, ids,
           -- True if the group has a member from the first to the last id. Asks for the next key in order, because
           -- only the primary key has that order. In an empty table every index looks equally good to the planner,
           -- and the index by customer would read all groups of all these customers.
           coalesce((SELECT memberships.group_id = input.group_id AND customer_id <= ids[cardinality(ids)]
                     FROM memberships
                     WHERE merchant_id = $1 AND (memberships.group_id, customer_id) >= (input.group_id, ids[1])
                     ORDER BY memberships.group_id, customer_id LIMIT 1), false) AS has_members,
           -- True if the list is all customers of the merchant from its first to its last id.
           ids = ARRAY(SELECT customers.id FROM customers
                       WHERE merchant_id = $1 AND customers.id BETWEEN ids[1] AND ids[cardinality(ids)]
                       ORDER BY customers.id LIMIT (SELECT $8::bigint)) AS all_exist
    FROM input),
-- One row per customer, only for lists that need it: exists_or_null, and the source of an existing membership.
individual AS MATERIALIZED (
    SELECT n, group_id, customer,
           CASE WHEN all_exist THEN true
                ELSE (SELECT true FROM customers WHERE merchant_id = $1 AND id = customer)
           END AS exists_or_null,
           CASE WHEN has_members THEN
               (SELECT source FROM memberships
                WHERE merchant_id = $1 AND group_id = listed.group_id AND customer_id = customer)
           END AS source
    FROM (SELECT n, group_id, has_members, all_exist, unnest(ids) AS customer FROM contiguous_lists
          WHERE has_members OR NOT all_exist) AS listed),
-- Per request: missing customers, and memberships to create or to extend by the source bit.
totals AS (
    SELECT n, count(*) FILTER (WHERE exists_or_null IS NULL) AS missing,
           count(*) FILTER (WHERE source IS NULL OR source & $10::smallint = 0) AS added
    FROM individual GROUP BY n),
-- Per request: what would happen, and its operation id. The proposed id is used unless another operation has it, or
-- it is too far behind the newest operation. So processes that propose ids at the same time need no coordination.
decisions AS MATERIALIZED (
    SELECT input.n, input.group_id, at, actor, nonce, input.ids, totals.n IS NULL AS is_contiguous,
           coalesce(missing, 0) AS missing, coalesce(added, cardinality(input.ids)) AS added,
           (SELECT true FROM groups
            WHERE merchant_id = $1 AND id = input.group_id AND deleted_by IS NULL) AS group_exists_or_null,
           CASE WHEN newest.id IS NULL OR input.id > newest.id
                  OR (input.id + $12::bigint > newest.id
                      AND (SELECT true FROM operations WHERE merchant_id = $1 AND id = input.id) IS NULL)
                THEN input.id ELSE newest.id + $9::bigint + input.n END AS id
    FROM newest, input LEFT JOIN totals ON totals.n = input.n),
-- The requests that are carried out. None if the removal counter changed since this statement began.
accepted AS MATERIALIZED (
    SELECT decisions.* FROM decisions, removal_guard
    WHERE group_exists_or_null AND missing = 0 AND added > 0
      AND removal_guard.removals = (SELECT removals FROM merchants WHERE merchant_id = $1)),
-- Operation ids by n in one array, which is cheaper to look up than a join. NULL if the request is not carried out.
operation_ids AS MATERIALIZED (
    SELECT array_agg(accepted.id ORDER BY decisions.n) AS ids
    FROM decisions LEFT JOIN accepted ON accepted.n = decisions.n),
-- New memberships: contiguous lists as they are, and customers of other lists who are not members.
created AS (
    INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
    SELECT $1, group_id, customer, operation, $10::smallint
    FROM ((SELECT group_id, unnest(ids) AS customer, id AS operation FROM accepted WHERE is_contiguous ORDER BY n)
          UNION ALL
          (SELECT group_id, customer, ids[n] FROM operation_ids, individual
           WHERE ids[n] IS NOT NULL AND source IS NULL ORDER BY group_id, customer)) AS new),
-- Members by rule become members by hand too. Separate, because a conflict clause slows down every new row.
extended AS (
    INSERT INTO memberships (merchant_id, group_id, customer_id, operation_id, source)
    SELECT $1, group_id, customer, ids[n], $10::smallint FROM operation_ids, individual
    WHERE ids[n] IS NOT NULL AND source & $10::smallint = 0 ORDER BY group_id, customer
    ON CONFLICT (merchant_id, group_id, customer_id)
    DO UPDATE SET source = memberships.source | $10::smallint WHERE memberships.merchant_id = $1),
-- One operation per request that is carried out.
recorded AS (
    INSERT INTO operations (merchant_id, id, at, actor, kind, group_id, changes, nonce)
    SELECT $1, id, at, actor, $11::text, group_id, added, nonce FROM accepted)
-- One row per request: whether the group exists, missing customers or NULL, memberships added, operation id, and
-- whether it was carried out.
SELECT group_exists_or_null IS NOT NULL,
       CASE WHEN missing > 0
            THEN ARRAY(SELECT customer FROM individual
                       WHERE individual.n = decisions.n AND exists_or_null IS NULL) END,
       added, decisions.id, operation_ids.ids[decisions.n] IS NOT NULL
FROM decisions, operation_ids ORDER BY decisions.n
