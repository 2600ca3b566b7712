"""What the forkserver imports once for all its children: shared memory, and no time at a start.

Importing is all that happens here: no client, no isolate, no thread may be alive in a process that forks.
Freezing moves everything imported out of the collector's sight, so that its passes do not touch, and thereby
copy, the shared pages.
"""

import gc

import orjson  # noqa: F401  preloaded

import inflect.worker.main  # noqa: F401  preloaded, with confluent_kafka and py_mini_racer behind their doors
from inflect.engine.preload import preload

preload()
gc.collect()
gc.freeze()
