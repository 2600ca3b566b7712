"""The control plane: holds the pools of worker processes to what Postgres says they should be.

It listens to the store, works out what to do in one pure step (`reconcile`) and carries it out on processes
(`local`). It never touches an event. Everything that speaks to Postgres sits behind one thread
(`store_thread`), so that a database that is away or slow never delays a worker.
"""
