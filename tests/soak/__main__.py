"""`python -m tests.soak`: one soak from the command line."""

import argparse
import json
import shutil
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
    directory = Path(tempfile.mkdtemp(prefix="inflect-soak-"))
    sys.stderr.write(f"logs and data are in {directory}, and stay there when something is wrong\n")
    line = soak(directory, seconds=given.seconds, seed=given.seed, workers=given.workers)
    sys.stdout.write(json.dumps(line) + "\n")
    if broken(line):
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
