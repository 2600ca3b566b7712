-- Who did what. Rows are only ever added.

-- name: record
insert into audit (actor, action, subject, detail)
values (%(actor)s, %(action)s, %(subject)s, %(detail)s)

-- name: recent
select id, at, actor, action, subject, detail
from audit
where (%(subject)s::text is null or subject = %(subject)s) and (%(before)s::bigint is null or id < %(before)s)
order by id desc
limit %(limit)s
