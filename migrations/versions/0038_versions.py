"""Let an article name the text that it is another version of.

Articles that are stored already name none, until `recluster` decides about them again. The sampled shingles of all
articles are computed again. This belongs to revision 0037, but the code that does it reads the new column.
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
