"""Deliveries: changes of stories and digests, sent to webhooks, by Apprise and by mail.

`dispatcher` reads the change stream and stores deliveries in the outbox. `sender` sends the deliveries of one
recipient and schedules retries; `transmit` has a function for each kind. `threads` runs both. `payload`
encodes the body of a delivery.
"""
