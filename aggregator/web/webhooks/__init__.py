"""Webhooks: changes of stories, sent to configured addresses.

`dispatcher` reads the change stream and stores deliveries in the outbox. `sender` sends the deliveries of one
webhook and schedules retries. `threads` runs both. `payload` encodes the body of a delivery.
"""
