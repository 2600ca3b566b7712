-- What workers report. Written about once a second: one statement per table, rows arrive as one JSON array.

-- name: put_workers
insert into workers (pipeline, slot, id, pid, host, state, detail, partitions, revision, restarts, rss_bytes,
                     started_at, heartbeat_at, written_at)
select p.name, r.slot, r.id, r.pid, r.host, r.state, r.detail, r.partitions, r.revision, r.restarts, r.rss_bytes,
       r.started_at, r.heartbeat_at, now()
from jsonb_to_recordset(%(rows)s::jsonb) as r (
  pipeline text, slot integer, id text, pid integer, host text, state text, detail text, partitions integer[],
  revision integer, restarts integer, rss_bytes bigint, started_at timestamptz, heartbeat_at timestamptz
)
join pipelines p on p.name = r.pipeline
order by p.name, r.slot
for key share of p
on conflict (pipeline, slot) do update
set id = excluded.id, pid = excluded.pid, host = excluded.host, state = excluded.state, detail = excluded.detail,
    partitions = excluded.partitions, revision = excluded.revision, restarts = excluded.restarts,
    rss_bytes = excluded.rss_bytes, started_at = excluded.started_at, heartbeat_at = excluded.heartbeat_at,
    written_at = excluded.written_at

-- name: delete_other_workers
delete from workers w
where not exists (
  select from jsonb_to_recordset(%(rows)s::jsonb) as r (pipeline text, slot integer)
  where r.pipeline = w.pipeline and r.slot = w.slot
)

-- name: delete_worker
delete from workers where pipeline = %(pipeline)s and slot = %(slot)s and id = %(id)s

-- name: workers
-- A row that nobody has written for a while belongs to a process that is gone.
select pipeline, slot, id, pid, host, state, detail, partitions, revision, restarts, rss_bytes, started_at,
       heartbeat_at
from workers
where (%(name)s::text is null or pipeline = %(name)s)
  and written_at > now() - make_interval(secs => %(live_s)s)
order by pipeline, slot

-- name: put_progress
-- A late word of a former owner of the partition must not overwrite its successor's: a report of an older assignment
-- counts only where it is further on. One of the same or a newer assignment always counts, also with a smaller offset
-- (an operator moved the group back, or the topic was made anew). What is only said again does not take back a later
-- end (put_ends): the last word of a pool that rests is repeated.
insert into partition_progress as known (
  pipeline, topic, partition, committed_offset, end_offset, revision, assigned_at_ms, consumed, delivered, filtered,
  dead_lettered, dropped, steps, last_timestamp
)
select p.name, t.topic, r.partition, r."offset", r."end", r.revision, r.assigned_at_ms, r.consumed, r.delivered,
       r.filtered, r.dead_lettered, r.dropped, r.steps, r.last_timestamp
from jsonb_to_recordset(%(rows)s::jsonb) as r (
  pipeline text, topic text, partition integer, "offset" bigint, "end" bigint, revision integer, assigned_at_ms bigint,
  consumed bigint, delivered bigint, filtered bigint, dead_lettered bigint, dropped bigint, steps jsonb,
  last_timestamp bigint
)
join pipelines p on p.name = r.pipeline
join revisions v on v.pipeline = p.name and v.number = p.revision
cross join lateral (select coalesce(nullif(r.topic, ''), v.document #>> '{source,topic}', '') as topic) t
order by p.name, t.topic, r.partition
for key share of p
on conflict (pipeline, topic, partition) do update
set committed_offset = excluded.committed_offset, revision = excluded.revision,
    end_offset = case when (known.committed_offset, known.assigned_at_ms)
                           = (excluded.committed_offset, excluded.assigned_at_ms)
                      then greatest(known.end_offset, excluded.end_offset) else excluded.end_offset end,
    assigned_at_ms = excluded.assigned_at_ms, consumed = excluded.consumed, delivered = excluded.delivered,
    filtered = excluded.filtered, dead_lettered = excluded.dead_lettered, dropped = excluded.dropped,
    steps = excluded.steps, last_timestamp = excluded.last_timestamp,
    updated_at = case when known.committed_offset = excluded.committed_offset then known.updated_at else now() end
where (excluded.assigned_at_ms >= known.assigned_at_ms or excluded.committed_offset > known.committed_offset)
  and ((known.committed_offset, known.revision, known.assigned_at_ms, known.consumed, known.steps)
       is distinct from
       (excluded.committed_offset, excluded.revision, excluded.assigned_at_ms, excluded.consumed, excluded.steps)
       or known.end_offset < excluded.end_offset)

-- name: progress
-- `current`: of the topic the pipeline reads now. Others are its past, and count in its totals alone.
select g.pipeline, g.topic, g.partition, g.committed_offset as "offset", g.end_offset as "end", g.revision, g.consumed,
       g.delivered, g.filtered, g.dead_lettered, g.dropped, g.steps, g.last_timestamp, g.updated_at,
       g.topic = coalesce(r.document #>> '{source,topic}', '') as current
from partition_progress g
join pipelines p on p.name = g.pipeline
join revisions r on r.pipeline = p.name and r.number = p.revision
where %(name)s::text is null or g.pipeline = %(name)s
order by g.pipeline, current desc, g.topic, g.partition

-- name: put_ends
-- Where topics end that nobody reads just now; a worker that lives says it itself.
update partition_progress g set end_offset = r."end"
from jsonb_to_recordset(%(rows)s::jsonb) as r (pipeline text, topic text, partition integer, "end" bigint)
where g.pipeline = r.pipeline and g.topic = r.topic and g.partition = r.partition and g.end_offset <> r."end"
  and not exists (
    select from workers w where w.pipeline = g.pipeline and w.written_at > now() - make_interval(secs => %(live_s)s)
  )

-- name: put_series
insert into metric_series (pipeline, worker, series)
select p.name, r.worker, r.series
from json_to_recordset(%(rows)s::json) as r (pipeline text, worker text, series json)
join pipelines p on p.name = r.pipeline
order by p.name, r.worker
for key share of p
on conflict (pipeline, worker) do update set series = excluded.series, updated_at = now()

-- name: delete_other_series
delete from metric_series s
where not exists (
  select from json_to_recordset(%(rows)s::json) as r (pipeline text, worker text)
  where r.pipeline = s.pipeline and r.worker = s.worker
)

-- name: series
select pipeline, worker, series from metric_series order by pipeline, worker
