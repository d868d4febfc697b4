"""Promise 9 for what is no story: one article, a hit of a search, an explanation, a source.

`rights` bounds stories; the rules are the same: the title counts, `nosnippet` leaves the title alone,
`noarchive` and a reservation against text mining leave an excerpt whatever `publish.full_text` says.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from aggregator.model.read_model import EntryHit, OneArticle, Quality, SearchHit, SourceView, StoryHit
from aggregator.pipeline.placement.explain import Explanation, Pair, Shared
from aggregator.web.excerpts import Access, count_words, first_words


def bounded_article(one: OneArticle, access: Access, words: int) -> OneArticle:
    """An article as a reader may see it; its text is "" where he may not."""
    article = one.article
    kept = article.noarchive or article.nosnippet or article.tdm_reserved
    if access == "owner" or (access == "all" and not kept):
        return one
    title = first_words(article.title, words)
    copies = tuple(msgspec.structs.replace(copy, title=first_words(copy.title, words)) for copy in one.copies)
    # The lead stands in the copies, too, each of which has its title beside it.
    longest = max(count_words(each) for each in (title, *(c.title for c in copies if not c.nosnippet)))
    left = 0 if article.nosnippet else max(0, words - longest)
    shown = msgspec.structs.replace(
        article, title=title, lead=first_words(article.lead, left), text="", timed=()
    )
    return msgspec.structs.replace(
        one, article=shown, story_title=first_words(one.story_title, words), copies=copies
    )


def bounded_hit(hit: SearchHit, access: Access, words: int) -> SearchHit:
    """A hit as a reader may see it: title and what was found have half of the words each."""
    if access == "owner":
        return hit
    title = first_words(hit.title, words // 2)
    left = 0 if hit.nosnippet else words - words // 2
    entries: list[EntryHit] = []
    for entry in hit.entries:
        snippet = first_words(entry.snippet, left)
        left = max(0, left - count_words(entry.snippet))
        if snippet:
            entries.append(
                msgspec.structs.replace(entry, snippet=snippet, marks=_within(entry.marks, snippet))
            )
    snippet = "" if entries else first_words(hit.snippet, left)
    return msgspec.structs.replace(
        hit,
        title=title,
        story_title=first_words(hit.story_title, words // 2),  # it may be this article's own
        snippet=snippet,
        marks=_within(hit.marks, snippet),
        entries=tuple(entries),
    )


def bounded_story_hit(found: StoryHit, access: Access, words: int) -> StoryHit:
    """A story that was found as a reader may see it: its headline may be the title of one of its hits."""
    if access == "owner":
        return found
    return msgspec.structs.replace(
        found,
        title=first_words(found.title, words // 2),
        hits=tuple(bounded_hit(hit, access, words) for hit in found.hits),
    )


def bounded_quality(found: Quality, words: int) -> Quality:
    """What is known of grouping as others than the owner may see it."""

    def cut(stories: Iterable[tuple[str, str, int]]) -> tuple[tuple[str, str, int], ...]:
        return tuple((id_, first_words(title, words), number) for id_, title, number in stories)

    return msgspec.structs.replace(found, largest=cut(found.largest), without_fact=cut(found.without_fact))


def _within(marks: Iterable[tuple[int, int]], text: str) -> tuple[tuple[int, int], ...]:
    """The marks that a cut left in the text."""
    return tuple((start, end) for start, end in marks if end <= len(text))


class _Words:
    """How many words of each article are left to be shown."""

    def __init__(self, words: int) -> None:
        self._words = words
        self._left: dict[str, int] = {}

    def titled(self, article: str, title: str) -> str:
        """The title of an article, which counts once."""
        shown = first_words(title, self._words)
        self._left.setdefault(article, max(0, self._words - count_words(shown)))
        return shown

    def allowed(self, texts: Iterable[str], *articles: str) -> tuple[str, ...]:
        """The first ones that fit into what is left of all these articles."""
        shown = []
        for text in texts:
            needed = count_words(text)
            if any(needed > self._left.get(article, self._words) for article in articles):
                break
            for article in articles:
                self._left[article] = self._left.get(article, self._words) - needed
            shown.append(text)
        return tuple(shown)

    def shared(self, shared: Shared, *articles: str) -> Shared:
        return Shared(
            names=self.allowed(shared.names, *articles),
            numbers=self.allowed(shared.numbers, *articles),
            words=self.allowed(shared.words, *articles),
        )


def bounded_explanation(
    told: Explanation, access: Access, words: int, beside: Mapping[str, str] | None = None
) -> Explanation:
    """An explanation as a reader may see it: names, words and passages count as words of their articles.

    `beside`: titles of further articles, by their ids, that are shown beside it.
    """
    if access == "owner":
        return told
    left = _Words(words)
    for article, shown in (beside or {}).items():
        left.titled(article, shown)
    twin = told.evidence.copy
    title = left.titled(told.article, told.title)
    pair = None if told.pair is None else _bounded_pair(told.pair, told.article, left, words)
    shared = left.shared(told.shared, told.article)
    passages = left.allowed(told.passages, told.article, *([twin.other] if twin else []))
    return msgspec.structs.replace(
        told,
        title=title,
        story_title=first_words(told.story_title, words),
        runner_up_title=told.runner_up_title and first_words(told.runner_up_title, words),
        shared=shared,
        passages=() if told.nosnippet else passages,
        log=tuple(msgspec.structs.replace(line, detail=None) for line in told.log),
        links=tuple(msgspec.structs.replace(link, title=title, text="") for link in told.links),
        pair=pair,
    )


def _bounded_pair(pair: Pair, article: str, left: _Words, words: int) -> Pair:
    title = left.titled(pair.article, pair.title)
    shared = left.shared(pair.shared, article, pair.article)
    passages = left.allowed(pair.passages, article, pair.article)
    fits = tuple(
        msgspec.structs.replace(fit, story_title=first_words(fit.story_title, words)) for fit in pair.fits
    )
    return msgspec.structs.replace(
        pair, title=title, shared=shared, passages=() if pair.nosnippet else passages, fits=fits
    )


def bounded_source(source: SourceView, access: Access) -> SourceView:
    """A source as a reader may see it: an address may hold a secret, and a cause may name an address."""
    if access == "owner":
        return source
    name = source.name
    if name == source.url or "://" in name:
        name = _place_in(name) or source.id
    return msgspec.structs.replace(source, name=name, url=None, problem=None)


def _place_in(address: str) -> str:
    """The host of an address, or the last part of a path."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return ""
    return host or address.rstrip("/").rpartition("/")[2]
