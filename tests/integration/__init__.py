"""Tests against real servers and real processes, a folder per door."""
