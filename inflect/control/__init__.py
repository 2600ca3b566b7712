"""The verbs of the control plane, shared by command line, pages and API: apply, pause, show, sync, test.

Each is a plain function of a database (and of Kafka's admin where it must ask the broker); it checks everything before
it changes anything. Nothing here prints, and nothing here touches an event on its way.
"""
