-- Values that are made once and then kept.

-- name: get
select value from settings where key = %(key)s

-- name: put_first
insert into settings (key, value) values (%(key)s, %(value)s) on conflict (key) do nothing
