"""Show refused entries in `v_refused`, which looked for a state that no entry has and showed rejected inputs alone."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

_REFUSED = """
    SELECT source AS source_key, COALESCE(url, article) AS item, verdict, reason, done_at AS at
    FROM entry WHERE state = 'refused'
    UNION ALL
    SELECT source, item, verdict, reason, at FROM rejected_input"""


def upgrade() -> None:
    connection = op.get_bind()
    create = "CREATE OR REPLACE VIEW"
    if connection.dialect.name == "sqlite":
        op.execute("DROP VIEW v_refused")
        create = "CREATE VIEW"
    connection.exec_driver_sql(f"{create} v_refused AS {_REFUSED}")
