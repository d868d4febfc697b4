"""Serial numbers and progress marks, and the process that writes stories."""

from sqlalchemy import BigInteger, Table, Text

from aggregator.store.tables.columns import metadata, number_key, required, text_key

# Counter: how often an article got another address, which makes pages that were sent before outdated
MOVED_ADDRESSES = "addresses"

counter = Table(
    "counter",
    metadata,
    # Serial numbers and progress marks, one row each. The transaction that takes the number or does the work writes
    # them. Taking a number locks the row until the transaction ends, so numbers become visible in their order.
    #   entry, inbox, story, bump, change   the last number given; "inbox" is the order of placing
    #   searchable, unindexed               progress of the full-text index (store/search/index.py)
    #   first_reading, first_reading_early  its start, its early batch (store/intake/first_reading.py)
    #   affinity_until, affinity_compared   articles to compare after an upgrade (store/stories/storyline_rows.py)
    #   forget_unfinished                   1: erased words may still be in the full-text index (`forget`)
    #   addresses, probe                    changed addresses of articles; writes that test the disk
    #   entries_to, index_*, retained_at, steady_from   retention (`retention.py`, `steady_clock.py`)
    text_key("name"),
    required("value", BigInteger),
)

writer_lease = Table(
    "writer_lease",
    metadata,
    # One row: the process that writes stories. Each new writer raises the epoch, and each transaction of a
    # writer checks that its own epoch is the current one (store/engine/writer_lease.py), so that a suspended writer
    # cannot write after another process has taken over.
    number_key("epoch"),
    required("holder", Text),  # session name of the process
)
