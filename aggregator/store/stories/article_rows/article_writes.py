"""Writing placed articles: new rows, revisions, moves, and what identifies them."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, insert, select, update

from aggregator.model.article import Role
from aggregator.model.evidence import Evidence, TextReuse
from aggregator.store import codecs
from aggregator.store.intake.known_items import forget_items_of
from aggregator.store.stories.article_rows.sketches import insert_sketches
from aggregator.store.stories.articles import StoredArticle, evidence_of
from aggregator.store.tables import (
    affinity,
    article,
    change_with,
    delete_rows,
    execute_each,
    has_row,
    identity_key,
    observation,
    update_rows,
)

_PLAIN = [
    name
    for name in StoredArticle.__struct_fields__
    if name in article.c and name != "evidence"
]
_INSERT = insert(article)
_INSERT_AFFINITY = insert(affinity)
_OF_TEXT = (  # columns that a revision replaces
    "outlet",
    "outlet_name",
    "claimed_outlet",
    "url",
    "author",
    "effective_at",
    "wire",
    "title",
    "kind",
    "kind_evidence",
    "html",
    "lead",
    "text",
    "language",
    "verdict",
    "signature",
    "terms",
    "body_words",
    "text_hash",
    "details",
    "published",
    "published_origin",
    "published_precision",
    "timezone_assumed",
    "date_counts",
)


def insert_article(connection: Connection, new: StoredArticle) -> None:
    """Insert the row of an article with details and evidence, and its sampled shingles."""
    assert new.evidence is not None, "it was just decided"
    evidence = codecs.pack_compressed(new.evidence)
    row = _columns_of(new) | {"evidence": evidence}
    connection.execute(_INSERT, [row])
    insert_sketches(connection, {new.inbox_no: new.sketch})
    insert_affinities(connection, new.inbox_no, new.affinities)


def insert_affinities(
    connection: Connection, number: int, affinities: Iterable[tuple[int, int]]
) -> None:
    """Insert how near article `number` is to each of these stories, in thousandths of a logit."""
    rows = [
        {"article": number, "story": story, "logit": logit}
        for story, logit in affinities
    ]
    execute_each(connection, _INSERT_AFFINITY, rows)


def _columns_of(whole: StoredArticle) -> dict[str, Any]:
    columns = {name: getattr(whole, name) for name in _PLAIN}
    return columns | {"outlet": whole.outlet_key}


def replace_text(connection: Connection, revised: StoredArticle) -> None:
    """Write a revision into the row of its article; story, role and number stay."""
    columns = _columns_of(revised)
    values = {name: columns[name] for name in _OF_TEXT}
    if revised.record_id is not None:  # a feed that revises a record has none
        values["record_id"] = revised.record_id
    _set(connection, revised.id, **values)


def move(connection: Connection, ids: Iterable[str], story: str) -> None:
    """Assign these articles to a story."""
    change_with(connection, update(article).values(story=story), article.c.id, ids)


def move_all(connection: Connection, loser: str, winner: str) -> None:
    """Assign all articles of a story to another one."""
    update_rows(connection, article, article.c.story == loser, story=winner)


def set_role(
    connection: Connection,
    id: str,
    role: Role,
    copy_of: str | None,
    *,
    reuse: TextReuse | None,
    version_of: str | None,
) -> None:
    """Set what article `id` is in its story, and whose words it has."""
    evidence = replace(evidence_of(connection, id), reuse=reuse)
    _set(
        connection,
        id,
        role=role,
        copy_of=copy_of,
        reuses=reuse.other if reuse else None,
        version_of=version_of,
    )
    set_evidence(connection, id, evidence)


def set_evidence(connection: Connection, id: str, evidence: Evidence) -> None:
    """Replace the evidence of article `id`; whether it counts as a report follows from it."""
    packed = codecs.pack_compressed(evidence)
    _set(connection, id, evidence=packed, counts_as_report=evidence.counts_as_report)


def set_compared(
    connection: Connection, ids: Iterable[str], *, is_compared: bool
) -> None:
    """Set whether later articles are compared with these."""
    counted = update(article).values(is_compared=is_compared)
    change_with(connection, counted, article.c.id, ids)


def set_source(
    connection: Connection, id: str, source: str, *, is_little_known: bool
) -> None:
    """Let article `id` be one of `source`, that of its own site, which others had listed before."""
    _set(connection, id, source=source, is_little_known=is_little_known)


def set_version(
    connection: Connection, ids: Iterable[str], version_of: str | None
) -> None:
    """Make these articles versions of the text of another one (None: of none)."""
    change_with(
        connection, update(article).values(version_of=version_of), article.c.id, ids
    )


def _set(connection: Connection, article_id: str, **values: Any) -> None:
    update_rows(connection, article, article.c.id == article_id, **values)


def rekey(
    connection: Connection, old: str, new: str, *, is_authoritative: bool
) -> None:
    """Give the identity keys and the observations of article `old` to article `new`.

    `is_authoritative`: whether the authoritative sources of `old` are authoritative for `new`.
    """
    update_rows(connection, identity_key, identity_key.c.article == old, article=new)
    forget_items_of(connection, [old])  # they name it
    is_old = observation.c.article == old
    # A source that showed both keeps the row of `new`
    of_new = select(observation.c.source).where(observation.c.article == new)
    delete_rows(connection, observation, is_old, observation.c.source.in_(of_new))
    if not is_authoritative:
        withdraw_authority(connection, old)
    update_rows(connection, observation, is_old, article=new)


def is_observed(connection: Connection, id: str, source: str) -> bool:
    """Return whether `source` had article `id` before."""
    seen = select(observation.c.article).where(
        observation.c.article == id, observation.c.source == source
    )
    return has_row(connection, seen)


def withdraw_authority(connection: Connection, id: str) -> None:
    """Let no source that had article `id` so far change its text."""
    is_of_article = observation.c.article == id
    update_rows(connection, observation, is_of_article, is_authoritative=False)
