"""Stories with their names, storylines and history, and the names of the SQL views."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
)

from aggregator.store.tables.columns import (
    UtcTime,
    article_key,
    flag,
    from_zero,
    metadata,
    number_key,
    partial_index,
    required,
    serial_key,
    text_key,
)
from aggregator.text.lines import word_set

# The views that docs/sql.md describes. The migrations create them.
VIEWS = word_set("""
    v_copies v_corrections v_follows v_headline_changes v_now v_refused v_sources v_stories v_story_articles
    v_story_links v_story_log v_story_names v_story_topics v_storylines v_waiting
""")

story = Table(
    "story",
    metadata,
    # A story. Rows are never deleted, because ids are permanent. Written by the writer.
    # Order of founding
    number_key("story_no"),
    # Hash of `founding_article` and `founding_no`
    Column("id", Text, nullable=False, unique=True),
    required("founding_article", Text),  # `article.id`
    # Number of stories that this article founded before
    required("founding_no", Integer),
    # `id` of the successor; null: live; "": all of its articles were erased.
    Column("redirect_to", Text),
    required("title", Text),  # the headline
    # `article.id` of the headline; null: unknown, or made from a lead
    Column("title_article", Text),
    required("summary", Text),
    Column("language", Text),  # BCP 47 tag of most of its reports
    # The text that the story shows, as plain text for SQL (derived). Null: not yet rendered. It is empty for stories
    # without texts, and for stories of one article, because the view then shows the text of the article.
    Column("text", Text),
    Column("rendered", LargeBinary),  # model.story.StoryText: msgpack, zstd (derived)
    # First and last `effective_at` of its articles with a date, or of all articles if none has a date (derived)
    required("first_published", UtcTime),
    required("last_published", UtcTime),
    # Time of the last bump, to the second; the microseconds are a serial number that makes it unique.
    required("bumped_at", UtcTime),
    # Counts and flags of its articles (derived)
    required("article_count", Integer),
    required("outlet_count", Integer),
    required("report_count", Integer),
    from_zero("unknown_outlet_count"),
    flag("container_only", false()),
    # `inbox_no` of the article that was placed last (derived)
    required("last_inbox_no", BigInteger),
    # The inbox number that was current when an article last joined or left, for the second look. -1: copied by a run
    # of `recluster`, or older than the second look.
    from_zero("membership_changed_no", BigInteger),
    # `id` of the story that founded the storyline of this story; null: the story stands alone
    Column("storyline", Text),
    # Lists are ordered by `bumped_at`. There is an index for all live stories, and one each for stories with at least
    # two and five reports. They include the id and the last time, so that stories that a filter skips are not read.
    *(
        partial_index(
            f"ix_story_bumped_{least}",
            "bumped_at",
            "story_no",
            "id",
            "last_published",
            where=condition,
        )
        for least, condition in (
            (1, "redirect_to IS NULL"),
            (2, "redirect_to IS NULL AND report_count >= 2"),
            (5, "redirect_to IS NULL AND report_count >= 5"),
        )
    ),
    partial_index(
        "ix_story_unrendered", "bumped_at", where="text IS NULL AND redirect_to IS NULL"
    ),
    partial_index("ix_story_outlet_count", "outlet_count", where="outlet_count > 1"),
    partial_index(
        "ix_story_last_published", "last_published", where="redirect_to IS NULL"
    ),
    partial_index(
        "ix_story_report_count",
        "report_count",
        where="redirect_to IS NULL AND report_count >= 5",
    ),
    Index(None, "last_inbox_no"),
    Index(None, "membership_changed_no"),
    # A merge changes all redirects to the merged story.
    partial_index(
        "ix_story_redirect_to", "redirect_to", where="redirect_to IS NOT NULL"
    ),
    Index(None, "founding_article"),
    partial_index(
        "ix_story_storyline",
        "storyline",
        "last_published",
        where="storyline IS NOT NULL",
    ),
    Index("ix_story_for_views", "id", "redirect_to", "report_count", "outlet_count"),
)

story_subject = Table(
    "story_subject",
    metadata,
    # A name that several outlets use, or a topic from their categories (stories/story_names.py; derived). Written when
    # the story is rendered, and kept when retention deletes the text of the story.
    # `story.story_no`
    number_key("story_no"),
    text_key("kind"),  # name | topic
    # Rank, counted from 0, the most important first
    Column("position", Integer, primary_key=True, autoincrement=False),
    # Lower-case form by which stories are found
    required("key", Text),
    # Spelling that most outlets use
    required("label", Text),
    # Number of outlets that use it
    required("outlets", Integer),
    Index("ix_story_subject_key", "kind", "key", "story_no"),
    sqlite_with_rowid=False,
)

affinity = Table(
    "affinity",
    metadata,
    # How near an article was to one of the nearest stories when it was placed: the mean logit of the article and the
    # reports of the story. Low values are not stored. Storylines are decided from these rows. Written by the writer.
    article_key(),
    number_key("story"),  # `story.story_no`; it may redirect now
    # Mean logit in thousandths
    required("logit", Integer),
    sqlite_with_rowid=False,
)

storyline_union = Table(
    "storyline_union",
    metadata,
    # A union of two storylines of several stories (store/stories/storyline_unions.py). Written by the writer, and
    # deleted when the union is taken apart.
    number_key("union_no"),
    required("at", UtcTime),
    required("kept", Text),  # `story.storyline` of the older storyline
    required("gone", Text),  # the same of the younger one
    required("source", Text),  # `article.source` of the article that united them
    # Ids of the stories of the younger storyline, joined by commas
    required("stories", Text),
    Index(None, "kept"),
    Index(None, "source"),
)

story_log = Table(
    "story_log",
    metadata,
    # A line for each decision about a story. Written by the writer with the decision.
    serial_key("log_no"),
    required("story", Text),  # `story.id`
    required("at", UtcTime),
    required("kind", Text),  # LogKind in store/stories/unit_of_work.py
    Column("article", Text),  # `article.id`
    Column("detail", Text),  # JSON object
    Index(None, "story", "log_no"),
    # `forget` finds all stories that an article was in.
    partial_index("ix_story_log_article", "article", where="article IS NOT NULL"),
    partial_index(
        "ix_story_log_headline", "story", "log_no", where="kind = 'headline'"
    ),
)

change = Table(
    "change",
    metadata,
    # The change stream, which update feeds and webhooks read: a row for each bump, merge and split. Written by the
    # writer with the decision.
    # Never reused
    number_key("change_no"),
    # `story.id` at that time; it may redirect now
    required("story", Text),
    required("at", UtcTime),  # when the row was written
    # The sort key, which is unique like `story.bumped_at`: the time of placing for polled and pushed articles,
    # otherwise the effective time of the article
    required("bumped_at", UtcTime),
    required("kind", Text),  # ChangeKind in model/read_model.py
    Column("article", Text),  # `article.id` of the added article
    # Ids of merged stories, or of the story that was split; joined by commas
    Column("others", Text),
    required("title", Text),  # the headline after the change
    Column("title_before", Text),  # null: the headline did not change
    required("report_count", Integer),  # after the change
    Index(None, "bumped_at", "change_no"),
    Index(None, "article"),
    Index(None, "story", "change_no"),
    partial_index("ix_change_merged", "change_no", where="kind = 'merged'"),
)
