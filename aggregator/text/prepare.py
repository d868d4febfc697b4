"""The one door of this room: an entry, with its page where it was fetched, becomes a clean article.

The fullest source goes first: the fetched page, a page that came with the entry, a saved text, the entry's
own text, its HTML fragment, and at last its title alone. Where a page turns out to be a wall, a list or
nothing, the entry's own text is taken instead.
"""

import datetime as dt

import msgspec

from aggregator.model import ACCEPTED_VERDICTS, CleanArticle, Entry, Published
from aggregator.rules import RuleBook
from aggregator.text import dates, live, plain, wire
from aggregator.text.characters import clean, decode, looks_binary
from aggregator.text.html import read_page
from aggregator.text.language import find_language
from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words, one_space
from aggregator.text.markup import html_to_text
from aggregator.text.sentences import split_sentences
from aggregator.text.verdict import Surroundings, judge
from aggregator.text.widgets import without_widgets


def clean_article(  # noqa: PLR0917 - callers name what was fetched in this order
    entry: Entry,
    page: bytes | None,
    page_charset: str | None,
    page_url: str | None,
    seen: dt.datetime,
    rules: RuleBook,
) -> CleanArticle:
    """The article of `entry`, whatever the entry is: what cannot be read has a verdict that says so.

    `page`: the bytes fetched from `page_url` (`page_charset`: as its headers declare), None when there are
    none. `seen`: when the entry was accepted; dates more than a day later are not believed.
    """
    room = rules.section("text", TextRules)
    html = decode(page, page_charset) if page is not None and not looks_binary(page) else ""
    draft = None
    if page is not None:
        draft = _from_html(entry, html, page_url, seen, room) if html.strip() else _unreadable(page)
    if draft is not None and draft.article.verdict == "ok":
        return _finished(entry, draft, seen, room)
    own = _from_entry(entry, seen, room)
    if draft is not None and not _is_better(own.article, draft.article):
        return _finished(entry, draft, seen, room)
    if draft is not None:
        own = msgspec.structs.replace(own, article=_with_page_facts(own.article, draft.article))
    return _finished(entry, own, seen, room)


def _is_better(own: CleanArticle, page: CleanArticle) -> bool:
    """Whether the entry's own text goes before that of a page with hardly any."""
    if own.verdict not in ACCEPTED_VERDICTS:
        return False
    return page.verdict not in ACCEPTED_VERDICTS or len(own.text) > len(page.text)


class _Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An article before what all kinds have in common is added; `lines`: with its furniture, for the wire."""

    article: CleanArticle
    lines: tuple[str, ...] = ()
    declared_language: str | None = None
    is_live: bool = False
    sources: tuple[str, ...] = ()  # what the page calls the source of its text


# --- where it comes from -----------------------------------------------------------------------------------


def _unreadable(page: bytes) -> _Draft:
    if page.strip():
        return _Draft(article=CleanArticle(verdict="binary", reason="the page is no text"))
    return _Draft(article=CleanArticle(verdict="empty", reason="the page has no bytes"))


def _from_html(entry: Entry, html: str, url: str | None, seen: dt.datetime, room: TextRules) -> _Draft:
    read = read_page(html, rules=room, url=url, zone=entry.zone, seen=seen)
    if read is None:
        return _Draft(article=CleanArticle(verdict="empty", reason="the page holds no markup"))
    facts = read.facts
    title = _title(entry.title) or facts.title
    context = plain.Context(
        rules=room, headings=facts.headings, outlet=entry.outlet or facts.site, zone=entry.zone, seen=seen
    )
    body = plain.read_titled_text(read.text, title, context)
    text = "\n".join(body.paragraphs)
    judged = judge(
        title,
        text,
        room,
        Surroundings(
            title=facts.title,
            opening=read.opening,
            found=read.text,
            words=read.words,
            link_share=read.link_share,
        ),
    )
    article = CleanArticle(
        verdict=judged.verdict,
        reason=judged.reason,
        title=title,
        text=text,
        author=facts.author or body.author,
        outlet=facts.site,
        published=facts.published or body.published,
        modified=facts.modified,
        canonical_url=facts.canonical,
        noarchive=facts.noarchive,
        nosnippet=facts.nosnippet,
        tdm_reserved=facts.tdm_reserved,
        truncated=read.truncated,
    )
    return _Draft(
        article=article,
        lines=body.lines,
        declared_language=facts.language,
        is_live=facts.is_live,
        sources=facts.sources,
    )


def _from_entry(entry: Entry, seen: dt.datetime, room: TextRules) -> _Draft:
    if entry.html is not None and entry.is_page:
        return _from_html(entry, entry.html, entry.url, seen, room)
    context = plain.Context(rules=room, outlet=entry.outlet, zone=entry.zone, seen=seen)
    is_saved = entry.text is not None and entry.is_saved_text
    has_text = is_saved or (entry.text is not None and bool(entry.text.strip()))
    text = clean(entry.text or "") if has_text else html_to_text(entry.html or "")
    text, title = text[: room.max_text_chars * 2], _title(entry.title)
    if title and not is_saved:
        saved = plain.read_titled_text(text, title, context)
    else:  # a record or entry without a headline may hold it inside, as a saved text does
        saved = plain.read_saved_text(text, context)
    return _drafted(saved, title or _title(saved.title), room)


def _drafted(saved: plain.SavedText, title: str, room: TextRules) -> _Draft:
    text = "\n".join(saved.paragraphs)
    judged = judge(title, text, room)
    article = CleanArticle(
        verdict=judged.verdict,
        reason=judged.reason,
        title=title,
        text=text,
        author=saved.author,
        outlet=saved.outlet,
        published=saved.published,
    )
    return _Draft(article=article, lines=saved.lines)


def _with_page_facts(own: CleanArticle, page: CleanArticle) -> CleanArticle:
    """The entry's own text, with what a page without a usable text still says about itself."""
    return msgspec.structs.replace(
        own,
        author=own.author or page.author,
        published=own.published or page.published,
        noarchive=page.noarchive,
        nosnippet=page.nosnippet,
        tdm_reserved=page.tdm_reserved,
    )


# --- what all have in common -------------------------------------------------------------------------------


def _finished(entry: Entry, draft: _Draft, seen: dt.datetime, room: TextRules) -> CleanArticle:
    article = draft.article
    text = _cut("\n".join(map(without_widgets, article.text.split("\n"))), room.max_text_chars)
    paragraphs = tuple(line for line in text.split("\n") if line)
    author = one_space(clean(entry.author)) if entry.author else article.author
    published = _declared(entry, seen) or article.published
    timed = live.timed_entries(paragraphs, room, published=published, zone=entry.zone)
    return msgspec.structs.replace(
        article,
        title=_cut(article.title, room.max_title_chars),
        text=text,
        lead=_lead(paragraphs, room.lead_words),
        language=find_language(article.title, text, entry.language or draft.declared_language, room),
        author=_cut(author, 200) if author else None,
        outlet=_cut(article.outlet, 200) if article.outlet else None,
        published=published,
        wire=wire.find_wire(
            paragraphs,
            room,
            draft.lines,
            author,
            outlet=entry.outlet or article.outlet,
            title=article.title,
            sources=draft.sources,
        ),
        is_container=bool(timed) or draft.is_live or live.is_container_title(article.title),
        timed=timed,
        truncated=article.truncated or len(article.text) > room.max_text_chars,
    )


def _declared(entry: Entry, seen: dt.datetime) -> Published | None:
    declared = entry.published
    return declared if declared is not None and dates.plausible(declared.time, seen) else None


def _title(raw: str) -> str:
    return " ".join(html_to_text(raw).split())


def _cut(text: str, max_chars: int) -> str:
    """`text` within `max_chars`, cut at a space."""
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    return (head.rpartition("\n")[0] if "\n" in head[max_chars // 2 :] else head.rpartition(" ")[0]) or head


def _lead(paragraphs: tuple[str, ...], max_words: int) -> str:
    """The first sentences within `max_words` words; the first one is always whole."""
    kept: list[str] = []
    words = 0
    for paragraph in paragraphs[:6]:
        for sentence in split_sentences(paragraph):
            words += count_words(sentence)
            if kept and words > max_words:
                return " ".join(kept)
            kept.append(sentence)
    return " ".join(kept) or (paragraphs[0] if paragraphs else "")
