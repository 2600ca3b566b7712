"""The door to starlette and jinja2: pages, the JSON API and the live streams.

Everything shown comes from the store's rows and everything changed goes through `inflect.control`; this room never
speaks to the supervisor and never reads an event. Handlers are plain functions that run in threads; only a page that
streams is `async`.
"""
