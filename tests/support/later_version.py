"""A later version of the program: the same one with two made-up migrations after its own."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from aggregator.store import migrate
from tests.conftest import REPOSITORY
from tests.support.fresh import sqlite_file, with_tables

_HEAD = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    connection = op.get_bind()
'''
_MIGRATIONS = {
    # Reads all rows of articles and writes more than a full disk takes.
    "Notes on articles": """
    op.create_table(
        "later_note",
        sa.Column("article", sa.Text, primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Index("ix_later_note_note", "note"),
    )
    op.add_column("story", sa.Column("later_note", sa.Text))
    found = connection.execute(sa.text("SELECT id, signature, terms, evidence FROM article")).all()
    notes = sa.table("later_note", sa.column("article"), sa.column("note"))
    op.bulk_insert(notes, [{"article": row.id, "note": bytes(2000)} for row in found])
    op.execute("UPDATE story SET later_note = title")
""",
    # As on a server, where views of users may depend on it.
    "Notes in v_stories": """
    if connection.dialect.name == "sqlite":
        asked = "SELECT sql FROM sqlite_master WHERE name = 'v_stories'"
        view = connection.execute(sa.text(asked)).scalar_one()
        op.execute("DROP VIEW v_stories")
    else:
        query = connection.execute(sa.text("SELECT pg_get_viewdef('v_stories'::regclass)")).scalar_one()
        view = f"CREATE OR REPLACE VIEW v_stories AS {query}"
    connection.exec_driver_sql(view.replace("storyline\\n", "storyline, later_note\\n"))
""",
}


class LaterVersion(NamedTuple):
    """Its revisions after those of this program, and a folder to import it from in another process."""

    revisions: list[str]
    folder: Path


@contextmanager
def later_version() -> Iterator[LaterVersion]:
    """Make this process the later version."""
    with TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patched:
        folder = Path(made)
        # Whose copies are of this version
        with_tables(sqlite_file(folder / "unused.db"))
        (folder / "aggregator").symlink_to(REPOSITORY / "aggregator")
        shutil.copytree(migrate.migrations_folder(), folder / "migrations")
        revisions: list[str] = []
        for title, body in _MIGRATIONS.items():
            before = (migrate.newest_revision(), *revisions)[-1]
            revisions.append(f"{int(before) + 1:04}")
            head = _HEAD.format(title=title, revision=revisions[-1], before=before)
            (
                folder / "migrations" / "versions" / f"{revisions[-1]}_later.py"
            ).write_text(head + body)
        patched.setattr(migrate, "migrations_folder", lambda: folder / "migrations")
        yield LaterVersion(revisions, folder)
