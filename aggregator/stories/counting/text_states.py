"""States of a text: the current version, and the versions that it replaces."""

from collections.abc import Sequence

from aggregator.extract.wire.agencies import shipped_families
from aggregator.model.article import ArticleView, CountedArticle, VersionState
from aggregator.stories.counting.copy_groups import (
    copy_groups,
    copy_link,
    original_of,
    precedence,
    printer_of,
)
from aggregator.stories.lexicon import is_correction


def replaced_versions(
    articles: Sequence[ArticleView],
) -> dict[str | None, tuple[str, VersionState]]:
    """Return the articles that have a replaced version of a text, with the original of the current version.

    The first version of a text is current until a later version takes over.
    """
    if all(article.version_of is None for article in articles):
        return {}
    replaced: dict[str | None, tuple[str, VersionState]] = {}
    for family in copy_groups(articles, lambda a: a.version_of or copy_link(a)):
        texts = sorted(copy_groups(family, text_link), key=_first_printed)
        current = texts[0]
        # The articles of the versions that were current so far
        earlier = [*current]
        for text in texts[1:]:
            if _takes_over(text, earlier):
                current = text
                earlier += text
        original, since = original_of(current).id, _first_printed(current)
        for text in texts:
            state: VersionState = "earlier" if _first_printed(text) < since else "other"
            if text is not current:
                replaced.update({article.id: (original, state) for article in text})
    return replaced


def text_link(article: CountedArticle) -> str | None:
    """Return the article that this article copies, if both have the same text."""
    return copy_link(article) if article.version_of is None else None


def _first_printed(text: Sequence[ArticleView]) -> tuple[bool, int, bool, int]:
    """Return the key of a text's first printing; at equal times, a version follows the text that it changes.

    Little-known sources come last, whatever dates they state, so they never replace the text of other sources.
    """
    return min(
        (
            article.is_little_known,
            precedence(article),
            article.version_of is not None,
            article.inbox_no,
        )
        for article in text
    )


def _takes_over(text: Sequence[ArticleView], earlier: Sequence[ArticleView]) -> bool:
    """Return whether a later version replaces the `earlier` versions, which depends on its printers.

    It does if it comes from an outlet of an earlier version, names the same agency, or has two publishers. A
    report that is not a copy of them also replaces them, unless it corrects another outlet. Little-known
    sources only replace versions that no other sources printed.
    """
    known = [article for article in text if not article.is_little_known]
    if all(article.is_little_known for article in earlier):
        known = [*text]
    publishers = set(map(_publisher, known))
    if len(publishers) > 1 or not publishers.isdisjoint(map(_publisher, earlier)):
        return True
    wires = {article.wire for article in earlier if article.wire}
    if any(article.wire in wires for article in known):
        return True
    ids = {article.id for article in earlier}
    originals = {article.copy_of for article in earlier}
    if any(article.copy_of in ids or article.id in originals for article in text):
        return False
    return any(
        not (
            is_correction(article.title, article.language)
            or is_correction(article.lead, article.language)
        )
        for article in known
    )


def _publisher(article: CountedArticle) -> str:
    key = printer_of(article)
    return shipped_families().get(key, key)
