"""Real servers on a bare machine: Apache Kafka, PostgreSQL and a schema registry, for the demo and tests.

Each server is a child process that ends with its owner, whatever happens to the owner. They listen on loopback only
and are made for one box and one user: nothing here replicates, secures or tunes a server for production.
"""
