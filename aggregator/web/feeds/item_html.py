"""The HTML body of an item: the newest state of the story, its reports and their copies.

The HTML is concatenated here, because a hundred items have to be written within milliseconds. No untrusted
HTML gets in: `escaped` is applied to every text, `feed_url` to every address.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from aggregator.config.messages import counted, story_numbers
from aggregator.model.core import ArticleView, AttributedSentence, Fact, MergedStory, StoryView
from aggregator.stories.counts import originals_with_copies
from aggregator.stories.lexicon import Labels, labels
from aggregator.stories.text.newest_state import newest_state
from aggregator.stories.text.plain_text import NO_OUTLET, names_behind
from aggregator.text.lines import count_words
from aggregator.web.feeds.xml import feed_text, feed_title, feed_url
from aggregator.web.jinja import moment, short_day

ITEM_WORDS = 150  # of an item: what one screen of a phone shows (390 x 844 pixels, 17 pixels a line)
STATE_SENTENCES, STATE_WORDS = 3, 75  # of them, at its beginning; a longer summary is not cut
_OTHER_WORDS = 12  # the counts, and the link to the story
LISTED_AT_LEAST = 3  # reports, the newest, however long their titles are; the story page has all
NAMED_COPIES = 3  # of one report
_TAG = re.compile("<[^<>]*>")


def story_body(story: StoryView, merged: MergedStory | None, story_url: str) -> str:
    """Return a story, limited by `excerpts.for_item`, as a fragment of HTML of about ITEM_WORDS words."""
    articles = {article.id: article for article in story.articles}
    words = labels(story.language)
    said = item_state(merged)
    parts = [_paragraph(_said(fact, articles, words)) for fact in said]
    if not parts and story.summary:
        parts.append(_paragraph(escaped(story.summary)))
    shown = " ".join(fact.said[0].text for fact in said) or story.summary
    parts.append(f"<p><em>{numbers(story)}</em></p>")
    linked = _linked_stories(story, story_url.removesuffix(story.id))
    left = ITEM_WORDS - _OTHER_WORDS - count_words(shown) - count_words(_TAG.sub(" ", linked))
    parts += [_reports(story.articles, left), linked]
    parts.append(f"<p>{link(story_url, 'Full story')}</p>")
    return "".join(parts)


def item_state(merged: MergedStory | None) -> tuple[Fact, ...]:
    """Return the sentences with which an item opens."""
    if merged is None:
        return ()
    return newest_state(merged, sentences=STATE_SENTENCES, words=STATE_WORDS).state


def story_summary(story: StoryView, merged: MergedStory | None) -> str:
    """Return the newest state as plain text on one line; without any, the counts."""
    said = " ".join(fact.said[0].text for fact in item_state(merged))
    return feed_title(said or story.summary) or numbers(story)


def link(url: str, text: str) -> str:
    """Return a link; `url` has to be safe, and `text` is HTML."""
    return f'<a href="{escape(url)}" rel="noopener noreferrer nofollow ugc">{text}</a>'


def numbers(story: StoryView) -> str:
    """Return the numbers of articles, outlets and reports."""
    outlets = story.outlet_count, story.unknown_outlet_count
    return " · ".join(reversed(story_numbers(story.report_count, *outlets, story.article_count)))


def linked(article: ArticleView) -> str:
    """Return outlet, agency, time and title of an article; the title is a link if the address is safe."""
    if not article.is_dated:
        return _line(article, f", undated, seen {short_day(article.seen)}")
    if article.published is not None and article.published_precision != "day":
        return _line(article, f", {moment(article.published)} UTC")
    return _line(article)


def escaped(text: str) -> str:
    """Escape a text for HTML, on one line."""
    return escape(feed_text(text))


def _outlet(article: ArticleView) -> str:
    name = escaped(article.outlet or NO_OUTLET)
    url = feed_url(article.url)
    return link(url, name) if url else name


def _paragraph(html: str) -> str:
    return f'<p dir="auto">{html}</p>'


def _list(lines: Iterable[str]) -> str:
    listed = "".join(f'<li dir="auto">{line}</li>' for line in lines)
    return f"<ul>{listed}</ul>" if listed else ""


def _said(fact: Fact, articles: Mapping[str, ArticleView], words: Labels) -> str:
    """Return the first sentence of a fact with its outlet, and the others that state it in their words."""
    who: dict[str, str] = {}
    for one in fact.said:
        article = articles.get(one.article)
        if one is fact.said[0] or one.article not in fact.said[0].also:
            who.setdefault((article and article.outlet_key) or one.article, _who(one, articles))
    first, *others = who.values()
    sentence = f"{escaped(fact.said[0].text)} — {first}"
    if fact.outlets < 2:
        return sentence
    share = escaped(words.share.format(n=fact.outlets, of=fact.of))
    also = f"; {words.also.format(name=', '.join(others))}" if others else ""
    return f"{sentence} <em>({share}{also})</em>"


def _who(sentence: AttributedSentence, articles: Mapping[str, ArticleView]) -> str:
    """Return the outlets of the articles in which a sentence stands; unknown ones by title."""
    names = names_behind(sentence, articles, NO_OUTLET)
    url = feed_url(articles[sentence.article].url) if sentence.article in articles else None
    first = escaped(names[0])
    return ", ".join((link(url, first) if url else first, *map(escaped, names[1:])))


def _reports(articles: Sequence[ArticleView], words: int) -> str:
    """Return a list of the originals, the newest first, each with its copies; as many as `words` allow."""
    originals = originals_with_copies(articles)[::-1]
    lines: list[str] = []
    for one, same in originals:
        named = " ".join(copy.outlet or NO_OUTLET for copy in (one, *same[:NAMED_COPIES]))
        words -= count_words(f"{named} {one.title}") + 4 * bool(same)
        if words < 0 and len(lines) >= LISTED_AT_LEAST:
            break
        lines.append(_line(one) + _copied(same))
    if len(originals) > len(lines):
        lines.append(f"and {counted(len(originals) - len(lines), 'earlier article')}")
    return _list(lines)


def _line(article: ArticleView, when: str = "") -> str:
    """Return outlet, agency and title of an article, linked to it if the address is safe."""
    title = escaped(article.title) or "Untitled"
    url = feed_url(article.url)
    agency = f" ({escaped(article.wire)})" if article.wire else ""
    return f"{escaped(article.outlet or NO_OUTLET)}{agency}{when}: {link(url, title) if url else title}"


def _linked_stories(story: StoryView, base: str) -> str:
    """Return a line with the nearest story before, after and related; `base` precedes an id."""
    kinds = (("Earlier", story.earlier), ("Later", story.later), ("Related", story.related))
    line = " · ".join(
        f"{name}: {link(base + linked[0].id, escaped(linked[0].title) or 'Untitled')}"
        for name, linked in kinds
        if linked
    )
    return _paragraph(line) if line else ""


def _copied(copies: Sequence[ArticleView]) -> str:
    if not copies:
        return ""
    named = [_outlet(one) for one in copies[:NAMED_COPIES]]
    if len(copies) > NAMED_COPIES:
        named.append(f"{len(copies) - NAMED_COPIES:,} more")
    return f" — the same text: {', '.join(named)}"
