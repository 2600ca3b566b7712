"""The pure half of the supervisor."""
