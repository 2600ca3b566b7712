"""`python -m tests.soak`: one soak from the command line."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.soak.scene import broken, soak


def main() -> int:
    """Run a soak, print its line; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=45, help="how long the load lasts; 170 write 1,000,000 events")
    parser.add_argument("--seed", type=int, default=7, help="draws the faults; the same seed draws the same schedule")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inflect-soak-") as directory:
        line = soak(Path(directory), seconds=given.seconds, seed=given.seed, workers=given.workers)
    sys.stdout.write(json.dumps(line) + "\n")
    return int(broken(line))


if __name__ == "__main__":
    sys.exit(main())
