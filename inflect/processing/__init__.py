"""What happens to a batch: its events through the steps, each to exactly one outcome. No Kafka, no clock.

Worker, test page and `inflect test` run the same `chain`; the test only adds a trace.
"""
