-- Topics as the cluster was last seen to have them; pages show these without asking the cluster.

-- name: put
insert into topics (name, partitions, internal, topic_id)
select r.name, r.partitions, r.internal, r.topic_id
from jsonb_to_recordset(%(rows)s::jsonb) as r (name text, partitions integer, internal boolean, topic_id text)
order by r.name
on conflict (name) do update
set partitions = excluded.partitions, internal = excluded.internal, topic_id = excluded.topic_id, seen_at = now()

-- name: delete_others
delete from topics where name <> all(%(names)s::text[])

-- name: list
select name, partitions, internal, topic_id, seen_at from topics order by name
