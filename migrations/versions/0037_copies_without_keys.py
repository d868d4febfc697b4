"""Copies are found by sampled shingles alone: there are no LSH keys any more.

More shingles are stored of each text, so those of all articles are computed again.
"""

from alembic import op

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("lsh_band")
    CopyFinder(Tuning()).recompute(op.get_bind())
