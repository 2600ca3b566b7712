-- Schemas as revisions pin them.

-- name: put_text
insert into schema_texts (hash, kind, text, refs) values (%(hash)s, %(kind)s, %(text)s, %(references)s)
on conflict (hash) do nothing

-- name: texts
select hash, kind, text, refs as "references" from schema_texts where hash = any(%(hashes)s::text[])

-- name: in_use
-- What current revisions pin, one row an end.
select p.name as pipeline, s.side, s.pin ->> 'hash' as hash, s.pin ->> 'subject' as subject,
       (s.pin ->> 'version')::integer as version, (s.pin ->> 'id')::bigint as id, s.pin ->> 'file' as file,
       s.pin ->> 'message' as message
from pipelines p
join revisions r on r.pipeline = p.name and r.number = p.revision
cross join jsonb_each(r.schemas) as s (side, pin)
order by subject, version, file, pipeline, side

-- name: newest_pinned
-- The highest version of a subject that any revision of a pipeline has pinned for an end.
select max((schemas -> %(side)s ->> 'version')::integer)
from revisions where pipeline = %(pipeline)s and schemas -> %(side)s ->> 'subject' = %(subject)s

-- name: ever_pinned
-- Versions of a subject that some revision pinned, with their content.
select distinct (pin ->> 'version')::integer as version, (pin ->> 'id')::bigint as id, pin ->> 'hash' as hash
from revisions r cross join jsonb_each(r.schemas) as s (side, pin)
where pin ->> 'subject' = %(subject)s
order by version

-- name: refusals
select pipeline, side, subject, version, reason, seen_at from schema_refusals order by pipeline, side

-- name: put_refusal
insert into schema_refusals as known (pipeline, side, subject, version, reason)
select name, %(side)s, %(subject)s, %(version)s, %(reason)s from pipelines where name = %(pipeline)s
on conflict (pipeline, side) do update
set subject = excluded.subject, version = excluded.version, reason = excluded.reason, seen_at = now()
where (known.subject, known.version, known.reason) is distinct from (excluded.subject, excluded.version, excluded.reason)

-- name: delete_refusal
delete from schema_refusals where pipeline = %(pipeline)s and side = %(side)s
