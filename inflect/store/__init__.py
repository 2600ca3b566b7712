"""The door to PostgreSQL: desired state, what was ever run, what workers report, who did what.

Statements stand in `sql/*.sql` and come back as dataclasses; no other room imports psycopg or writes SQL. Nothing
here knows Kafka, V8 or a page, and no function decides what *should* run: it keeps what others decided, whole or not
at all, and tells listeners by NOTIFY that something changed. A notification is a hint, the rows are the truth.
"""
