"""Store one observation for each article and source, because placing decides which article an entry is.

Hashes that recognise an entry under new keys are identity keys from now on, and feeds are read whole once to store
these. The content that a feed shows at its next poll does not count as a change. All contents of articles that were
handed in stay known.
"""

from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_OF_ONE = """
    INSERT INTO observation (article, source, contents, is_authoritative, changed_at)
    SELECT former.article, former.source, substr(former.content_hash, 1, 8),
           former.is_authoritative, former.first_seen_at
    FROM former_observation AS former
    JOIN (SELECT article, source FROM former_observation GROUP BY article, source
          HAVING count(*) = 1 AND count(title_hash) = 0) AS handed
      ON handed.article = former.article AND handed.source = former.source
"""
_OF_MORE = """
    INSERT INTO observation (article, source, contents, is_authoritative, changed_at)
    SELECT article, source, :empty, max(CASE WHEN is_authoritative THEN 1 ELSE 0 END) = 1,
           max(first_seen_at)
    FROM former_observation GROUP BY article, source
    HAVING count(*) > 1 OR count(title_hash) > 0
"""
_CONTENTS = """
    SELECT former.article, former.source, former.content_hash
    FROM former_observation AS former
    JOIN (SELECT article, source FROM former_observation GROUP BY article, source
          HAVING count(*) > 1 AND count(title_hash) = 0) AS handed
      ON handed.article = former.article AND handed.source = former.source
    ORDER BY former.article, former.source, former.content_hash
"""
_SET_CONTENTS = """
    UPDATE observation SET contents = :contents WHERE article = :article AND source = :source
"""


def upgrade() -> None:
    connection = op.get_bind()
    op.execute("CREATE TABLE former_observation AS SELECT * FROM observation")
    op.drop_table("observation")
    op.create_table(
        "observation",
        sa.Column("article", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("contents", sa.LargeBinary, nullable=False),
        sa.Column("is_authoritative", sa.Boolean, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("article", "source", name="pk_observation"),
        sqlite_with_rowid=False,
    )
    op.execute(_OF_ONE)
    empty = sa.bindparam("empty", b"", type_=sa.LargeBinary)
    connection.execute(sa.text(_OF_MORE).bindparams(empty))
    contents = sa.bindparam("contents", type_=sa.LargeBinary)
    statement = sa.text(_SET_CONTENTS).bindparams(contents)
    rows = connection.execute(sa.text(_CONTENTS)).all()
    for (article, source), shown in groupby(rows, key=lambda row: tuple(row[:2])):
        hashes = b"".join(bytes(row.content_hash)[:8] for row in shown)
        values = {"article": article, "source": source, "contents": hashes[-512:]}
        connection.execute(statement, values)
    op.drop_table("former_observation")
    op.drop_table("unstable_identifier")
    op.execute("DELETE FROM known_items")
