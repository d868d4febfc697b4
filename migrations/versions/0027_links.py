"""Names and topics of stories, and links between stories.

`story_subject` and `story_link` are filled when the merged text of a story is rendered. `v_story_links` has
the relation of `v_follows` in both directions, and related stories. `ix_article_kind` finds stories with an
article of a kind.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None

_OTHER_KINDS = sa.text("kind <> 'report'")
_SUBJECTS = """
    SELECT story.id AS story_id, story_subject.label AS {0}, story_subject.outlets
    FROM story_subject JOIN story ON story.story_no = story_subject.story_no
    WHERE story_subject.kind = '{0}' AND story.redirect_to IS NULL"""
_VIEWS = {
    # Without DISTINCT or UNION of the whole: a condition on `story_id` reaches the indexes.
    "v_story_links": """
    SELECT DISTINCT story_id, earlier_id AS other_id, 'earlier' AS relation FROM v_follows
    UNION ALL SELECT DISTINCT earlier_id, story_id, 'later' FROM v_follows
    UNION ALL SELECT story.id, other.id, 'related' FROM story_link
    JOIN story ON story.story_no = story_link.story_no
    JOIN story AS other ON other.story_no = story_link.other_no
    WHERE story.redirect_to IS NULL AND other.redirect_to IS NULL""",
    "v_story_names": _SUBJECTS.format("name"),
    "v_story_topics": _SUBJECTS.format("topic"),
}


def upgrade() -> None:
    op.create_table(
        "story_subject",
        sa.Column("story_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("outlets", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("story_no", "kind", "position", name="pk_story_subject"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_story_subject_key", "story_subject", ["kind", "key", "story_no"])
    op.create_table(
        "story_link",
        sa.Column("story_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("other_no", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("story_no", "other_no", name="pk_story_link"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_story_link_other_no", "story_link", ["other_no"])
    op.create_index(
        "ix_article_kind",
        "article",
        ["kind", "story"],
        sqlite_where=_OTHER_KINDS,
        postgresql_where=_OTHER_KINDS,
    )
    for name, query in _VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")


def downgrade() -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.drop_index("ix_article_kind", table_name="article")
    op.drop_table("story_link")
    op.drop_table("story_subject")
