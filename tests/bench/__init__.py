"""Measurements, run by hand: `make bench`, `make bench QUICK=1`.

Speed is stated as a ratio measured in one run on one broker: events per second of a pipeline, as users run it, against
a confluent-kafka loop that passes events through a transaction and transforms nothing.
"""
