"""Live stories are found by the terms of their articles: no story has sums of terms of its own any more.

What later articles are compared with has a name that says so: `article.is_compared`.
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
        # Otherwise SQLite refuses if a view of the user is broken, whatever it shows.
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
    # A view of the user shows all columns of `story`: it goes on, without values
    except sa.exc.DBAPIError:
        connection.exec_driver_sql(
            "ALTER TABLE story ALTER COLUMN centroid DROP NOT NULL"
        )
        connection.exec_driver_sql("UPDATE story SET centroid = NULL")
