"""`python -m inflect` is `inflect`."""

from inflect.cli.main import main

main()
