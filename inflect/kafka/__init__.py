"""The door to Kafka: everything that imports confluent_kafka stands here.

It moves records and offsets and knows Kafka's error classes. It does not know what a step is, and it never decides
what
becomes of an event: that is `processing` and `worker`.
"""
