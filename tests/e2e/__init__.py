"""From outside."""
