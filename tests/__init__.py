"""The tests, as a package so that plug-ins, soak and bench can import each other by name."""
