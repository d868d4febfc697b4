"""Placed and erased articles, and data computed from each."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
    true,
)

from aggregator.store.tables.columns import (
    UtcTime,
    article_key,
    by_address,
    flag,
    from_zero,
    metadata,
    number_key,
    partial_index,
    required,
    text_key,
)
from aggregator.text.lines import word_list

# Most articles are reports: an index of them would not narrow a query
OTHER_KINDS = "kind <> 'report'"
# A report by an outlet with standing; copies are left out
OWN_REPORT = "role = 'report' AND NOT is_little_known"

article = Table(
    "article",
    metadata,
    # One placed article. Written by the writer; a revision replaces the text in the same row.
    # `entry.inbox_no` of the entry that it came from
    number_key("inbox_no"),
    # Hash of the strongest identity key
    Column("id", Text, nullable=False, unique=True),
    # A source may reuse a key for another article: the articles of a key have the same root (the `id` of the
    # first article) and count up from generation 0.
    required("root_article", Text),
    from_zero("generation"),
    Column("story", Text, ForeignKey("story.id"), nullable=False),  # the assigned story
    required("role", Text),  # report | copy | excerpt | container
    # model.prepared.Kind
    Column("kind", Text, nullable=False, server_default=text("'report'")),
    Column(
        "kind_evidence", Text
    ),  # the evidence of the kind, for users; null for a report
    # Whether later articles are compared with it; among the copies of a text, only the first is.
    flag("is_compared"),
    # `id` of the near-duplicate that was found at placing; the original of the group is computed on reading.
    Column("copy_of", Text),
    # `id` of the article of another outlet that has many of the same words, found at placing if there is
    # no near-duplicate: both have one origin (`Evidence.reuse`).
    Column("reuses", Text),
    # `id` of the original as of the last rendering, for SQL (derived)
    Column("original", Text),
    required("source", Text),  # `entry.source` of the first entry
    # Key of the outlet: its declared name, or its site or channel (extract/outlets.py). Null: unknown.
    Column("outlet", Text),
    # Name of the outlet as of the placing; null: equal to `outlet`
    Column("outlet_name", Text),
    Column("url", Text),
    required("title", Text),
    required("lead", Text),  # "" after the text was deleted by retention
    Column("text", Text),  # null: deleted by retention
    Column("language", Text),  # BCP 47 tag
    Column("author", Text),
    Column("published", UtcTime),
    # feed | page | text | poll: where `published` is from
    Column("published_origin", Text),
    Column("published_precision", Text),  # minute | day
    flag("timezone_assumed", false()),
    # Whether the date counts as declared; a date read in the text may be the date of an event.
    flag("date_counts", true()),
    required("seen_at", UtcTime),  # when the first entry was accepted
    # The earlier of `published` and `seen_at`
    required("effective_at", UtcTime),
    Column("wire", Text),  # name of the agency behind the text, if certain enough
    Column("details", LargeBinary),  # store.stories.articles.ArticleDetails: msgpack
    required("verdict", Text),  # model.prepared.Verdict
    # MinHash; "": its text was deleted, or has no words
    required("signature", LargeBinary),
    # grouping/pairs/term_codec.py; "": as of `signature`
    required("terms", LargeBinary),
    # Likeness to its neighbours when it came (grouping/pairs/pair_features.py); null: it was not compared.
    Column("nearest", LargeBinary),
    required("body_words", Integer),
    # 16-byte hash of the title and the whole text
    required("text_hash", LargeBinary),
    # model.evidence.Evidence: msgpack, compressed (codecs.py)
    required("evidence", LargeBinary),
    required("placed_at", UtcTime),
    # Whether its first entry came from a feed
    flag("is_polled"),
    # False: the text agrees too little with the reports of its story (`Evidence.agreement`).
    flag("counts_as_report", true()),
    # Whether its source had no standing when it came (store/stories/stream_history.py).
    flag("is_little_known", false()),
    # `id` of the text that this article is another version of: a copy, a text with many of its words, or a text
    # of the same outlet that tells a sentence differently. The current version is determined on reading.
    Column("version_of", Text),
    # Key of an outlet that only the sender names: a different outlet than `outlet` if a feed links to it, the
    # same outlet if the article was handed in beside feeds. Null: confirmed.
    Column("claimed_outlet", Text),
    # The article for reading: model.prepared.ArticleHtml, msgpack, zstd. Null: its text in paragraphs is
    # enough.
    Column("html", LargeBinary),
    Column("record_id", Text),  # the `id` of its record in a file or a push; null: none
    Index(None, "story", "copy_of", "effective_at"),
    Index(None, "root_article", "generation"),
    Index(None, "copy_of"),
    # A covering index for queries of the SQL views over all articles, so that they read no texts.
    Index(
        "ix_article_for_views",
        *word_list("""
            story effective_at outlet outlet_name role published published_precision language wire original id
        """),
    ),
    partial_index("ix_article_container", "effective_at", where="role = 'container'"),
    # Retention finds the oldest text, without reading the rows of deleted texts.
    partial_index(
        "ix_article_with_text", "inbox_no", "story", where="text IS NOT NULL"
    ),
    partial_index("ix_article_original", "original", where="original IS NOT NULL"),
    Index(None, "source", "seen_at"),
    Index(None, "effective_at"),
    by_address("article", "url"),
    # The index includes the story, so that a filter finds stories without reading articles.
    Index(None, "outlet", "story"),
    partial_index(
        "ix_article_outlet_name",
        "outlet_name",
        "outlet",
        where="outlet_name IS NOT NULL",
    ),
    Index(None, "language", "story"),
    partial_index("ix_article_kind", "kind", "story", where=OTHER_KINDS),
    # The order of the front page uses this index
    partial_index(
        "ix_article_told_by",
        "story",
        "kind",
        "outlet",
        "role",
        "is_little_known",
        where=OWN_REPORT,
    ),
    partial_index(
        "ix_article_claimed_outlet",
        "story",
        "claimed_outlet",
        "outlet",
        where="claimed_outlet IS NOT NULL",
    ),
)


tombstone = Table(
    "tombstone",
    metadata,
    # An erased article. Its identity keys and observations stay as hashes, so that it is recognised and
    # refused. Written by `forget` and by retention.
    text_key("article"),  # former `article.id`
    required("at", UtcTime),
    # forgotten | retention
    Column("kind", Text, nullable=False, server_default="forgotten"),
    # Times it arrived again
    from_zero("rejected_count"),
    Column("rejected_at", UtcTime),  # the last time
    Index(None, "at"),
    sqlite_with_rowid=False,
)

outlet_line = Table(
    "outlet_line",
    metadata,
    # Hashes of the lines of an outlet's newest articles; learned boilerplate is counted from them
    # (grouping/outlet_memory.py). Written by the writer.
    text_key("outlet"),  # the key of the outlet
    article_key(),
    required("lines", LargeBinary),  # signed 64-bit integers, sorted
    Index(None, "article"),
    sqlite_with_rowid=False,
)

sketch = Table(
    "sketch",
    metadata,
    # Sampled shingles that copies and excerpts of an article are found with
    # (grouping/copies/sampled_shingles.py; derived). An article that other copies already represent has no row.
    # The table is separate, so that reading the sketches of the newest articles does not read their texts.
    article_key(),
    required("hashes", LargeBinary),
)
