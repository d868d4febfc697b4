"""Feeds: stories and their changes as RSS 2.0, Atom 1.0 and JSON Feed 1.1.

    stories ──► items.py ──► Channel ──► rss.py, atom.py, jsonfeed.py ──► bytes
    changes ──► updates.py ──┘

All of it is pure: the bytes are a function of the nouns and settings alone, and nothing in them is the time
of writing, so an unchanged feed is unchanged to the byte. `serving.py` puts it behind addresses.
"""
