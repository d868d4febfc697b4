"""Erasing: articles are deleted permanently with everything derived from them, and are refused if they come again.

A batch of articles is one placing transaction: rows and texts are deleted, tombstones stay, and the rows of stories
that lose an article are written again. Ids, hashes and numbers stay (see `store/maintenance/erased_rows.py`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aggregator.store.engine.database import Connection
from aggregator.store.intake import known_item_rows
from aggregator.store.intake.identity import tombstones
from aggregator.store.maintenance import erased_rows
from aggregator.store.maintenance.erased_rows import DeletedPart
from aggregator.store.stories import (
    stored_articles,
    story_rows,
    storyline_unions,
    stream_history,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from aggregator.grouping.copies.copy_lookup import CopyFinder
    from aggregator.grouping.grouping_services import GroupingServices


def erase_articles(
    services: "GroupingServices",
    unit_of_work: UnitOfWork,
    ids: Sequence[str],
    kind: tombstones.TombstoneKind = "forgotten",
) -> None:
    """Erase these articles, and update the data in memory.

    `kind` is "retention" if they are deleted by age; then their entries keep their outcome.
    """
    connection = unit_of_work.connection
    tombstones.add_tombstones(connection, ids, unit_of_work.now, kind)
    former: set[str] = set()
    if kind == "forgotten":
        # Their items count as new if they come again, so that their refusals can be counted.
        known_item_rows.forget_items_of(connection, ids)
        erased_rows.blank_entries(connection, "article", ids, unit_of_work.now)
        former = erased_rows.former_stories(connection, ids)
    else:
        erased_rows.slim_entries(connection, ids)
    erased = stored_articles.read_whole_articles(connection, "id", ids)
    copies = [
        copy
        for copy in stored_articles.read_whole_articles(connection, "copy_of", ids)
        if copy.id not in ids
    ]
    delete_articles(services.copy_finder, connection, erased, "all")
    _pass_on(services.copy_finder, connection, erased, copies)
    losing = {article.story for article in (*erased, *copies)}
    affected = erased_rows.with_redirects(connection, losing | former)
    # Imported here, because a start needs nothing that writes stories.
    from aggregator.grouping.write.story_writer import StoryWriter

    writer = StoryWriter(services, unit_of_work)
    for story in sorted(losing):
        writer.remove(story, ids)
    stream_history.forget_senders(connection, erased)
    sources = {article.source for article in erased}
    gone = storyline_unions.sources_without_articles(connection, sources)
    storyline_unions.take_apart_of(connection, gone)
    if kind == "forgotten":
        for article in erased:
            unit_of_work.log(article.story, "forgotten", article=article.id)
        story_rows.erase_subjects(connection, affected)
        erased_rows.drop_answers(connection)
    erased_rows.blank_stories(connection, affected, ids)


def delete_articles(
    copy_finder: "CopyFinder",
    connection: Connection,
    erased: Sequence[StoredArticle],
    what: DeletedPart,
) -> None:
    """Delete only the texts of these articles ("text"), or their rows ("all"); their sketches go in both cases."""
    for article in erased:
        copy_finder.replace(connection, article.inbox_no, b"")
    erased_rows.delete_articles(connection, erased, what)


def _pass_on(
    copy_finder: "CopyFinder",
    connection: Connection,
    erased: Sequence[StoredArticle],
    copies: Sequence[StoredArticle],
) -> None:
    """Give copies of an erased article a new original: the article that it copied itself, or else the first copy.

    An excerpt never becomes an original, and a version only if all copies are versions, because the other copies would
    become copies of a text that tells something else.
    """
    originals = {article.id: article.copy_of for article in erased}
    families: dict[str, list[StoredArticle]] = {}
    for copy in copies:
        root = copy.copy_of or ""
        while (further := originals.get(root)) in originals:
            root = further or ""
        families.setdefault(root, []).append(copy)
    for root, family in sorted(families.items()):
        original = originals.get(root)
        whole = [copy for copy in family if copy.role != "excerpt"]
        if original is None and whole:
            first = min(whole, key=lambda copy: copy.version_of is not None)
            original = first.id
            copy_finder.promote(connection, first)
            role = "report" if first.role == "copy" else first.role
            article_writes.change(
                connection, [original], copy_of=None, version_of=None, role=role
            )
        others = [copy for copy in family if copy.id != original]
        versions = [copy.id for copy in others if copy.version_of]
        article_writes.change(connection, versions, version_of=original)
        # An excerpt of an article that does not exist is a report.
        as_report = {"role": "report"} if original is None else {}
        article_writes.change(
            connection, [copy.id for copy in others], copy_of=original, **as_report
        )
