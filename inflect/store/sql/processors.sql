-- Processor files: all versions, and which one the directory holds now.

-- name: current
select v.path, v.kind, v.name, v.hash, v.source, v.code, v.requires, v.title, v.description, v.params
from processors p join processor_versions v using (path, hash)
order by v.path

-- name: versions
select v.path, v.kind, v.name, v.hash, v.source, v.code, v.requires, v.title, v.description, v.params,
       v.created_at, exists (select from processors p where p.path = v.path and p.hash = v.hash) as current
from processor_versions v
where v.path = %(path)s
order by v.created_at desc, current desc, v.hash

-- name: list
-- `used_by` holds the pipelines whose current revision reaches the file at any content.
select v.path, v.kind, v.name, v.hash, v.title, v.description, v.params, v.requires, p.author, p.updated_at,
       coalesce((
         select array_agg(i.name order by i.name)
         from pipelines i join revisions r on r.pipeline = i.name and r.number = i.revision
         where r.pins ? v.path
       ), '{}'::text[]) as used_by
from processors p join processor_versions v using (path, hash)
order by v.path

-- name: insert_version
insert into processor_versions (path, hash, kind, name, source, code, requires, title, description, params)
values (%(path)s, %(hash)s, %(kind)s, %(name)s, %(source)s, %(code)s, %(requires)s, %(title)s, %(description)s,
        %(params)s)
on conflict (path, hash) do nothing

-- name: put_current
insert into processors (path, hash, author) values (%(path)s, %(hash)s, %(author)s)
on conflict (path) do update set hash = excluded.hash, author = excluded.author, updated_at = now()
where processors.hash <> excluded.hash
returning (xmax = 0) as created

-- name: remove
delete from processors where path = %(path)s
