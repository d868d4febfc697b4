"""Deliveries: changes of stories and digests, sent to webhooks and by Apprise.

`dispatcher` reads the change stream and stores deliveries in the outbox. `sender` sends those of one recipient
and schedules retries: `delivery_bodies` writes each message, `transmit` sends it. `threads` runs them.
"""
