"""Store the days on which senders agreed with other outlets.

For periods that are stored already, this is computed from the articles as they are placed now. The counts of a story
are computed again when the story grows.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_SENDER = "CASE WHEN {0}.is_polled THEN {0}.source ELSE {0}.source || ' ' || coalesce({0}.outlet, '') END"
_STANDING = "SELECT sender FROM standing GROUP BY sender HAVING count(*) >= 3"
_TEXT_OF = "coalesce({0}.copy_of, {0}.reuses, {0}.version_of)"
_IS_CONFIRMED = "({0}.outlet NOT LIKE '%@%' OR {0}.outlet LIKE '%/%')"
# An article agrees with another outlet that reported before it, or that reported after it in words of its own.
_NOTE_DAY = f"""
    INSERT INTO standing (sender, period)
    SELECT DISTINCT {_SENDER.format("article")}, CAST(:period AS BIGINT) FROM article
    WHERE article.inbox_no > :after AND article.inbox_no <= :last
    AND article.role IN ('report', 'copy') AND {_SENDER.format("article")} NOT IN ({_STANDING})
    AND EXISTS (
      SELECT 1 FROM article AS other WHERE other.story = article.story AND other.inbox_no <= :last
      AND (other.inbox_no < article.inbox_no OR other.counts_as_report AND {_TEXT_OF.format("other")} IS NULL)
      AND other.role = 'report' AND other.outlet <> article.outlet
      AND {_IS_CONFIRMED.format("other")} AND {_IS_CONFIRMED.format("article")}
      AND (article.counts_as_report
        OR article.body_words = 0 AND {_SENDER.format("other")} IN ({_STANDING}))
      AND (other.source <> article.source OR NOT article.is_polled)
    )
    AND ({_TEXT_OF.format("article")} IS NULL OR EXISTS (
      SELECT 1 FROM article AS copied WHERE copied.id = {_TEXT_OF.format("article")}
      AND (copied.wire IS NOT NULL OR {_SENDER.format("copied")} IN ({_STANDING}))
    ))
    """  # noqa: S608


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
        numbers = {"period": period.number, "after": after}
        connection.execute(
            sa.text(_NOTE_DAY), {**numbers, "last": period.last_inbox_no}
        )
        after = period.last_inbox_no
