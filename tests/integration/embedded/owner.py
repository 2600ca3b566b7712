"""A process that owns servers, for tests that kill it: `python owner.py DATA_DIR`; says `ready`, then waits."""

import sys
import threading
from pathlib import Path

from inflect.embedded.servers import start_servers

with start_servers(Path(sys.argv[1])):
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()
