"""The data plane: one process that consumes, processes and produces, one transaction at a time.

It is told what to run (by pipe on one box, from Postgres in a pod) and says how it is; it never changes a pipeline,
and in
the loop it speaks to nothing but Kafka.
"""
