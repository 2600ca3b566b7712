"""Pure data: what a pipeline, a processor, a revision and a batch of events are.

No input or output, no clock, no library that talks to a server. Every other room may import this one.
"""
