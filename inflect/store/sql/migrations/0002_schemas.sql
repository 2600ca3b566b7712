-- Schemas that revisions pin, and progress that knows its topic.

-- A schema at one content: text and everything it refers to. `refs` is json, not jsonb: the order of the references is
-- part of the content (those that others need come first), and of the hash.
create table schema_texts (
  hash       text primary key check (hash ~ '^[0-9a-f]{64}$'),
  kind       text not null check (kind in ('json', 'avro', 'protobuf')),
  text       text not null,
  refs       json not null default '{}' check (json_typeof(refs) = 'object'),
  created_at timestamptz not null default now()
);

create trigger schema_texts_are_immutable before update on schema_texts
  for each row execute function refuse_change();

-- {"source": {"hash", "subject", "version", "id", "file", "message"}, "target": …}; an end without a schema is absent.
alter table revisions
  add column schemas jsonb not null default '{}' check (jsonb_typeof(schemas) = 'object'),
  drop constraint revisions_origin_check,
  add constraint revisions_origin_check
    check (origin in ('cli', 'web', 'api', 'processors', 'rollback', 'registry'));

-- A newer version that a pipeline should follow and cannot use; gone as soon as it can, or need not.
create table schema_refusals (
  pipeline text not null references pipelines (name) on delete cascade,
  side     text not null check (side in ('source', 'target')),
  subject  text not null,
  version  integer not null,
  reason   text not null,
  seen_at  timestamptz not null default now(),
  primary key (pipeline, side)
);


-- A pipeline may come to read another topic. Its totals go on, its lag is that of the topic it reads now.
alter table partition_progress add column topic text;

update partition_progress p set topic = coalesce(
  (select r.document #>> '{source,topic}' from revisions r where r.pipeline = p.pipeline and r.number = p.revision),
  (select r.document #>> '{source,topic}' from pipelines i
   join revisions r on r.pipeline = i.name and r.number = i.revision where i.name = p.pipeline),
  ''
);

alter table partition_progress
  alter column topic set not null,
  drop constraint partition_progress_pkey,
  add primary key (pipeline, topic, partition);
