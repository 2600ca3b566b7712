"""Maps V8's library into the process that workers are forked from, without starting anything.

The library is 74 MB of code of which an isolate touches half. Mapped before the fork, its pages are the parent's and
the children's together; mapped in each child, each would be alone with what it touches. V8 itself is initialised in
the child only: no thread may be alive at the fork.
"""

import ctypes
from importlib import resources
from pathlib import Path

_MADV_POPULATE_READ = 22
_NAME = "libmini_racer.so"


def preload() -> None:
    """Load the library and its read-only pages. Call it in the forkserver; elsewhere it only costs time."""
    with resources.as_file(resources.files("py_mini_racer") / _NAME) as path:
        ctypes.CDLL(str(path))
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place, rights, *_ = line.split()
        if line.endswith(_NAME) and "w" not in rights:
            start, end = (int(edge, 16) for edge in place.split("-"))
            madvise(start, end - start, _MADV_POPULATE_READ)  # an older kernel refuses; then it is only a hint less
