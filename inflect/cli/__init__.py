"""The command line: the composition root. Reads settings, sets up logs, calls the verbs, prints.

Every verb imports its rooms inside itself, so that `inflect --help` and completion are quick. No decision about
pipelines is made here. Results go to stdout, everything else to stderr; errors are one line each, with the mend.
"""
