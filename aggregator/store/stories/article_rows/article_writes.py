"""Writing placed articles: new rows, revisions, moves, and their keys."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.article import Role
from aggregator.model.evidence import Evidence, TextReuse
from aggregator.store import codecs
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.intake.known_item_rows import forget_items_of
from aggregator.store.stories.article_rows.compared_articles import insert_sketches
from aggregator.store.stories.stored_articles import StoredArticle, read_evidence
from aggregator.store.tables import (
    Values,
    affinity,
    article,
    counter_value,
    has_rows,
    insert_rows,
    read_rows,
    set_counter,
    write_sql,
)
from aggregator.store.tables.progress_tables import MOVED_ADDRESSES
from aggregator.text.lines import word_list

_PLAIN = [
    name
    for name in StoredArticle.__struct_fields__
    if name in article.c and name != "evidence"
]
# The columns that a revision replaces
_OF_TEXT = word_list("""
    outlet outlet_name claimed_outlet url author effective_at wire title kind kind_evidence html lead text
    language verdict signature terms body_words text_hash details published published_origin
    published_precision timezone_assumed date_counts
""")


def insert_article(connection: Connection, new: StoredArticle) -> None:
    """Insert the row of an article with details and evidence, and its sampled shingles."""
    assert new.evidence is not None, "it was just decided"
    row = _columns_of(new) | {"evidence": codecs.pack_compressed(new.evidence)}
    insert_rows(connection, article, [row])
    insert_sketches(connection, {new.inbox_no: new.sketch})
    insert_affinities(connection, new.inbox_no, new.affinities)


def insert_affinities(
    connection: Connection, number: int, affinities: Iterable[tuple[int, int]]
) -> None:
    """Insert the affinities of article `number` to these stories (by number), in thousandths of a logit."""
    rows = [
        {"article": number, "story": story, "logit": logit}
        for story, logit in affinities
    ]
    insert_rows(connection, affinity, rows)


def _columns_of(whole: StoredArticle) -> Values:
    return {
        **{name: getattr(whole, name) for name in _PLAIN},
        "outlet": whole.outlet_key,
    }


def replace_text(connection: Connection, revised: StoredArticle) -> None:
    """Write a revision into the row of its article. Story, role and inbox number stay."""
    columns = _columns_of(revised)
    values = {name: columns[name] for name in _OF_TEXT}
    if revised.record_id is not None:  # a feed that revises a record gives no id
        values["record_id"] = revised.record_id
    change(connection, [revised.id], **values)


def change(connection: Connection, ids: Iterable[str], /, **values: Any) -> None:
    """Write columns of these articles."""
    written = ", ".join(f"{name} = :{name}" for name in values)
    write_sql(
        connection,
        f"UPDATE article SET {written} WHERE id IN :ids",  # noqa: S608
        ids=ids,
        **values,
    )


def move_all(connection: Connection, loser: str, winner: str) -> None:
    """Assign all articles of a story to its successor."""
    write_sql(
        connection,
        "UPDATE article SET story = :winner WHERE story = :loser",
        winner=winner,
        loser=loser,
    )


def set_role(
    connection: Connection,
    id: str,
    role: Role,
    copy_of: str | None,
    *,
    reuse: TextReuse | None,
    version_of: str | None,
) -> None:
    """Set the role of article `id` in its story, and the articles whose words it repeats."""
    evidence = replace(read_evidence(connection, id), reuse=reuse)
    change(
        connection,
        [id],
        role=role,
        copy_of=copy_of,
        reuses=reuse.other if reuse else None,
        version_of=version_of,
    )
    set_evidence(connection, id, evidence)


def set_evidence(connection: Connection, id: str, evidence: Evidence) -> None:
    """Replace the evidence of article `id`. Whether the article counts as a report follows from the evidence."""
    change(
        connection,
        [id],
        evidence=codecs.pack_compressed(evidence),
        counts_as_report=evidence.counts_as_report,
    )


def rekey(connection: Connection, old: str, new: str) -> None:
    """Give identity keys, observations and waiting entries of article `old` to article `new`."""
    # Lock the counter of entries: an entry of `old` that is accepted meanwhile would wait for an article without keys.
    take_numbers(connection, "entry", 0)
    waiting = "UPDATE entry SET article = :new WHERE article = :old AND state IN ('page', 'ready')"
    if read_rows(connection, "SELECT 1 FROM article WHERE id = :old", old=old):
        # The entry of a late page stays with the article that has its words.
        waiting += " AND (is_revision OR page_attempts = 0)"
    write_sql(connection, waiting, new=new, old=old)
    write_sql(
        connection,
        "UPDATE identity_key SET article = :new WHERE article = :old",
        new=new,
        old=old,
    )
    forget_items_of(connection, [old])  # known items name the old article
    # If a source showed both articles, its row of `new` stays.
    write_sql(
        connection,
        """
        DELETE FROM observation WHERE article = :old
        AND source IN (SELECT source FROM observation WHERE article = :new)
        """,
        old=old,
        new=new,
    )
    write_sql(
        connection,
        "UPDATE observation SET article = :new WHERE article = :old",
        new=new,
        old=old,
    )


def is_observed(connection: Connection, id: str, source: str) -> bool:
    """Return whether `source` had article `id` before."""
    return has_rows(
        connection,
        "SELECT 1 FROM observation WHERE article = :id AND source = :source",
        id=id,
        source=source,
    )


def move_address(connection: Connection, id: str, url: str) -> None:
    """Give an article another address. Pages that were sent before become outdated."""
    change(connection, [id], url=url)
    moves = counter_value(connection, MOVED_ADDRESSES) + 1
    set_counter(connection, MOVED_ADDRESSES, moves)
