"""Webhooks: what is new about stories, sent to addresses that the operator typed.

`filling` looks at the stream of changes and puts deliveries into the outbox, `sending` takes them from there
to one receiver, `running` gives each its thread. `body` is what is sent, `retry` when it is tried again.
"""
