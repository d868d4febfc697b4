"""Lines that an outlet repeats; what became of a page whose entry's own text was taken."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outlet_line",
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("article", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article"], ["article.n"], name="fk_outlet_line_article_article", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("outlet", "article", name="pk_outlet_line"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_outlet_line_article", "outlet_line", ["article"])
    op.add_column("entry", sa.Column("page_verdict", sa.Text(), nullable=True))
    op.create_index("ix_entry_source_verdict", "entry", ["source", "verdict", "page_verdict"])


def downgrade() -> None:
    op.drop_index("ix_entry_source_verdict", table_name="entry")
    op.drop_column("entry", "page_verdict")
    op.drop_table("outlet_line")
