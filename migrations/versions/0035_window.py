"""Remove the sums of terms of stories, because live stories are found by the terms of their articles.

Articles with which later articles are compared are marked by `article.is_compared`, formerly `counts_in_centroid`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_RENAME = "ALTER TABLE article RENAME COLUMN counts_in_centroid TO is_compared"
_DROP = "ALTER TABLE story DROP COLUMN centroid"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # Otherwise SQLite refuses the change if any view of the user is broken, even a view of other tables.
        connection.exec_driver_sql("PRAGMA writable_schema=ON")
        try:
            connection.exec_driver_sql(_RENAME)
            connection.exec_driver_sql(_DROP)
        finally:
            connection.exec_driver_sql("PRAGMA writable_schema=OFF")
        return
    connection.exec_driver_sql(_RENAME)
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(_DROP)
    # A view of the user shows all columns of `story`, so the column stays, without values.
    except sa.exc.DBAPIError:
        connection.exec_driver_sql(
            "ALTER TABLE story ALTER COLUMN centroid DROP NOT NULL"
        )
        connection.exec_driver_sql("UPDATE story SET centroid = NULL")
