"""Deliveries: changes of stories and digests, sent to webhooks, by Apprise and by mail.

`dispatcher` reads the change stream, stores deliveries in the outbox and runs the threads. `sender` encodes
and sends the deliveries of one recipient and schedules retries; `transmit` sends one delivery of any kind.
`summaries` has texts of stories written (`summarise:`), in one of these threads.
"""
