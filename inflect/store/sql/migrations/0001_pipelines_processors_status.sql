-- The first schema. Desired state (pipelines, revisions, processors) is written by commands and pages, status
-- (workers, partition_progress, metric_series, pipelines.state) by the supervisor or by pods.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on % is refused: its rows never change once written', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end
$$;


-- One file of the processors directory at one content. The hash names the content, the path is part of the key
-- because what a relative `require` means depends on it.
create table processor_versions (
  path        text not null check (path <> ''),
  hash        text not null check (hash ~ '^[0-9a-f]{64}$'),
  kind        text not null check (kind in ('transformation', 'filter', 'library')),
  name        text not null,
  source      text not null,
  code        text not null,
  requires    text[] not null default '{}',
  title       text not null default '',
  description text not null default '',
  params      json,
  created_at  timestamptz not null default now(),
  primary key (path, hash)
);

create trigger processor_versions_are_immutable before update on processor_versions
  for each row execute function refuse_change();

-- What the directory holds now: the current version of each file.
create table processors (
  path       text primary key,
  hash       text not null,
  author     text not null,
  updated_at timestamptz not null default now(),
  foreign key (path, hash) references processor_versions (path, hash)
);


-- Numbers only grow, also when a pipeline is deleted and made again: its consumer group keeps its name, and the
-- offsets committed there carry revision numbers. So revisions outlive their pipeline.
create table revisions (
  pipeline   text not null check (pipeline ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  number     integer not null check (number > 0),
  -- json, not jsonb: the text is kept, and with it the order of keys and every digit of numbers.
  document   json not null check (json_typeof(document) = 'object'),
  -- {path: hash} of every processor file the steps reach.
  pins       jsonb not null check (jsonb_typeof(pins) = 'object'),
  -- Per step in order, the path it runs.
  entries    text[] not null,
  author     text not null,
  origin     text not null check (origin in ('cli', 'web', 'api', 'processors', 'rollback')),
  comment    text not null default '',
  created_at timestamptz not null default now(),
  primary key (pipeline, number)
);

create trigger revisions_are_immutable before update on revisions
  for each row execute function refuse_change();


create table pipelines (
  name       text primary key,
  revision   integer not null,
  paused     boolean not null default false,
  -- Why the pipeline halted before an event (`on_error: stop`); null: it did not.
  halted     text,
  -- Counts resumes, so that a resume is a change even where nothing else differs (a pipeline that could not start).
  resumes    integer not null default 0,
  state      text not null default 'starting'
             check (state in ('starting', 'running', 'idle', 'pausing', 'paused', 'stopped', 'failed')),
  reason     text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (name, revision) references revisions (pipeline, number)
);

-- One notification per changed row, with the name alone. Columns of status (state, reason) never notify.
create function notify_pipeline() returns trigger language plpgsql as $$
begin
  perform pg_notify('inflect', coalesce(new.name, old.name));
  return null;
end
$$;

create trigger pipelines_notify after insert or delete on pipelines
  for each row execute function notify_pipeline();

create trigger pipelines_notify_change after update on pipelines
  for each row
  when ((old.name, old.revision, old.paused, old.halted, old.resumes)
        is distinct from (new.name, new.revision, new.paused, new.halted, new.resumes))
  execute function notify_pipeline();


create table workers (
  pipeline     text not null references pipelines (name) on delete cascade,
  slot         integer not null check (slot >= 0),
  id           text not null,
  pid          integer,
  host         text not null default '',
  state        text not null,
  detail       text not null default '',
  partitions   integer[] not null default '{}',
  revision     integer not null,
  restarts     integer not null default 0,
  rss_bytes    bigint not null default 0,
  started_at   timestamptz not null,
  heartbeat_at timestamptz not null,
  -- By the clock of the database, which alone decides whether a row is still alive.
  written_at   timestamptz not null default now(),
  primary key (pipeline, slot)
);

-- A copy of what rides in Kafka's offset metadata, for pages and metrics. Kafka is the authority.
create table partition_progress (
  pipeline         text not null references pipelines (name) on delete cascade,
  partition        integer not null check (partition >= 0),
  committed_offset bigint not null,
  end_offset       bigint not null,
  revision         integer not null,
  assigned_at_ms   bigint not null,
  consumed         bigint not null,
  delivered        bigint not null,
  filtered         bigint not null,
  dead_lettered    bigint not null,
  dropped          bigint not null,
  -- {step: {ok, filtered, failed}}
  steps            jsonb not null default '{}',
  last_timestamp   bigint not null default -1,
  updated_at       timestamptz not null default now(),
  primary key (pipeline, partition)
);

-- Accumulated metrics of each worker slot (`worker` is the slot, `gone`, or empty for the supervisor's own).
create table metric_series (
  pipeline   text not null references pipelines (name) on delete cascade,
  worker     text not null,
  series     json not null,
  updated_at timestamptz not null default now(),
  primary key (pipeline, worker)
);

create table topics (
  name       text primary key,
  partitions integer not null,
  internal   boolean not null default false,
  topic_id   text not null default '',
  seen_at    timestamptz not null default now()
);


create table audit (
  id      bigint generated always as identity primary key,
  at      timestamptz not null default now(),
  actor   text not null,
  action  text not null,
  subject text not null,
  detail  jsonb not null default '{}'
);

create index audit_subject on audit (subject, id desc);

create trigger audit_only_grows before update or delete on audit
  for each row execute function refuse_change();

create trigger audit_is_never_emptied before truncate on audit
  for each statement execute function refuse_change();


-- Values made once and kept, such as the key that signs sessions.
create table settings (
  key        text primary key,
  value      text not null,
  created_at timestamptz not null default now()
);
