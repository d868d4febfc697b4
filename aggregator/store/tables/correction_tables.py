"""Corrections by people, their constraints, and commands for the writer."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from aggregator.store.tables.columns import UtcTime, metadata, serial_key

correction = Table(
    "correction",
    metadata,
    # A correction by a person. It binds every later decision until it is undone. Written by the writer.
    serial_key("correction_no"),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # CorrectionKind
    Column("undone_at", UtcTime),
    # The changes to reverse when it is undone: JSON, CorrectionDetail in store/stories/corrections.py.
    Column("detail", Text, nullable=False),
)

link_constraint = Table(
    "link_constraint",
    metadata,
    # The constraints of a correction. Must-link: its articles with the relation "together" belong to one
    # story. Cannot-link: no article with "apart" on side 0 is in a story with an "apart" article on side 1. Rows name
    # articles only, so the constraints also hold when the articles are grouped again.
    Column(
        "correction",
        BigInteger,
        ForeignKey("correction.correction_no"),
        primary_key=True,
    ),
    Column("article", Text, primary_key=True),  # `article.id`
    # together | apart; "storyline together" and "storyline apart" say the same of storylines
    Column("relation", Text, primary_key=True),
    Column("side", Integer, nullable=False),  # 0 | 1
    Index(None, "article"),
)

command = Table(
    "command",
    metadata,
    # A command for the writer from another process. Added by the command line or the API; answered by the
    # writer.
    serial_key("command_no"),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),  # CommandKind in store/commands.py
    Column("payload", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False),  # waiting | done | refused
    Column("result", Text),  # JSON; the reason if refused
    Column("done_at", UtcTime),
    Index(None, "state", "command_no"),
)
