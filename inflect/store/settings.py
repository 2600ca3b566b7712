"""Values that are made once and kept, such as the key that signs sessions; whoever asks first makes it for all."""

from collections.abc import Callable

from inflect.store.database import Database
from inflect.store.statements import execute, tuples


def keep_setting(db: Database, key: str, make: Callable[[], str]) -> str:
    """Return the value kept under `key`; where there is none, keep and return what `make` gives.

    Of several processes that ask at once all get the same value.
    """
    with db.connection() as connection:
        if found := tuples(connection, "settings.get", {"key": key}):
            return str(found[0][0])
        execute(connection, "settings.put_first", {"key": key, "value": make()})
        return str(tuples(connection, "settings.get", {"key": key})[0][0])
