"""Placed and erased articles, and data computed from them."""

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

# Most articles are reports, so an index that includes reports would not narrow a query.
OTHER_KINDS = "kind <> 'report'"
# A report by an outlet with standing; copies are left out
OWN_REPORT = "role = 'report' AND NOT is_little_known"

article = Table(
    "article",
    metadata,
    # A placed article. Written by the writer. A revision replaces the text in the same row.
    # `entry.inbox_no` of the entry that it came from
    number_key("inbox_no"),
    # Hash of the strongest identity key
    Column("id", Text, nullable=False, unique=True),
    # A source may reuse a key for another article. The articles of one key have the same root, which is the `id` of the
    # first article, and are numbered by generation, from 0 on.
    required("root_article", Text),
    from_zero("generation"),
    Column("story", Text, ForeignKey("story.id"), nullable=False),  # the assigned story
    required("role", Text),  # report | copy | excerpt | container
    # model.prepared.Kind
    Column("kind", Text, nullable=False, server_default=text("'report'")),
    Column(
        "kind_evidence", Text
    ),  # the evidence of the kind, for users; null for a report
    # Whether later articles are compared with it. Of several copies of a text, only the first is compared.
    flag("is_compared"),
    # `id` of the near-duplicate that placing found. The original of the group is computed when the story is read.
    Column("copy_of", Text),
    # `id` of an article of another outlet with many of the same words, which placing looks for if there is no
    # near-duplicate. Both articles have one origin (`Evidence.reuse`).
    Column("reuses", Text),
    # `id` of the original as of the last rendering, for SQL (derived)
    Column("original", Text),
    required("source", Text),  # `entry.source` of the first entry
    # Key of the outlet: its declared name, or its site or channel (extract/outlets.py). Null: unknown.
    Column("outlet", Text),
    # Name of the outlet; null: equal to `outlet`
    Column("outlet_name", Text),
    Column("url", Text),
    required("title", Text),
    required("lead", Text),  # "" after the text was deleted by retention
    Column("text", Text),  # null: deleted by retention
    Column("language", Text),  # BCP 47 tag
    Column("author", Text),
    Column("published", UtcTime),
    # feed | page | text | poll: the origin of `published`
    Column("published_origin", Text),
    Column("published_precision", Text),  # minute | day
    flag("timezone_assumed", false()),
    # Whether the date counts as declared. A date that was read in the text may be the date of an event.
    flag("date_counts", true()),
    required("seen_at", UtcTime),  # when the first entry was accepted
    # The earlier of `published` and `seen_at`
    required("effective_at", UtcTime),
    Column("wire", Text),  # name of the agency behind the text, if certain enough
    # ArticleDetails in store/stories/stored_articles.py: msgpack
    Column("details", LargeBinary),
    required("verdict", Text),  # model.prepared.Verdict
    # MinHash; "": its text was deleted, or has no words
    required("signature", LargeBinary),
    # Packed terms (grouping/pairs/term_codec.py); "" as for `signature`
    required("terms", LargeBinary),
    # Similarity to its neighbours when it was placed (grouping/pairs/pair_features.py); null: it was not compared.
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
    # Whether its sender had no standing when it was placed (store/stories/stream_history.py)
    flag("is_little_known", false()),
    # `id` of the text that this article is another version of: a copy, a text with many of its words, or a text
    # of the same outlet that words a sentence differently. The current version is determined when the story is read.
    Column("version_of", Text),
    # Key of an outlet that only the sender names: a different outlet than `outlet` if a feed links to it, the
    # same outlet if the article was handed in beside feeds. Null: the outlet is confirmed.
    Column("claimed_outlet", Text),
    # The article as HTML for reading: model.prepared.ArticleHtml, msgpack, zstd. Null: it is shown as its text in
    # paragraphs.
    Column("html", LargeBinary),
    Column("record_id", Text),  # the `id` of its record in a file or a push; null: none
    Index(None, "story", "copy_of", "effective_at"),
    Index(None, "root_article", "generation"),
    Index(None, "copy_of"),
    # A covering index for the SQL views, so that their queries over all articles read no texts
    Index(
        "ix_article_for_views",
        *word_list("""
            story effective_at outlet outlet_name role published published_precision language wire original id
        """),
    ),
    partial_index("ix_article_container", "effective_at", where="role = 'container'"),
    # Retention finds the oldest text without reading rows whose texts are deleted.
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
    # The order of the front page needs the outlets of own reports (store/read/front_page_rows.py).
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
    # Number of times that it arrived again
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
    # Sampled shingles, by which copies and excerpts of an article are found
    # (grouping/copies/sampled_shingles.py; derived). An article that other copies already represent has no row.
    # This is a table of its own, so that reading the sketches of the newest articles does not read their texts.
    article_key(),
    required("hashes", LargeBinary),
)
