"""Inflect: reshape, clean and route Kafka events with small JavaScript functions, exactly once.

The rooms and the direction of their imports are described in `ARCHITECTURE.md` and held by import-linter.
"""
