"""Store which stories the mute of a storyline hides, so that a union with another storyline hides no more of them."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

# The present stories of each muted storyline, whose id may be that of a story that was merged since
_PRESENT = """
    INSERT INTO muted_story (storyline, story, is_guest)
    SELECT mute.muted, story.id, false FROM mute
    JOIN story AS gone ON gone.id = mute.muted
    JOIN story AS present ON present.id = COALESCE(gone.redirect_to, gone.id)
    JOIN story ON COALESCE(story.storyline, story.id) = COALESCE(gone.storyline, present.storyline, present.id)
    WHERE mute.kind = 'storylines' AND story.redirect_to IS NULL"""


def upgrade() -> None:
    op.create_table(
        "muted_story",
        sa.Column("storyline", sa.Text(), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("is_guest", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("storyline", "story", name="pk_muted_story"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_muted_story_story", "muted_story", ["story"])
    op.execute(_PRESENT)
