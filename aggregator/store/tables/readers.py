"""Readers with their marks and mutes, and tokens of the HTTP API."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
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
    # A token of the HTTP API. The secret is shown once and not stored.
    text_key("id"),
    required("name", Text),  # unique among tokens that are not revoked
    # SHA-256 of the secret: 256 random bits need no salt
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
    # A person who reads with a client of the Google Reader API (store/read/marks/). Written by the web
    # server at the first sign-in.
    serial_key("reader_no"),
    Column("name", Text, nullable=False, unique=True),  # lower case
    required("created_at", UtcTime),
    # Stories that were last bumped at this time or earlier are read
    required("read_before", UtcTime),
    # Merges were followed up to this change
    required("last_change_no", BigInteger),
)

read_mark = Table(
    "read_mark",
    metadata,
    # Marks of a reader on one story, if `reader.read_before` does not cover them. Written by the web server.
    Column(
        "reader",
        BigInteger,
        ForeignKey("reader.reader_no", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    # `story.story_no`
    number_key("story"),
    # The story is read until a bump after this time; EARLIEST: unread; null: see `reader.read_before`.
    Column("read_to", UtcTime),
    flag("is_starred"),
    # Labels that the reader gave the story, joined by line feeds; null: none
    Column("labels", Text),
    sqlite_with_rowid=False,
)

mute = Table(
    "mute",
    metadata,
    # A mute that the owner set in the browser: matching stories leave his lists (store/read/muted.py). Written
    # by the web server.
    # words | outlets | sources | kinds, as in `mute` of config.yaml; or storylines
    text_key("kind"),
    # The word, `article.outlet`, `article.source`, `article.kind`, or the id that a storyline had.
    text_key("muted"),
    # Name to show to people
    required("name", Text),
    sqlite_with_rowid=False,
)
