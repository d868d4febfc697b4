"""Webhooks: changes of stories, sent to configured addresses.

`dispatcher` reads the change stream, stores deliveries in the outbox and runs the threads. `sender` encodes
and sends the deliveries of one webhook and schedules retries.
"""
