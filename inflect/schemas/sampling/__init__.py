"""How sample events are drawn: people's values, texts from patterns, and a walk over each kind of schema.

`schemas.samples` is the door. Nothing here checks a whole event: the walks aim well, and whoever calls them checks.
"""
