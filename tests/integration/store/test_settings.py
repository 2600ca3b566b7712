"""Settings that are made once."""

import secrets
from concurrent.futures import ThreadPoolExecutor

from inflect.store.database import Database
from inflect.store.settings import keep_setting


def test_of_many_that_ask_at_once_all_get_the_same_value(database_url: str) -> None:
    with Database(database_url, max_connections=8) as db, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(keep_setting, db, "secret_key", lambda: secrets.token_hex(16)) for _ in range(8)]
        values = {each.result() for each in asked}
    assert len(values) == 1


def test_a_kept_value_is_not_made_again(database: Database) -> None:
    assert keep_setting(database, "secret_key", lambda: "first") == "first"
    assert keep_setting(database, "secret_key", lambda: "second") == "first"
    assert keep_setting(database, "other", lambda: "second") == "second"
