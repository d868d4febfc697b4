"""Feeds: stories, storylines and digests as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    stories ──► feed_items.py   ──► Channel ──► formats.py ──► bytes
    digests ──► digest_feeds.py ──►

The bytes do not contain the time of writing, so an unchanged feed has the same bytes. `feed_routes.py` serves the
feeds.
"""
