"""Deliveries: changes of stories and digests, sent to webhooks, by Apprise and by mail.

`dispatcher` reads the change stream and stores deliveries in the outbox, whose bodies are of `delivery_bodies`.
`sender` sends the deliveries of one recipient and schedules retries; `transmit` sends one delivery of any kind.
`threads` runs them.
"""
