"""The command line from outside, against real servers."""
