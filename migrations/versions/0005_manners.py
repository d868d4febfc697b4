"""What polling remembers of a source and of a host."""

from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in _added():
        op.add_column("source", column)
    op.create_table(
        "host",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gap_factor", sa.Float(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_host")),
    )
    source = sa.table("source", sa.column("id"), sa.column("kind"), sa.column("address"), sa.column("host"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(source).where(source.c.kind == "feed")).all():
        connection.execute(sa.update(source).where(source.c.id == row.id).values(host=_host(row.address)))


def downgrade() -> None:
    op.drop_table("host")
    for column in reversed(_added()):
        op.drop_column("source", column.name)


def _added() -> list[sa.Column[Any]]:
    return [
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("adopted", sa.Text(), nullable=True),
        sa.Column("moved_to", sa.Text(), nullable=True),
        sa.Column("moved_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("moved_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_proven", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("gone_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("gone_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_seconds", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("per_day", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("per_day_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_new_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flooded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("flood_entries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
    ]


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
