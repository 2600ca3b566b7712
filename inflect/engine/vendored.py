"""The scripts of others that run inside V8, as `vendor/manifest.json` lists them; `make vendor` builds them anew.

Each is one script that defines one variable of its name. A script is read where an isolate needs it, and only there:
its code costs memory in each.
"""

import json
from functools import cache
from importlib import resources


@cache
def vendored(name: str) -> str:
    """The text of a vendored script."""
    folder = resources.files("inflect.engine").joinpath("vendor")
    entries = json.loads(folder.joinpath("manifest.json").read_text(encoding="utf-8"))
    (file,) = (entry["file"] for entry in entries if entry["name"] == name)
    return folder.joinpath(file).read_text(encoding="utf-8")
