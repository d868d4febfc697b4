"""How often sources agree with other sources, by periods of the stream."""

from sqlalchemy import BigInteger, Integer, LargeBinary, Table

from aggregator.store.tables.columns import (
    from_zero,
    metadata,
    number_key,
    required,
    text_key,
)

stream_period = Table(
    "stream_period",
    metadata,
    # A closed stretch of the inbox, about a day long. The counts of its articles do not change any more
    # (store/stories/stream_history.py). Written by the writer.
    number_key("number"),  # 1, 2, ...
    # Days since 1970, UTC: the day before the entry that ended the period was accepted
    required("day", Integer),
    # The last inbox number that it covers
    required("last_inbox_no", BigInteger),
    required("articles", Integer),  # number of articles in it
    # Packed document frequencies; "": no longer needed
    required("terms", LargeBinary),
)

source_history = Table(
    "source_history",
    metadata,
    # How often a source reports what others report (store/stories/stream_history.py). Decisions read the
    # `closed_*` columns, which are the counts as of the newest `stream_period`. Written by the writer.
    # `article.source`, because no feed can declare the source of another feed
    text_key("source"),
    required("articles", BigInteger),
    # Articles that another outlet reported, too
    required("matched", BigInteger),
    from_zero("closed_articles", BigInteger),
    from_zero("closed_matched", BigInteger),
    sqlite_with_rowid=False,
)

source_period = Table(
    "source_period",
    metadata,
    # The counts of `source_history` in one closed `stream_period`, for `recluster --since`. Written when the
    # period is closed.
    # `stream_period.number`
    number_key("period"),
    text_key("source"),
    required("articles", BigInteger),
    required("matched", BigInteger),
    sqlite_with_rowid=False,
)

standing = Table(
    "standing",
    metadata,
    # A closed `stream_period` in which other outlets confirmed a sender; at most three for each sender
    # (store/stories/stream_history.py). Written when the period is closed.
    text_key("sender"),
    # `stream_period.number`
    number_key("period"),
    sqlite_with_rowid=False,
)
