"""The sample project: pipelines a Kafka user would find believable, their processors, and a load to run them under.

A plain user of everything else: it applies files through `control` and produces through `kafka`, like anybody.
"""
