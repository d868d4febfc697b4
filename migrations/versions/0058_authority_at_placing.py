"""Count changes in `observation`, and keep the address that a feed declares as its own.

Placing decides who may change an article, by the source and the address of the article, so that an observation does
not say it any more. Contents that a poll does not need are dropped when the source changes the article next.
"""

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

_DROP = "ALTER TABLE observation DROP COLUMN is_authoritative"


def upgrade() -> None:
    op.execute("ALTER TABLE observation ADD COLUMN changes INTEGER DEFAULT 0 NOT NULL")
    op.execute(
        "UPDATE observation SET changes = length(contents) / 8 - 1 WHERE length(contents) > 8"
    )
    op.execute("ALTER TABLE source ADD COLUMN self_url TEXT")
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        # Otherwise SQLite refuses the change if any view of the user is broken, even a view of other tables.
        connection.exec_driver_sql("PRAGMA writable_schema=ON")
        try:
            connection.exec_driver_sql(_DROP)
        finally:
            connection.exec_driver_sql("PRAGMA writable_schema=OFF")
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(_DROP)
    # A view of the user shows all columns of `observation`, so the column stays, without values.
    except sa.exc.DBAPIError:
        connection.exec_driver_sql(
            "ALTER TABLE observation ALTER COLUMN is_authoritative DROP NOT NULL"
        )
        connection.exec_driver_sql("UPDATE observation SET is_authoritative = NULL")
