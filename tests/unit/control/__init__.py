"""The verbs without servers."""
