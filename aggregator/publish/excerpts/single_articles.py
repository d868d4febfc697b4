"""Limit what clients see of single articles, search hits, explanations and sources.

The owner reads whole articles; `access` "all" permits this, too, for single articles that their publisher does not
restrict. Otherwise a client sees at most `words` words of each article: the title, then as much of the lead as is left.
A search hit has one half of the words for its title and one for its snippet. Only the owner sees the address of a
source, and its problem, which may contain an address.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import redact_address
from aggregator.model.read_model import (
    ArticleDetail,
    SearchHit,
    SearchResults,
    SourcePage,
    SourceView,
)
from aggregator.publish.excerpts.excerpt_words import Access, count_words, first_words
from aggregator.publish.excerpts.story_excerpts import without_text

if TYPE_CHECKING:  # explanations import the code that places articles
    from aggregator.grouping.corrections.explained import Explanation
    from aggregator.store.read.reader import StoryReader


def limit_article(detail: ArticleDetail, access: Access, words: int) -> ArticleDetail:
    """Return an article without what `access` does not permit; a text that may not be read is ""."""
    article = detail.article
    is_restricted = article.noarchive or article.nosnippet or article.tdm_reserved
    if access == "owner" or (access == "all" and not is_restricted):
        return detail
    title = first_words(article.title, words)
    copies = tuple(replace(c, title=first_words(c.title, words)) for c in detail.copies)
    # A copy has the same lead and may have a longer title, so the longest title counts.
    titles = [title, *(copy.title for copy in copies if not copy.nosnippet)]
    title_words = max(map(count_words, titles))
    lead_words = 0 if article.nosnippet else max(0, words - title_words)
    return replace(
        detail,
        article=without_text(article, title, first_words(article.lead, lead_words)),
        story_title=first_words(detail.story_title, words),
        copies=copies,
    )


def limit_results(results: SearchResults, access: Access, words: int) -> SearchResults:
    """Return search results, limited to `words` words of each article unless the owner asks."""
    if access == "owner":
        return results
    stories = tuple(
        replace(
            story,
            # The headline of a story may be the title of one of its hits.
            title=first_words(story.title, words // 2),
            hits=_limit_hits(story.hits, words),
        )
        for story in results.stories
    )
    return replace(results, hits=_limit_hits(results.hits, words), stories=stories)


def _limit_hits(hits: Iterable[SearchHit], words: int) -> tuple[SearchHit, ...]:
    """Return search hits whose title has half of the words, and whose snippet has the other half."""
    title_words = words // 2
    limited = []
    for hit in hits:
        snippet_words = 0 if hit.nosnippet else words - title_words
        snippet = first_words(hit.snippet, snippet_words)
        limited.append(
            replace(
                hit,
                title=first_words(hit.title, title_words),
                # The title of the story may be the title of this article.
                story_title=first_words(hit.story_title, title_words),
                snippet=snippet,
                marks=tuple(mark for mark in hit.marks if mark[1] <= len(snippet)),
            )
        )
    return tuple(limited)


def limit_explanation(
    explained: "Explanation", access: Access, words: int
) -> "Explanation":
    """Return an explanation; only the owner sees the words that texts share and the details of the log."""
    # This import loads the code that places articles.
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


def load_sources(
    reader: "StoryReader", access: Access, limit: int, **wanted: Any
) -> SourcePage:
    """Return a page of sources without their secrets; `wanted` are the filters of `source_page`. Raises UsageError."""
    page = reader.sources(limit, **wanted)
    return replace(
        page,
        sources=tuple(hide_source_secrets(source, access) for source in page.sources),
    )


def hide_source_secrets(source: SourceView, access: Access) -> SourceView:
    """Return a source without the secrets that an address may contain, such as a key in a query.

    Even the owner sees addresses without their secrets, because a token of scope read is enough to be the owner. Others
    see no addresses, and no problems, because their words may contain an address.
    """
    if access == "owner":
        return replace(
            source,
            name=redact_address(source.name),
            site_url=source.site_url and redact_address(source.site_url),
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
    return replace(
        source,
        name=redact_address(name),
        site_url=source.site_url and redact_address(source.site_url),
        url=None,
        polled_url="",
        cause="",
        problem=None,
    )
