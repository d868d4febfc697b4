"""Remove the state of the counts of a story, because the counts follow from its articles."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_DROP = "ALTER TABLE story DROP COLUMN count_state"


def upgrade() -> None:
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
    # A view of the user shows all columns of `story`, so the column stays, without values.
    except sa.exc.DBAPIError:
        connection.exec_driver_sql("UPDATE story SET count_state = NULL")
