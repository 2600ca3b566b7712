"""The door to the schema registry and to the codecs that need it.

Schemas become plain functions for the rooms above: decode, check, encode. No room above knows a registry's address or a
wire format. Nothing here may keep an event, and nothing here stands between two events of a batch but a cached schema.
"""
