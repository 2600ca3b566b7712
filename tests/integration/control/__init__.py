"""The verbs against real servers."""
