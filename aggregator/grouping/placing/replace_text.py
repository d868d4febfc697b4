"""Give a stored article another text: update its row and the indexes of its words."""

from msgspec.structs import replace

from aggregator.extract.urls import canonical_url
from aggregator.grouping.parts import GroupingParts
from aggregator.model.article import Role
from aggregator.store.engine.database import Connection
from aggregator.store.search import index as search
from aggregator.store.stories import stored_articles
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork

# Stages where a report joined a story that it must agree with
_ASKED = ("copy", "event", "second look", "version")


def replace_text(
    parts: GroupingParts,
    unit_of_work: UnitOfWork,
    incoming: StoredArticle,
    old: StoredArticle,
    copied: str | None,
    *,
    is_copy: bool,
) -> StoredArticle:
    """Write the text of a revision into the row of an article and into the indexes.

    `copied` is the article that it copies now, or excerpts if `is_copy` is false.
    """
    connection = unit_of_work.connection
    if old.outlet_key:
        if incoming.outlet_key != old.outlet_key:
            incoming = replace(incoming, outlet_name=old.outlet_name)
        incoming = replace(
            incoming, outlet_key=old.outlet_key, claimed_outlet=old.claimed_outlet
        )
    address = canonical_url(old.url or "")
    if address is not None and address == canonical_url(incoming.url or ""):
        # Another spelling of the same URL (tracking parameters) replaces nothing.
        incoming = replace(incoming, url=old.url)
    sketch = parts.copy_finder.revised(
        connection, old, incoming, copied, is_copy=is_copy
    )
    new = replace(
        incoming,
        id=old.id,
        inbox_no=old.inbox_no,
        story=old.story,
        sketch=sketch,
    )
    new = parts.outlet_names.named(unit_of_work, new)
    was_searchable = search.take_out(connection, old.inbox_no)
    article_writes.replace_text(connection, new)
    parts.copy_finder.replace(connection, old.inbox_no, sketch)
    parts.comparison.revised(old.inbox_no)
    if was_searchable:
        search.put_back(connection, old.inbox_no)
    return new


def renew_agreement(
    parts: GroupingParts, connection: Connection, old: StoredArticle, role: Role
) -> None:
    """Ask anew whether an article with another text agrees with the story that it joined."""
    evidence = stored_articles.evidence_of(connection, old.id)
    is_asked = role == "report" and evidence.stage in _ASKED
    if evidence.agreement is not None or is_asked:
        evidence = parts.agreement.with_agreement(
            connection, old.id, old.story, evidence
        )
        article_writes.set_evidence(connection, old.id, evidence)
