"""The excerpt limit: output contains at most a number of words, and characters, of any one article.

`for_reader` limits a story; the encoders of JSON, feeds and pages write all that they receive and check no
rights. The title of an article counts. Each of its sentences counts once, wherever the output contains it. A
sentence that exceeds the limit is omitted as a whole; only leads and summaries are cut. With `nosnippet` only
the title is left; with `noarchive` or a reservation against text mining an excerpt, whatever
`publish.full_text` is.

The same rules apply to single articles, search hits, explanations and sources.
"""

import re
from collections.abc import Collection, Iterable
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import redact, redact_address
from aggregator.model.core import ArticleView, Passage, StoryText, StoryView
from aggregator.model.read_model import (
    ArticleDetail,
    MachineSummary,
    SearchHit,
    SearchResults,
    SourcePage,
    SourceView,
)
from aggregator.text.lines import UNSPACED

if TYPE_CHECKING:  # explanations load what places articles
    from aggregator.grouping.corrections.explain import Explanation
    from aggregator.store.read.reader import StoryReader

Access = Literal["owner", "all", "excerpt"]
# For each word of `excerpt_words`; texts have 5 to 7, spaces included
CHARS_A_WORD = 12

# A word is a run of at most 40 characters between spaces or punctuation: "al-Assad's" is three, so that other
# ways to count find no more words. In kana, Han, Hangul, Thai, Lao, Khmer and Burmese, most of which are
# written without spaces, two characters are one word.
_UNSPACED = f"{UNSPACED}\uac00-\ud7af"
_PUNCTUATION = r"""\-‐‑‒–—―'’‘ʼ"“”„«»‹›/\\.,:;…·•!?¡¿&+@#_=|~*()\[\]{}<>،؛؟۔।"""
_WORD = re.compile(
    rf"[{_UNSPACED}]{{1,2}}|[^\s{_PUNCTUATION}{_UNSPACED}]{{1,40}}|(?<!\S)[{_PUNCTUATION}]{{1,40}}(?!\S)"
)


def count_words(text: str) -> int:
    """Return the number of words for `excerpt_words`: at least one for each CHARS_A_WORD characters."""
    return max(sum(1 for _ in _WORD.finditer(text)), -(-len(text) // CHARS_A_WORD))


def first_words(text: str, words: int) -> str:
    """Return at most `words` words of `text`; an ellipsis marks a cut."""
    if len(text) < 2 * words and text.isascii():
        # Words and the spaces between them take two characters each, or more
        return text
    end, limit = 0, CHARS_A_WORD * words
    for number, match in enumerate(_WORD.finditer(text)):
        if number == words or match.end() > limit:
            break
        end = match.end()
    else:
        if len(text) <= limit:
            return text
    return text[:end].rstrip(" ,;:–—-") + " …" if end else ""


def for_reader(
    story: StoryView, text: StoryText | None, access: Access, words: int
) -> tuple[StoryView, StoryText | None]:
    """Limit a story to what `access` permits: all of it, or at most `words` words of each article."""
    return for_reader_with_summary(story, text, None, access, words)[:2]


def for_reader_with_summary(
    story: StoryView,
    text: StoryText | None,
    summarised: MachineSummary | None,
    access: Access,
    words: int,
) -> tuple[StoryView, StoryText | None, MachineSummary | None]:
    """Limit a story as `for_reader`, and its machine-written text to the words that remain then.

    A sentence counts for each article that it rests on, because it may repeat the words of any of them.
    """
    summarised = _of_members(summarised, {one.id for one in story.articles})
    if access == "owner":
        return story, text, summarised
    allowance = _Allowance(story, words, whole_allowed=access == "all")
    # The lead goes first: the summary is its beginning.
    bounded_text = _bounded_text(text, allowance) if text else None
    bounded_story = _bounded_story(story, allowance)
    articles = tuple(
        _bounded_article(article, allowance) for article in bounded_story.articles
    )
    bounded = replace(bounded_story, articles=articles)
    if summarised is not None:
        said = tuple(
            one
            for one in summarised.sentences
            if allowance.allows(one.text, *one.article_ids)
        )
        summarised = replace(summarised, sentences=said) if said else None
    return _with_linked_titles(bounded, words), bounded_text, summarised


def _of_members(
    summarised: MachineSummary | None, ids: Collection[str]
) -> MachineSummary | None:
    """Return the sentences that rest on articles of the story, which a correction may have moved."""
    if summarised is None:
        return None
    kept = [
        replace(one, article_ids=named)
        for one in summarised.sentences
        if (named := tuple(id_ for id_ in one.article_ids if id_ in ids))
    ]
    return replace(summarised, sentences=tuple(kept)) if kept else None


def for_item(
    story: StoryView, text: StoryText | None, words: int
) -> tuple[StoryView, StoryText | None]:
    """Limit a story to what one feed item shows, which is less than a page.

    Without a lead the summary remains. Articles keep their titles.
    """
    allowance = _Allowance(story, words, whole_allowed=False)
    bounded_text = _bounded_text(text, allowance) if text else None
    has_lead = bounded_text is not None and bool(bounded_text.lead)
    summary = "" if has_lead else _bounded_story(story, allowance).summary
    bounded = replace(
        story,
        title=first_words(story.title, words),
        summary=summary,
        articles=tuple(
            _cut(one, first_words(one.title, allowance.words)) for one in story.articles
        ),
    )
    return _with_linked_titles(bounded, words), bounded_text


def _with_linked_titles(story: StoryView, words: int) -> StoryView:
    """Limit the headlines of other stories."""
    earlier, later, related = (
        tuple(replace(one, title=first_words(one.title, words)) for one in linked)
        for linked in (story.earlier, story.later, story.related)
    )
    return replace(story, earlier=earlier, later=later, related=related)


def _cut(article: ArticleView, title: str, lead: str = "") -> ArticleView:
    """Return an article without its text; with `nosnippet` without media, too."""
    media = () if article.nosnippet else article.media
    return replace(article, title=title, lead=lead, text="", html=None, media=media)


class _Allowance:
    """The words left for each article; a text that was shown once may be shown again.

    Shown words count for all articles with the same text: an original, its copies and its excerpts. A
    headline that is not in a current title may be a former title of any article, so it counts for all.
    """

    def __init__(self, story: StoryView, words: int, *, whole_allowed: bool) -> None:
        is_current = any(story.title in article.title for article in story.articles)
        self.all_words = words  # for the headline
        # For one article
        self.words = words if is_current else max(0, words - count_words(story.title))
        self.whole = frozenset(
            a.id
            for a in story.articles
            if whole_allowed and not (a.noarchive or a.nosnippet or a.tdm_reserved)
        )
        self._articles = {article.id: article for article in story.articles}
        self._shown: dict[str, list[str]] = {}
        self._left: dict[str, int] = {}  # filled by `_left_of`
        self._related = _related(story.articles)

    def shows(self, passage: Passage) -> bool:
        """Return whether the passage may be shown; if so, count its words."""
        return self.allows(passage.text, passage.article_id)

    def allows(self, text: str, *articles: str) -> bool:
        """Return whether `text`, which rests on all of `articles`, may be shown; if so, count its words."""
        limited = [
            one
            for one in articles
            if one not in self.whole
            and not any(text in shown for shown in self._shown_of(one))
        ]
        needed = count_words(text) if limited else 0
        if any(needed > self._free(one) for one in limited):
            return False
        for one in limited:
            self._take(one, text, needed)
        return True

    def cut(self, text: str, *articles: str) -> str:
        """Return the beginning of `text` that may be shown, and count its words for each of `articles`."""
        if not text or not articles:
            return ""
        if self.allows(text, *articles):
            return text
        limited = [one for one in articles if one not in self.whole]
        free = min(self._free(one) for one in limited)
        part = first_words(text, free)
        for one in limited:
            self._take(one, part, free)
        return part

    def _free(self, article: str) -> int:
        related = self._related.get(article, ())
        return min(
            self._left_of(one) for one in (article, *related) if one not in self.whole
        )

    def _left_of(self, article: str) -> int:
        if article not in self._left:
            view = self._articles.get(article)
            is_free = view is not None and not view.nosnippet
            title = count_words(view.title) if view is not None and is_free else 0
            self._left[article] = max(0, self.words - title) if is_free else 0
        return self._left[article]

    def _shown_of(self, article: str) -> list[str]:
        if article not in self._shown:
            view = self._articles.get(article)
            self._shown[article] = (
                [first_words(view.title, self.words)] if view is not None else []
            )
        return self._shown[article]

    def _take(self, article: str, text: str, words: int) -> None:
        for one in {article, *self._related.get(article, ())}:
            self._shown_of(one).append(text)
            self._left[one] = max(0, self._left_of(one) - words)


def _related(articles: tuple[ArticleView, ...]) -> dict[str, tuple[str, ...]]:
    """Return, for each article with copies or excerpts in the story, the articles of the same text.

    Articles with `nosnippet` are left out: a reprint with `nosnippet` does not restrict its original.
    """
    groups: dict[str, list[str]] = {}
    for one in articles:
        if one.nosnippet:
            continue
        groups.setdefault(one.copy_of or one.id, []).append(one.id)
    return {
        id_: tuple(group)
        for group in groups.values()
        if len(group) > 1
        for id_ in group
    }


def _bounded_story(story: StoryView, allowance: _Allowance) -> StoryView:
    sources = tuple(
        a.id
        for a in story.articles
        if story.summary and story.summary in (a.lead + "\n" + a.text)
    )
    parts = _summary_parts(story)
    if sources:
        summary = allowance.cut(story.summary, sources[0])
    elif parts:
        summary = " ".join(
            takewhile(bool, (allowance.cut(text, article) for article, text in parts))
        )
    else:
        summary = allowance.cut(story.summary, *(a.id for a in story.articles))
    title = first_words(story.title, allowance.all_words)
    return replace(story, title=title, summary=summary)


def _summary_parts(story: StoryView) -> list[tuple[str, str]]:
    """Return the sentences of a summary of several reports, each with its article; [] if one is unknown."""
    # Whose patterns take long to compile
    from aggregator.text.sentences import split_sentences

    leads = {one.id: " ".join(one.lead.split()) for one in story.articles}
    parts = []
    for sentence in split_sentences(story.summary):
        article = next((id_ for id_, lead in leads.items() if sentence in lead), None)
        if article is None:
            return []
        parts.append((article, sentence))
    return parts


def _bounded_article(article: ArticleView, allowance: _Allowance) -> ArticleView:
    if article.id in allowance.whole:
        return article
    title = first_words(article.title, allowance.words)
    return _cut(article, title, allowance.cut(article.lead, article.id))


def _bounded_text(text: StoryText, allowance: _Allowance) -> StoryText:
    return replace(
        text,
        title=first_words(text.title, allowance.all_words),
        lead=_bounded_lead(text.lead, allowance),
        openings=tuple(
            opening for opening in text.openings if allowance.shows(opening)
        ),
        versions=tuple(
            passage for passage in text.versions if allowance.shows(passage)
        ),
        quotations=tuple(
            quotation
            for quotation in text.quotations
            if allowance.allows(quotation.text, *quotation.article_ids)
        ),
    )


def _bounded_lead(
    lead: Iterable[Passage], allowance: _Allowance
) -> tuple[Passage, ...]:
    """Return the sentences of a lead that may be shown; if not even one, the first words of the first."""
    shown: list[Passage] = []
    for passage in lead:
        text = _whole_sentences(passage, allowance)
        if not text and not shown:
            text = allowance.cut(passage.text, passage.article_id)
        if text:
            shown.append(replace(passage, text=text))
        if text != passage.text:
            break
    return tuple(shown)


def _whole_sentences(passage: Passage, allowance: _Allowance) -> str:
    """Return the sentences at the beginning of a paragraph that may be shown."""
    if allowance.shows(passage):
        return passage.text
    # Whose patterns take long to compile
    from aggregator.text.sentences import split_sentences

    sentences = []
    for sentence in split_sentences(passage.text, 1):
        if not allowance.allows(sentence, passage.article_id):
            break
        sentences.append(sentence)
    return " ".join(sentences)


def bounded_article(one: ArticleDetail, access: Access, words: int) -> ArticleDetail:
    """Limit an article to what `access` permits; its text is "" if it may not be read."""
    article = one.article
    is_restricted = article.noarchive or article.nosnippet or article.tdm_reserved
    if access == "owner" or (access == "all" and not is_restricted):
        return one
    title = first_words(article.title, words)
    copies = tuple(
        replace(copy, title=first_words(copy.title, words)) for copy in one.copies
    )
    # The copies contain the lead, too, and each has its own title.
    longest = max(
        count_words(each)
        for each in (title, *(c.title for c in copies if not c.nosnippet))
    )
    left = 0 if article.nosnippet else max(0, words - longest)
    shown = _cut(article, title, first_words(article.lead, left))
    return replace(
        one,
        article=shown,
        story_title=first_words(one.story_title, words),
        copies=copies,
    )


def _bounded_hit(hit: SearchHit, words: int) -> SearchHit:
    """Limit a search hit: the title and the snippet have half of the words each."""
    title = first_words(hit.title, words // 2)
    left = 0 if hit.nosnippet else words - words // 2
    snippet = first_words(hit.snippet, left)
    return replace(
        hit,
        title=title,
        # It may be the title of this article
        story_title=first_words(hit.story_title, words // 2),
        snippet=snippet,
        marks=tuple(mark for mark in hit.marks if mark[1] <= len(snippet)),
    )


def bounded_results(
    results: SearchResults, access: Access, words: int
) -> SearchResults:
    """Limit search results; the headline of a story may be the title of one of its hits."""
    if access == "owner":
        return results
    stories = tuple(
        replace(
            one,
            title=first_words(one.title, words // 2),
            hits=tuple(_bounded_hit(hit, words) for hit in one.hits),
        )
        for one in results.stories
    )
    hits = tuple(_bounded_hit(hit, words) for hit in results.hits)
    return replace(results, hits=hits, stories=stories)


def bounded_explanation(
    explained: "Explanation", access: Access, words: int
) -> "Explanation":
    """Limit an explanation: what the texts have in common, and the log in detail, are for the owner."""
    # It loads what places articles
    from aggregator.grouping.corrections.explain import SharedTerms

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
        version=None,
        log=tuple(replace(line, detail=None) for line in explained.log),
        pair=pair,
    )


def bounded_sources(
    reader: "StoryReader", access: Access, limit: int, **wanted: Any
) -> SourcePage:
    """Return a page of sources, of which only the owner sees addresses. Raises UsageError."""
    page = reader.sources(limit, **wanted)
    return replace(
        page, sources=tuple(bounded_source(source, access) for source in page.sources)
    )


def bounded_source(source: SourceView, access: Access) -> SourceView:
    """Hide the address and the problem of a source: an address may contain a secret, a problem an address.

    The owner sees them without such secrets, because a token of scope read is not for them.
    """
    if access == "owner":
        hidden = dict.fromkeys(("url", "polled_url", "problem"), redact_address)
        hidden |= dict.fromkeys(("name", "site_url"), redact)
        texts = {name: getattr(source, name) for name in hidden}
        return replace(
            source,
            **{name: text and hidden[name](text) for name, text in texts.items()},
        )
    name = source.name
    if name == source.url or "://" in name:  # the host, or the last part of a path
        try:
            host = urlsplit(name).hostname
        except ValueError:
            host = None
        name = host or name.rstrip("/").rpartition("/")[2] or source.id
    return replace(source, name=name, url=None, polled_url="", problem=None)
