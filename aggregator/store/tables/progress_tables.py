"""Serial numbers and progress marks, and the process that writes stories."""

from sqlalchemy import BigInteger, Table, Text

from aggregator.store.tables.columns import metadata, number_key, required, text_key

# The counter of articles whose link leads to another address since: pages that were sent before are old then
MOVED_ADDRESSES = "addresses"

counter = Table(
    "counter",
    metadata,
    # Serial numbers and progress marks, one row each. Written by the transaction that takes the number or
    # does the work. Taking a number locks the row until the transaction ends, so numbers become visible in
    # their order.
    #   entry, inbox, story, bump, change   the last number given; "inbox" is the order of placing
    #   searchable, unindexed               progress of the full-text index (store/search/index.py)
    #   first_reading, first_reading_early  its start, its early batch (store/intake/first_reading.py)
    #   affinity_until, affinity_compared   articles to compare after an upgrade (store/stories/storyline_rows.py)
    #   forget_unfinished                   1: erased words may be in the full-text index (`forget`)
    #   entries_to, index_*, retained_at, steady_from   retention (`retention.py`, `steady_clock.py`)
    text_key("name"),
    required("value", BigInteger),
)

writer_lease = Table(
    "writer_lease",
    metadata,
    # One row: the process that writes stories. Each new writer raises the epoch, and each transaction of a
    # writer checks its own (store/engine/writer_lease.py), so that a suspended writer cannot write after
    # another process took over.
    number_key("epoch"),
    required("holder", Text),  # session name of the process
)
