-- Pipelines and their revisions.

-- name: list
select p.name, p.revision, r.document, p.paused, p.halted, p.state, p.reason, r.author, r.origin,
       p.created_at, p.updated_at
from pipelines p join revisions r on r.pipeline = p.name and r.number = p.revision
where %(name)s::text is null or p.name = %(name)s
order by p.name

-- name: desired
select p.name, p.revision, p.paused, p.halted, p.resumes, r.document
from pipelines p join revisions r on r.pipeline = p.name and r.number = p.revision
order by p.name

-- name: lock_changes
-- One writer of revisions at a time, and no writer of status meanwhile: both touch several pipelines and their children,
-- in orders that would meet in deadlocks. The number is arbitrary but must stay the same in both statements.
select pg_advisory_xact_lock(28254920)

-- name: share_changes
select pg_advisory_xact_lock_shared(28254920)

-- name: current_revisions
select name, revision from pipelines where name = any(%(names)s::text[])

-- name: missing_pins
select wanted.path, wanted.hash
from unnest(%(paths)s::text[], %(hashes)s::text[]) as wanted (path, hash)
where not exists (select from processor_versions v where v.path = wanted.path and v.hash = wanted.hash)
order by wanted.path

-- name: insert_revision
insert into revisions (pipeline, number, document, pins, entries, schemas, author, origin, comment)
select %(name)s::text, coalesce(max(number), 0) + 1, %(document)s::json, %(pins)s::jsonb, %(entries)s::text[],
       %(schemas)s::jsonb, %(author)s::text, %(origin)s::text, %(comment)s::text
from revisions where pipeline = %(name)s
returning number

-- name: put_pipeline
-- A new revision is a new chance: what halted or failed the old one is forgotten.
insert into pipelines (name, revision) values (%(name)s, %(revision)s)
on conflict (name) do update
set revision = excluded.revision, halted = null, updated_at = now(), reason = '',
    state = case when pipelines.paused then pipelines.state else 'starting' end

-- name: delete
delete from pipelines where name = any(%(names)s::text[])

-- name: pause
update pipelines set paused = true, updated_at = now(), state = 'pausing', reason = ''
where name = %(name)s and not paused

-- name: resume
-- Counts as a change even where the pipeline was not paused: it lifts what halted or failed it.
update pipelines
set paused = false, halted = null, resumes = resumes + 1, updated_at = now(), state = 'starting', reason = ''
where name = %(name)s and (paused or halted is not null or state in ('failed', 'stopped'))

-- name: history
select number, document, pins, entries, schemas, author, origin, comment, created_at
from revisions
where pipeline = %(name)s
  and (%(number)s::integer is null or number = %(number)s)
  and (%(before)s::bigint is null or number < %(before)s)
order by number desc
limit %(limit)s

-- name: modules
-- One row per pin; `code` is null where the version is gone.
select pin.path, pin.hash, v.code
from jsonb_each_text(%(pins)s::jsonb) as pin (path, hash)
left join processor_versions v on v.path = pin.path and v.hash = pin.hash
order by pin.path

-- name: set_state
update pipelines set state = %(state)s, reason = %(reason)s
where name = %(name)s and (state, reason) is distinct from (%(state)s::text, %(reason)s::text)

-- name: set_halted
update pipelines set halted = %(reason)s, state = 'stopped', reason = %(reason)s
where name = %(name)s and halted is null and (%(revision)s::integer is null or revision = %(revision)s)
