"""What an entry is known by when its keys changed."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_INDEXED = ("title_key", "text_key")


def upgrade() -> None:
    for column in _added():
        op.add_column("sighting", column)
    for name in _INDEXED:
        present = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"ix_sighting_{name}", "sighting", [name], sqlite_where=present, postgresql_where=present
        )
    op.create_table(
        "habit",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("guid_strikes", sa.Integer(), nullable=False),
        sa.Column("url_strikes", sa.Integer(), nullable=False),
        sa.Column("guids_distrusted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("urls_distrusted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_habit")),
        sqlite_with_rowid=False,
    )
    # Every feed is read once more, though it says that nothing changed: so what is known gets its marks.
    op.execute("UPDATE source SET etag = NULL, last_modified = NULL, body_hash = NULL WHERE kind = 'feed'")


def downgrade() -> None:
    op.drop_table("habit")
    for name in _INDEXED:
        op.drop_index(f"ix_sighting_{name}", "sighting")
    for column in reversed(_added()):
        op.drop_column("sighting", column.name)


def _added() -> list[sa.Column[Any]]:
    return [
        sa.Column("is_current", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("reverts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("title_hash", sa.LargeBinary(), nullable=True),
        sa.Column("title_key", sa.LargeBinary(), nullable=True),
        sa.Column("text_key", sa.LargeBinary(), nullable=True),
        sa.Column("declared", sa.DateTime(timezone=True), nullable=True),
    ]
