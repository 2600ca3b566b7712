"""The door to V8: compiles processors and runs batches of events through a pipeline's steps.

Nothing here knows Kafka, records or outcomes: lines of JSON go in, lines of JSON and what happened to the rest come
out. No Python function is ever handed to JavaScript. Only this room imports py_mini_racer.
"""
