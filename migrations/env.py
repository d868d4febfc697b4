"""The entry point of Alembic. The program passes its own connection; the command `alembic` takes `-x url=URL`."""

from alembic import context
from sqlalchemy import Connection

from aggregator.config.loader import load
from aggregator.store.engine.database import Database
from aggregator.store.tables import metadata


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Return False for the full-text index, which migrations create by SQL that differs between the databases."""
    return not (kind == "table" and (name or "").startswith("article_search"))


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=include_name,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    url = (
        context.get_x_argument(as_dictionary=True).get("url") or load(None).database_url
    )
    with Database(url).write() as own:
        migrate(own)
