"""Pages without a feed, polled like feeds (intake/page_list.py)."""

from aggregator.intake.kinds.feed_kind import address_of
from aggregator.intake.kinds.source_kind import SourceKind

KIND = SourceKind(address=address_of, poller=lambda poller: poller.poll)
