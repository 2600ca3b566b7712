"""Fixtures, a file per server or tool."""
