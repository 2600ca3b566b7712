"""The supervisor with real processes and a real database."""
