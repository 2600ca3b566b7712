-- Slots of a pool that no supervisor hands out.

-- name: try_slot
select pg_try_advisory_lock(hashtext('inflect-slot:' || %(pipeline)s), %(slot)s)
