"""Corrections by people, their constraints, and commands for the writer."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from aggregator.store.tables.columns import (
    UtcTime,
    metadata,
    required,
    serial_key,
    text_key,
)

correction = Table(
    "correction",
    metadata,
    # A correction by a person. It binds every later decision until it is undone. Written by the writer.
    serial_key("correction_no"),
    required("at", UtcTime),
    required("kind", Text),  # CorrectionKind
    Column("undone_at", UtcTime),
    # The changes to reverse when it is undone: JSON, CorrectionDetail in store/stories/corrections.py.
    required("detail", Text),
)

link_constraint = Table(
    "link_constraint",
    metadata,
    # The constraints of a correction. Must-link: its articles with the relation "together" belong to one
    # story. Cannot-link: no article with "apart" on side 0 may be in a story with an "apart" article on side 1. Rows
    # name only articles, so the constraints also apply when the articles are grouped again.
    Column(
        "correction",
        BigInteger,
        ForeignKey("correction.correction_no"),
        primary_key=True,
    ),
    text_key("article"),  # `article.id`
    # together | apart; the same for storylines: storyline together | storyline apart
    text_key("relation"),
    required("side", Integer),  # 0 | 1
    Index(None, "article"),
)

command = Table(
    "command",
    metadata,
    # A command for the writer from another process. The command line or the API adds it, and the writer answers it.
    serial_key("command_no"),
    required("at", UtcTime),
    required("kind", Text),  # CommandKind in store/commands.py
    required("payload", Text),  # JSON
    required("state", Text),  # waiting | done | refused
    Column("result", Text),  # JSON; the reason if it was refused
    Column("done_at", UtcTime),
    Index(None, "state", "command_no"),
)
