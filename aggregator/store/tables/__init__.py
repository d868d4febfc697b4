"""The tables, which are the same on SQLite and Postgres. Only the migrations in migrations/ create them.

The comment above the columns of a table explains its rows and names the process that writes them. Comments of
columns give units and allowed values. Derived data can be rebuilt from the other columns: the tables `sketch` and
`story_subject`, the columns that are marked "(derived)", and the full-text index. All times are UTC, and
`UtcTime` refuses naive values. Names like `article.id` refer to columns.
"""

from aggregator.store.tables.article_tables import (
    OTHER_KINDS,
    OWN_REPORT,
    article,
    outlet_line,
    sketch,
    tombstone,
)
from aggregator.store.tables.columns import (
    INDEXED_ADDRESS,
    UtcTime,
    is_indexed,
    metadata,
)
from aggregator.store.tables.correction_tables import (
    command,
    correction,
    link_constraint,
)
from aggregator.store.tables.deliveries import outbox, webhook
from aggregator.store.tables.entries import (
    entry,
    identity_key,
    intake_count,
    observation,
)
from aggregator.store.tables.history import (
    source_history,
    source_period,
    standing,
    stream_period,
)
from aggregator.store.tables.progress_tables import counter, writer_lease
from aggregator.store.tables.readers import (
    api_token,
    mute,
    muted_story,
    read_mark,
    reader,
)
from aggregator.store.tables.source_tables import (
    JOIN_SOURCE,
    folder,
    known_items,
    rejected_input,
    source,
    source_access,
)
from aggregator.store.tables.statements import (
    Row,
    Values,
    Where,
    count_rows,
    counter_value,
    has_rows,
    in_parts,
    insert_rows,
    is_sqlite,
    lock_rows,
    read_lists,
    read_map,
    read_row,
    read_rows,
    read_set,
    read_struct,
    read_structs,
    read_value,
    read_values,
    rows_in_order,
    set_counter,
    stream_rows,
    update_rows,
    write_each,
    write_sql,
)
from aggregator.store.tables.story_tables import (
    VIEWS,
    affinity,
    change,
    story,
    story_log,
    story_subject,
    storyline_union,
)
