"""The articles of a story by their originals: who prints whose text, and whose news may stand alone.

If a text has several versions, one of them is current and replaces the others.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from aggregator.extract.wire.agencies import shipped_families
from aggregator.model.article import ArticleView, CountedArticle, VersionState
from aggregator.stories.counting.copy_groups import (
    COUNTED_ROLES,
    copy_groups,
    copy_link,
    original_of,
    precedence,
    printer_of,
)
from aggregator.stories.lexicon import is_correction

# An article that is not a copy, with its copies, the oldest first
OriginalWithCopies = tuple[ArticleView, list[ArticleView]]
# The original of the current version and the article's own state, by the id of each article that is not current
_Replaced = dict[str | None, tuple[str, VersionState]]


def with_standing(articles: Sequence[ArticleView]) -> Sequence[ArticleView]:
    """Return the articles with standing and the originals that they copy, or all articles if none has standing."""
    known: set[str | None] = set()
    for article in articles:
        if not article.is_little_known:
            known.update((article.id, copy_link(article)))
    return [article for article in articles if article.id in known] or articles


def of_standing(articles: Sequence[ArticleView]) -> Sequence[ArticleView]:
    """Return the articles that may tell news that no other article confirms.

    If some articles of `with_standing` agree with the story, the others are left out. The articles must come from
    `with_originals`.
    """
    standing = with_standing(articles)
    return [article for article in standing if article.counts_as_report] or standing


def originals_with_copies(
    articles: Iterable[ArticleView],
) -> list[OriginalWithCopies]:
    """Return the articles of `with_originals` that are not copies, each with its copies."""
    ordered = sorted(
        articles, key=lambda article: (article.effective_at, article.inbox_no)
    )
    copies: dict[str | None, list[ArticleView]] = {
        article.id: [] for article in ordered
    }
    originals = []
    for article in ordered:
        if article.copy_of in copies and article.copy_of != article.id:
            copies[article.copy_of].append(article)
        else:
            originals.append(article)
    return [(article, copies[article.id]) for article in originals]


def with_originals(articles: Sequence[ArticleView]) -> list[ArticleView]:
    """Return the articles with `copy_of` set to the original of their copy group, or of the current text.

    The original has no link, unless an article of its group copies a text outside the story; then it gets this link.
    The `role` agrees with the links: a linked article is a copy, and the original is a report, even if it was placed
    after its copies. An excerpt is linked to the original of the text that it was taken from. Versions that are not
    current are linked to the original of the current version, and have a `version`; their roles are their roles among
    the articles with the same text.
    """
    has_links = any(article.copy_of or article.version_of for article in articles)
    # If an article has a version, the articles were linked before.
    if not has_links or any(article.version for article in articles):
        return list(articles)
    replaced = replaced_versions(articles)
    present = {article.id for article in articles}
    # The original of each article, and the text outside the story that each original copies
    originals: dict[str | None, str] = {}
    links_out: dict[str, str] = {}
    for group in copy_groups(articles, text_link):
        original = original_of(group).id
        outside = set()
        for article in group:
            originals[article.id] = original
            text = text_link(article)
            if text is not None and text not in present:
                outside.add(text)
        if outside:
            links_out[original] = min(outside)
    linked = []
    for article in articles:
        version = None
        role = article.role
        link: str | None = originals[article.id]
        if link == article.id:
            link = links_out.get(link)
        if role in COUNTED_ROLES:
            role = "report" if link is None else "copy"
        if article.id in replaced:
            link, version = replaced[article.id]
        elif role == "excerpt":
            link = originals.get(article.copy_of, article.copy_of)
            if link in replaced:
                link, _ = replaced[link]
        linked.append(replace(article, copy_of=link, version=version, role=role))
    return linked


def replaced_versions(
    articles: Sequence[ArticleView],
) -> _Replaced:
    """Return, for each article with a version that is not current, the original of the current version and its state.

    The first version of a text is current until a later version takes over.
    """
    if all(article.version_of is None for article in articles):
        return {}
    replaced: _Replaced = {}
    for family in copy_groups(articles, lambda a: a.version_of or copy_link(a)):
        texts = sorted(copy_groups(family, text_link), key=_first_printed)
        current = texts[0]
        # The articles of all versions that have been current so far
        earlier = [*current]
        for text in texts[1:]:
            if _takes_over(text, earlier):
                current = text
                earlier += text
        original = original_of(current).id
        since = _first_printed(current)
        for text in texts:
            state: VersionState = "earlier" if _first_printed(text) < since else "other"
            if text is not current:
                replaced.update({article.id: (original, state) for article in text})
    return replaced


def text_link(article: CountedArticle) -> str | None:
    """Return the article that this article copies; None for a version, since its text differs."""
    return copy_link(article) if article.version_of is None else None


def _first_printed(text: Sequence[ArticleView]) -> tuple[bool, int, bool, int]:
    """Return a sort key for the first printing of a text; at equal times, a version follows the text that it changes.

    Texts of little-known sources come after all others, whatever dates they state.
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
    """Return whether a later version replaces the `earlier` versions, which depends on who prints it.

    It does if it is from a publisher of an earlier version, names the same agency, or has two publishers. A report of
    another publisher also replaces them if it is not linked to them as a copy, unless it is a correction. Little-known
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
