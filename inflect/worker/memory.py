"""How much memory this process holds, as the kernel says."""

import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")


def rss_bytes() -> int:
    """Resident set size of this process in bytes."""
    resident_pages = int(_STATM.read_text().split()[1])
    return resident_pages * resource.getpagesize()
