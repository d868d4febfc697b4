"""The days on which somebody agreed with another outlet.

Of the periods that are stored, counted from the articles as they are placed now. The counts of all stories
are computed again when they grow.
"""

import sqlalchemy as sa
from alembic import op

from aggregator.store.stories import standing

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standing",
        sa.Column("sender", sa.Text, primary_key=True),
        sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    connection, after = op.get_bind(), -1
    periods = sa.text("SELECT number, last_inbox_no FROM stream_period ORDER BY number")
    for period in connection.execute(periods).all():
        standing.note_day(connection, period.number, after, period.last_inbox_no)
        after = period.last_inbox_no
