"""Feeds: stories and their changes as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    stories, changes ──► feed_items.py ──► Channel ──► formats.py ──► bytes

The bytes depend on the stories and the settings only and do not contain the time of writing, so an unchanged
feed has the same bytes. `feed_routes.py` serves the feeds.
"""
