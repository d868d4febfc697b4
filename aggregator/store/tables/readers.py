"""Readers with their marks and mutes, and tokens of the HTTP API."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
)

from aggregator.store.tables.columns import (
    UtcTime,
    flag,
    metadata,
    number_key,
    required,
    serial_key,
    text_key,
)

api_token = Table(
    "api_token",
    metadata,
    # A token of the HTTP API. Its secret is shown once and not stored.
    text_key("id"),
    required("name", Text),  # unique among tokens that are not revoked
    # SHA-256 of the secret, without salt, because the secret has 256 random bits
    required("hash", LargeBinary),
    required("scopes", Text),  # read, push, admin; joined by commas
    required("created_at", UtcTime),
    # Time of the last use, to the minute
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

reader = Table(
    "reader",
    metadata,
    # A person who reads with a client of the Google Reader API, or the owner on pages (store/read/marks/). Written by
    # the web server when the reader first signs in, or when the owner sets the first mark.
    serial_key("reader_no"),
    Column("name", Text, nullable=False, unique=True),  # lower case
    required("created_at", UtcTime),
    # Stories with their last bump at this time or earlier are read
    required("read_before", UtcTime),
    # Merges were followed up to this change
    required("last_change_no", BigInteger),
    # `api_token.id` of the token that the reader was added with; null: the owner, or an older version
    Column("added_with", Text),
)

read_mark = Table(
    "read_mark",
    metadata,
    # The marks of a reader on a story, if they do not follow from `reader.read_before`. Written by the web server.
    Column(
        "reader",
        BigInteger,
        ForeignKey("reader.reader_no", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # `story.story_no`
    number_key("story"),
    # The story is read until a bump after this time; EARLIEST: it is unread; null: `reader.read_before` decides.
    Column("read_to", UtcTime),
    flag("is_starred"),
    # Labels that the reader gave the story, joined by line feeds; null: none
    Column("labels", Text),
    sqlite_with_rowid=False,
)

mute = Table(
    "mute",
    metadata,
    # A mute that the owner set in the browser. Matching stories leave the lists of the owner (store/read/muted.py).
    # Written by the web server.
    # words | outlets | sources | kinds, as in `mute` of config.yaml; or storylines
    text_key("kind"),
    # The word, `article.outlet`, `article.source`, `article.kind`, or the id that a storyline had.
    text_key("muted"),
    # Name to show to people
    required("name", Text),
    sqlite_with_rowid=False,
)

muted_story = Table(
    "muted_story",
    metadata,
    # A story that the mute of a storyline hides (store/stories/storyline_mutes.py). Written by the web server with the
    # mute, and by the writer when a story joins the storyline.
    text_key("storyline"),  # `mute.muted`
    text_key("story"),  # `story.id`; it may redirect now
    # Whether the story was muted alone, as a guest
    flag("is_guest"),
    Index(None, "story"),
    sqlite_with_rowid=False,
)
