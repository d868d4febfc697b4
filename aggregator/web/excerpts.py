"""Promise 9: what leaves the machine carries at most so many words, and characters, of any one article.

`for_reader` turns a story into what a reader may see of it; all writers (JSON, feed, pages) show what they
are given and know no rights. The rule: an article's title counts, every sentence of it that stands anywhere
in the output counts once, and what no longer fits is left out, whole sentences at a time (only leads and
summaries are cut). `nosnippet` leaves the title; `noarchive` leaves an excerpt, whatever `full_text` says.

Promise 9 for what is no story: one article, a hit of a search, an explanation, a source.

`rights` bounds stories; the rules are the same: the title counts, `nosnippet` leaves the title alone,
`noarchive` and a reservation against text mining leave an excerpt whatever `publish.full_text` says.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from aggregator.model.core import (
    ArticleView,
    AttributedSentence,
    Fact,
    LiveBlogLink,
    MergedStory,
    StoryView,
    TimelineItem,
)
from aggregator.model.read_model import ArticleDetail, EntryHit, Quality, SearchHit, SourceView, StoryHit
from aggregator.pipeline.placement.explain import Explanation, PairExplanation, SharedTerms

Access = Literal["owner", "all", "excerpt"]
CHARS_A_WORD = 12  # so many characters an allowed word (promise 9); texts have 5 to 7 with their spaces
ITEM_FACTS = 6  # told in one item of a feed; the story page has all
ITEM_DISAGREEMENTS = 2
ITEM_ONLY = 4  # sentences that one report alone has

# A word is a run between spaces or punctuation, at most 40 characters of it: "al-Assad's" is three, so that
# whoever counts otherwise finds no more than we did. In kana, Han, Hangul, Thai, Lao, Khmer and Burmese, most
# of which are written without spaces, two characters are one word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_PUNCTUATION = r"""\-‐‑‒–—―'’‘ʼ"“”„«»‹›/\\.,:;…·•!?¡¿&+@#_=|~*()\[\]{}<>،؛؟۔।"""
_WORD = re.compile(
    rf"[{_UNSPACED}]{{1,2}}|[^\s{_PUNCTUATION}{_UNSPACED}]{{1,40}}|(?<!\S)[{_PUNCTUATION}]{{1,40}}(?!\S)"
)


def count_words(text: str) -> int:
    """Words as promise 9 counts them; each CHARS_A_WORD characters are a word at least."""
    return max(sum(1 for _ in _WORD.finditer(text)), -(-len(text) // CHARS_A_WORD))


def first_words(text: str, words: int) -> str:
    """At most `words` words of `text`; a cut is marked with an ellipsis."""
    if len(text) < 2 * words and text.isascii():
        return text  # words and the spaces between them take two characters each, or more
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
    story: StoryView, merged: MergedStory | None, access: Access, words: int
) -> tuple[StoryView, MergedStory | None]:
    """What a reader with `access` may see of a story: all of it, or at most `words` words an article."""
    if access == "owner":
        return story, merged
    allowance = _Allowance(story, words, whole_allowed=access == "all")
    bounded_story = _bounded_story(story, allowance)
    bounded_merged = _bounded_merged(merged, allowance) if merged else None
    articles = tuple(_bounded_article(article, allowance) for article in bounded_story.articles)
    links = _bounded_links(story.links, words)
    return msgspec.structs.replace(bounded_story, articles=articles, links=links), bounded_merged


def for_item(
    story: StoryView, merged: MergedStory | None, words: int
) -> tuple[StoryView, MergedStory | None]:
    """What one item of a feed may hold of a story: less than a page, so that its words go further.

    Of what is told the lead, disagreements, facts and then what one report alone says are left, a few of
    each; each fact with one sentence: that of the first report which still has words free (the others keep
    who says it, without text). The summary is left where nothing else is told; articles keep their titles.
    """
    allowance = _Allowance(story, words, whole_allowed=False)
    told = _merged_in_item(merged, allowance) if merged else None
    summary = "" if told and (told.lead or told.facts) else _bounded_story(story, allowance).summary
    bounded = msgspec.structs.replace(
        story,
        title=first_words(story.title, words),
        summary=summary,
        articles=tuple(
            msgspec.structs.replace(
                one,
                title=first_words(one.title, allowance.words),
                lead="",
                text="",
                timed=(),
                media=() if one.nosnippet else one.media,
            )
            for one in story.articles
        ),
        links=(),
        trails=(),
    )
    return bounded, told


def for_change(article: ArticleView, words: int) -> ArticleView:
    """What an item about one new article may hold of it: title and first words."""
    title = first_words(article.title, words)
    free = 0 if article.nosnippet else max(0, words - count_words(title))
    lead = first_words(article.lead, free) if free else ""
    media = () if article.nosnippet else article.media
    return msgspec.structs.replace(article, title=title, lead=lead, text="", timed=(), media=media)


def _merged_in_item(merged: MergedStory, allowance: "_Allowance") -> MergedStory:
    lead = merged.lead if merged.lead and allowance.allows(merged.lead.article, merged.lead.text) else None
    disagreements = tuple(
        each for each in merged.disagreements[:ITEM_DISAGREEMENTS] if _all_fit(each.sides, allowance)
    )
    facts: list[Fact] = []
    for fact in merged.facts:
        if len(facts) == ITEM_FACTS:
            break
        shown = next((said for said in fact.said if allowance.allows(said.article, said.text)), None)
        if shown is not None:
            others = (msgspec.structs.replace(said, text="") for said in fact.said if said is not shown)
            facts.append(msgspec.structs.replace(fact, said=(shown, *others)))
    return MergedStory(
        title=first_words(merged.title, allowance.all_words),
        lead=lead,
        facts=tuple(facts),
        only=_only_in_item(merged.only, allowance),
        disagreements=disagreements,
        timeline=(),
    )


def _only_in_item(
    said: tuple[AttributedSentence, ...], allowance: "_Allowance"
) -> tuple[AttributedSentence, ...]:
    """What one report alone says: from every report a sentence, then a second one, as far as they fit."""
    waiting: dict[str, list[AttributedSentence]] = {}
    for one in said:
        waiting.setdefault(one.article, []).append(one)
    chosen: list[AttributedSentence] = []
    while waiting and len(chosen) < ITEM_ONLY:
        for article in list(waiting):
            one = waiting[article].pop(0)
            if len(chosen) == ITEM_ONLY or not allowance.allows(article, one.text):
                del waiting[article]  # the next sentence without this one might tell something else
                continue
            chosen.append(one)
            if not waiting[article]:
                del waiting[article]
    return tuple(one for one in said if one in chosen)


class _Allowance:
    """Words still free for each article; what was shown once may be shown again.

    What is shown of a text counts for all that print it: for an original, its copies and its excerpts alike.
    A headline that no article of the story carries any more may be a former one of any of them, so it counts
    for all.
    """

    def __init__(self, story: StoryView, words: int, *, whole_allowed: bool) -> None:
        carried = any(story.title in article.title for article in story.articles)
        self.all_words = words  # of the headline
        self.words = words if carried else max(0, words - count_words(story.title))  # of one article
        self.whole = frozenset(
            a.id
            for a in story.articles
            if whole_allowed and not (a.noarchive or a.nosnippet or a.tdm_reserved)
        )
        self._articles = {article.id: article for article in story.articles}
        self._shown: dict[str, list[str]] = {}
        self._left: dict[str, int] = {}  # of those that were asked about
        self._kin = _kin(story.articles)

    def allows(self, article: str, text: str) -> bool:
        """Whether `text` of `article` may be shown; takes its words off if so."""
        if article in self.whole or any(text in shown for shown in self._shown_of(article)):
            return True
        needed = count_words(text)
        if needed > self._free(article):
            return False
        self._take(article, text, needed)
        return True

    def cut(self, article: str, text: str) -> str:
        """As much of the beginning of `text` as may still be shown."""
        if not text or self.allows(article, text):
            return text
        free = self._free(article)
        part = first_words(text, free)
        self._take(article, part, free)
        return part

    def cut_for_all(self, articles: tuple[str, ...], text: str) -> str:
        """`cut` for a text of which it is not known whose it is: it counts for every one of `articles`."""
        if all(article in self.whole for article in articles):
            return text
        part = first_words(text, min((self._left_of(article) for article in articles), default=0))
        for article in articles:
            self._take(article, part, count_words(part))
        return part

    def _free(self, article: str) -> int:
        kin = self._kin.get(article, ())
        return min(self._left_of(one) for one in (article, *kin) if one not in self.whole)

    def _left_of(self, article: str) -> int:
        if article not in self._left:
            known = self._articles.get(article)
            is_free = known is not None and not known.nosnippet
            title = count_words(known.title) if known is not None and is_free else 0
            self._left[article] = max(0, self.words - title) if is_free else 0
        return self._left[article]

    def _shown_of(self, article: str) -> list[str]:
        if article not in self._shown:
            known = self._articles.get(article)
            self._shown[article] = [first_words(known.title, self.words)] if known is not None else []
        return self._shown[article]

    def _take(self, article: str, text: str, words: int) -> None:
        for one in {article, *self._kin.get(article, ())}:
            self._shown_of(one).append(text)
            self._left[one] = max(0, self._left_of(one) - words)


def _kin(articles: tuple[ArticleView, ...]) -> dict[str, tuple[str, ...]]:
    """Of each article that shares its text with others: all of them but those that allow no snippet.

    A reprint that allows none does not forbid what its original allows.
    """
    groups: dict[str, list[str]] = {}
    for one in articles:
        if one.nosnippet:
            continue
        groups.setdefault(one.copy_of or one.id, []).append(one.id)
    return {id_: tuple(group) for group in groups.values() if len(group) > 1 for id_ in group}


def _bounded_story(story: StoryView, allowance: _Allowance) -> StoryView:
    sayers = tuple(
        a.id for a in story.articles if story.summary and story.summary in (a.lead + "\n" + a.text)
    )
    if sayers:
        summary = allowance.cut(sayers[0], story.summary)
    else:
        summary = allowance.cut_for_all(tuple(a.id for a in story.articles), story.summary)
    title = first_words(story.title, allowance.all_words)
    return msgspec.structs.replace(story, title=title, summary=summary)


def _bounded_article(article: ArticleView, allowance: _Allowance) -> ArticleView:
    if article.id in allowance.whole:
        return article
    return msgspec.structs.replace(
        article,
        title=first_words(article.title, allowance.words),
        lead=allowance.cut(article.id, article.lead),
        text="",
        timed=(),
        media=() if article.nosnippet else article.media,
    )


def _bounded_links(links: tuple[LiveBlogLink, ...], words: int) -> tuple[LiveBlogLink, ...]:
    """Each live blog with `words` words in all: its title, and entries from the first as far as they fit."""
    left: dict[str, int] = {}
    bounded = []
    for link in links:
        free = left.setdefault(link.article, max(0, words - count_words(link.title)))
        text = "" if link.nosnippet else first_words(link.text, free)
        left[link.article] = max(0, free - count_words(link.text))
        bounded.append(msgspec.structs.replace(link, title=first_words(link.title, words), text=text))
    return tuple(bounded)


def _bounded_merged(merged: MergedStory, allowance: _Allowance) -> MergedStory:
    lead = merged.lead if merged.lead and allowance.allows(merged.lead.article, merged.lead.text) else None
    facts = tuple(fact for fact in (_bounded_fact(fact, allowance) for fact in merged.facts) if fact)
    disagreements = tuple(d for d in merged.disagreements if _all_fit(d.sides, allowance))
    beside = tuple(block for block in merged.beside if _all_fit(block, allowance))
    agreed = tuple(same for same in merged.agreed if _all_fit(same.said, allowance))
    only = tuple(said for said in merged.only if allowance.allows(said.article, said.text))
    timeline = tuple(item for item in merged.timeline if _moment_fits(item, allowance))
    return msgspec.structs.replace(
        merged,
        title=first_words(merged.title, allowance.all_words),
        lead=lead,
        facts=facts,
        disagreements=disagreements,
        only=only,
        timeline=timeline,
        beside=beside,
        agreed=agreed,
    )


def _bounded_fact(fact: Fact, allowance: _Allowance) -> Fact | None:
    said: tuple[AttributedSentence, ...] = tuple(s for s in fact.said if allowance.allows(s.article, s.text))
    return msgspec.structs.replace(fact, said=said) if said else None


def _all_fit(sides: tuple[AttributedSentence, ...], allowance: _Allowance) -> bool:
    """A comparison of which one side is missing would tell something else: all of it or nothing."""
    return all(allowance.allows(side.article, side.text) for side in sides)


def _moment_fits(item: TimelineItem, allowance: _Allowance) -> bool:
    return allowance.allows(item.article, item.text)


def bounded_article(one: ArticleDetail, access: Access, words: int) -> ArticleDetail:
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


class _WordBudget:
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

    def shared(self, shared: SharedTerms, *articles: str) -> SharedTerms:
        return SharedTerms(
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
    left = _WordBudget(words)
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


def _bounded_pair(pair: PairExplanation, article: str, left: _WordBudget, words: int) -> PairExplanation:
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
