"""An article names the text of which it is another version.

Articles that are stored already have none; `recluster` decides about them again. The sampled shingles of all
articles are computed again, for revision 0037: the program of today reads the new column for that.
"""

import sqlalchemy as sa
from alembic import op

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("version_of", sa.Text))
    articles = op.get_bind()
    if articles.scalar(sa.text("SELECT 1 FROM article LIMIT 1")):
        CopyFinder(Tuning()).recompute(articles)
