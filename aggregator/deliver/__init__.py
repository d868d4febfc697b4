"""Deliveries: changes of stories and digests, sent to webhooks and by Apprise.

`dispatcher` reads the change stream and stores deliveries in the outbox. `sender` takes the deliveries of one recipient
from there and schedules retries: `delivery_bodies` writes each message, and `transmit` sends it, to a webhook itself or
with `apprise`. `threads` runs the dispatcher and the senders.
"""
