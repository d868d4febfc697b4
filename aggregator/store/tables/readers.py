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
    serial_key,
)

api_token = Table(
    "api_token",
    metadata,
    # A token of the HTTP API. The secret is shown once and not stored.
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # unique among tokens that are not revoked
    # SHA-256 of the secret: 256 random bits need no salt
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),  # read, push, admin; joined by commas
    Column("created_at", UtcTime, nullable=False),
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
    Column("created_at", UtcTime, nullable=False),
    # Stories that were last bumped at this time or earlier are read
    Column("read_before", UtcTime, nullable=False),
    # Merges were followed up to this change
    Column("last_change_no", BigInteger, nullable=False),
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
    Column("kind", Text, primary_key=True),
    # The word, `article.outlet`, `article.source`, `article.kind`, or the id that a storyline had.
    Column("muted", Text, primary_key=True),
    # Name to show to people
    Column("name", Text, nullable=False),
    sqlite_with_rowid=False,
)
