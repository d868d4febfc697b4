"""Alembic's entry: the program hands its own connection over; `alembic` on the command line uses -x url=."""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from aggregator.config.loader import load
from aggregator.store.engine.database import Database
from aggregator.store.tables import metadata


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """The full-text index is made by hand and differs between the databases."""
    return not (kind == "table" and (name or "").startswith("article_search"))


def tell(*, step: Any, **_: Any) -> None:
    """The program's own listener, where it has one, hears of each step up."""
    applied = context.config.attributes.get("applied")
    if applied is not None and step.is_upgrade:
        applied(step.up_revision_id, step.up_revision.doc)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=include_name,
        transaction_per_migration=False,
        on_version_apply=tell,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url") or load(None).database_url
    with Database(url).write() as own:
        migrate(own)
