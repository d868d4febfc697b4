"""The excerpt limit of single articles, search hits and explanations, and the secrets of sources.

The owner alone sees the address of a source, and its problem, which may contain one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import redact, redact_address
from aggregator.model.read_model import (
    ArticleDetail,
    SearchHit,
    SearchResults,
    SourcePage,
    SourceView,
)
from aggregator.publish.excerpts.excerpt_words import Access, count_words, first_words
from aggregator.publish.excerpts.story_excerpts import without_text

if TYPE_CHECKING:  # explanations load what places articles
    from aggregator.grouping.corrections.explained import Explanation
    from aggregator.store.read.reader import StoryReader


def bounded_article(detail: ArticleDetail, access: Access, words: int) -> ArticleDetail:
    """Limit an article to what `access` permits; its text is "" if it may not be read."""
    article = detail.article
    is_restricted = article.noarchive or article.nosnippet or article.tdm_reserved
    if access == "owner" or (access == "all" and not is_restricted):
        return detail
    title = first_words(article.title, words)
    copies = tuple(replace(c, title=first_words(c.title, words)) for c in detail.copies)
    # The copies contain the lead, too, and each has its own title.
    titles = [title, *(copy.title for copy in copies if not copy.nosnippet)]
    longest = max(count_words(each) for each in titles)
    left = 0 if article.nosnippet else max(0, words - longest)
    return replace(
        detail,
        article=without_text(article, title, first_words(article.lead, left)),
        story_title=first_words(detail.story_title, words),
        copies=copies,
    )


def bounded_results(
    results: SearchResults, access: Access, words: int
) -> SearchResults:
    """Limit search results; the headline of a story may be the title of one of its hits."""
    if access == "owner":
        return results
    stories = tuple(
        replace(
            story,
            title=first_words(story.title, words // 2),
            hits=_hits(story.hits, words),
        )
        for story in results.stories
    )
    return replace(results, hits=_hits(results.hits, words), stories=stories)


def _hits(hits: Iterable[SearchHit], words: int) -> tuple[SearchHit, ...]:
    """Limit search hits: the title and the snippet have half of the words each."""
    bounded = []
    for hit in hits:
        left = 0 if hit.nosnippet else words - words // 2
        snippet = first_words(hit.snippet, left)
        bounded.append(
            replace(
                hit,
                title=first_words(hit.title, words // 2),
                # It may be the title of this article
                story_title=first_words(hit.story_title, words // 2),
                snippet=snippet,
                marks=tuple(mark for mark in hit.marks if mark[1] <= len(snippet)),
            )
        )
    return tuple(bounded)


def bounded_explanation(
    explained: "Explanation", access: Access, words: int
) -> "Explanation":
    """Limit an explanation: the words that texts share, and the details of the log, are for the owner."""
    # Importing it loads the code that places articles.
    from aggregator.grouping.corrections.explained import SharedTerms

    if access == "owner":
        return explained
    pair = explained.pair and replace(
        explained.pair,
        title=first_words(explained.pair.title, words),
        shared=SharedTerms(),
        passages=(),
    )
    return replace(
        explained,
        title=first_words(explained.title, words),
        story_title=first_words(explained.story_title, words),
        runner_up_title=explained.runner_up_title
        and first_words(explained.runner_up_title, words),
        shared=SharedTerms(),
        passages=(),
        log=tuple(replace(line, detail=None) for line in explained.log),
        pair=pair,
    )


def bounded_sources(
    reader: "StoryReader", access: Access, limit: int, **wanted: Any
) -> SourcePage:
    """Return a page of sources; only the owner sees their addresses. Raises UsageError."""
    page = reader.sources(limit, **wanted)
    return replace(
        page, sources=tuple(bounded_source(source, access) for source in page.sources)
    )


def bounded_source(source: SourceView, access: Access) -> SourceView:
    """Hide the address and the problem of a source: an address may contain a secret, a problem an address.

    The owner sees them without such secrets, because a token of scope read is not for them.
    """
    if access == "owner":
        return replace(
            source,
            name=redact(source.name),
            site_url=source.site_url and redact(source.site_url),
            url=source.url and redact_address(source.url),
            polled_url=redact_address(source.polled_url),
            problem=source.problem and redact_address(source.problem),
        )
    name = source.name
    if name == source.url or "://" in name:  # the host, or the last part of a path
        try:
            host = urlsplit(name).hostname
        except ValueError:
            host = None
        name = host or name.rstrip("/").rpartition("/")[2] or source.id
    return replace(source, name=name, url=None, polled_url="", cause="", problem=None)
