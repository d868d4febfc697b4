"""The entry point of the package: turns an entry, with its page if one was fetched, into a clean article.

drafts.py finds the text; here it is cut to the limits, and language, kind, agency and media are derived from it.
If a page turns out to be a bot wall, a list or empty, the entry's own text is used instead.
"""

import re
from datetime import datetime

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.drafts import (
    Draft,
    declared_time,
    draft_from_entry,
    draft_from_page,
    title_line,
    with_own_text,
)
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.headline import named_title, plain_headline
from aggregator.extract.html.article_html import article_html, first_large_picture
from aggregator.extract.html.robots_meta import permissions
from aggregator.extract.kind import find_kind, is_withdrawal
from aggregator.extract.language.unicode import clean
from aggregator.extract.learned_boilerplate import BoilerplateTuning, hash_lines
from aggregator.extract.media import media_of
from aggregator.extract.outlets import is_headline
from aggregator.extract.plain import live_text
from aggregator.extract.plain.glued_words import with_spaces, without_link_lists
from aggregator.extract.shown_text import first_sentences, without_text
from aggregator.extract.sites import is_private_link, site_of
from aggregator.extract.wire import wire
from aggregator.model.entry import Enclosure, Entry
from aggregator.model.prepared import (
    ACCEPTED_VERDICTS,
    ArticleHtml,
    CleanArticle,
    LineHashes,
)
from aggregator.text.language import find_language
from aggregator.text.lines import has_words, one_line
from aggregator.text.reading import Reading, read

# Further categories of an article are dropped
_MOST_CATEGORIES = 20
# The longest name of an author or an outlet; the rest is cut
_NAME_CHARS = 200
# A link or a name in italics may leave a space before a mark: "Anna Berg , who said". The pattern begins with the
# space, which is found four times as fast as the character before it.
_SPACE_BEFORE_MARK = re.compile(r" (?<=[\w”’)\]] ) *(?=[,.;:](?:\s|$))")
# French writes a space before ";" and ":"
_SPACE_BEFORE_MARK_FRENCH = re.compile(r" (?<=[\w”’)\]] ) *(?=[,.](?:\s|$))")


class CleanedEntry(msgspec.Struct, frozen=True):
    """A clean article and the words of its title and text."""

    article: CleanArticle
    reading: Reading
    # Hashes of the lines, from which the boilerplate of the outlet is learned; None if nothing is learned from it
    lines: LineHashes | None = None
    html: ArticleHtml | None = None
    # The article without the text of its page, for the case that placing finds this text to be a notice. It is made
    # if the text is short enough to be one, or on request.
    own: "CleanedEntry | None" = None


def clean_entry(
    entry: Entry,
    *,
    page: bytes | None = None,
    page_charset: str | None = None,
    page_url: str | None = None,
    seen: datetime,
    tuning: Tuning,
    has_own: bool = False,
) -> CleanedEntry:
    """Return the article of `entry`. An entry that cannot be read gets a verdict with a reason.

    `page` has the bytes fetched from `page_url`, or is None; `page_charset` is the charset in the headers of the
    page. `seen` is the time when the entry was accepted; dates more than a day later are ignored. With `has_own`, the
    article without the text of its page (`CleanedEntry.own`) is made even if this text is long.
    """
    text_tuning = tuning.section("text", ExtractTuning)
    if page is None:
        return _finish(entry, draft_from_entry(entry, seen, text_tuning), seen, tuning)
    # A feed may link to the page of another outlet. That page is judged by its own words, not by the feed's.
    page_entry = entry
    if entry.feed_outlet is not None:
        page_entry = replace(entry, title="", categories=(), author=None)
    draft = draft_from_page(
        page_entry,
        page,
        charset=page_charset,
        url=page_url,
        seen=seen,
        text_tuning=text_tuning,
    )
    outlet = entry.resolved_outlet
    if (
        page_entry is not entry
        and title_line(entry.title)
        and draft.article.verdict in ACCEPTED_VERDICTS
        # Many pages have the name of their site instead of a headline.
        and (outlet is None or not is_headline(draft.article.title, outlet))
    ):
        refused = replace(
            draft.article, verdict="empty", reason="the page has no headline"
        )
        draft = replace(draft, article=refused)
    # The page of an article that its outlet takes back may show the article for a while. Only the outlet's own feed
    # counts.
    takes_back = page_entry is entry and is_withdrawal(entry.text or entry.html or "")
    if draft.article.verdict != "ok" or takes_back:
        own_draft = with_own_text(entry, draft, seen, text_tuning)
        if own_draft is not draft:
            return _finish(entry, own_draft, seen, tuning)
    cleaned = _finish(page_entry, draft, seen, tuning)
    if has_own or not has_words(draft.article.text, text_tuning.paywall_max_words + 1):
        notice = replace(
            draft, article=without_text(draft.article), lines=(), markup=""
        )
        own_draft = with_own_text(entry, notice, seen, text_tuning)
        cleaned = replace(cleaned, own=_finish(entry, own_draft, seen, tuning))
    return cleaned


def _finish(entry: Entry, draft: Draft, seen: datetime, tuning: Tuning) -> CleanedEntry:
    """Return the article of a draft: its text within the limits, and everything derived from the draft."""
    text_tuning = tuning.section("text", ExtractTuning)
    # Robots tags tell which uses the publisher forbids, such as showing images.
    forbids = permissions(*draft.facts.robots, entry.robots)
    base = draft.image_base or entry.url
    html = None
    if draft.markup and draft.article.verdict in ACCEPTED_VERDICTS:
        html = article_html(
            draft.markup,
            base,
            with_pictures=not forbids.noimage,
            is_cut=draft.article.truncated,
            is_of_internet=entry.is_of_internet,
        )
    pictures = [draft.facts.image] if draft.facts.image else []
    if html is not None and (address := first_large_picture(html.html)):
        pictures.append(Enclosure(url=address, type="image"))
    article = _with_text(draft.article, entry, draft.facts.language, text_tuning)
    # The author and the time that the entry states take precedence over those that its page states.
    author = one_line(clean(entry.author)) if entry.author else article.author
    categories = dict.fromkeys((*draft.facts.sections, *entry.categories))
    article = replace(
        article,
        author=_cut_name(author),
        outlet=_cut_name(article.outlet),
        site_name=_cut_name(article.site_name),
        published=declared_time(entry, seen) or article.published,
        categories=tuple(categories)[:_MOST_CATEGORIES],
        noarchive=forbids.noarchive,
        nosnippet=forbids.nosnippet,
        tdm_reserved=forbids.tdm_reserved,
        media=tuple(
            reference
            for reference in media_of(
                entry.enclosures, pictures, base, no_images=forbids.noimage
            )
            if not (entry.is_of_internet and is_private_link(reference.url))
        ),
    )
    reading = read(article.title, article.text, article.language)
    article = _with_kind(article, entry, draft, reading, text_tuning)
    hashes = None
    # The lines of a container (a live blog, a roundup) repeat from version to version, but they are its content.
    if (
        article.text
        and not article.is_container
        and article.verdict in ACCEPTED_VERDICTS
    ):
        hashes = hash_lines(
            article.text.split("\n"), tuning.section("boilerplate", BoilerplateTuning)
        )
    return CleanedEntry(article, reading, hashes, html)


def _with_text(
    article: CleanArticle,
    entry: Entry,
    page_language: str | None,
    text_tuning: ExtractTuning,
) -> CleanArticle:
    """Return the article with title and text within the limits, its lead and its language."""
    # Headlines often begin or end with the name of the outlet or its site.
    resolved_name = entry.resolved_outlet.name if entry.resolved_outlet else None
    site_name = site_of(entry.url).key.partition(".")[0]
    names = filter(None, (entry.outlet, article.outlet, resolved_name, site_name))
    title = plain_headline(article.title, names)
    title = named_title(title, entry.outlet or resolved_name, entry.url)
    title = _cut(title, text_tuning.max_title_chars)
    lines = _cut(article.text, text_tuning.max_text_chars).split("\n")
    text = "\n".join(filter(None, lines))
    language = entry.source_language or find_language(
        title, text, entry.language or page_language, text_tuning
    )
    spaces = _SPACE_BEFORE_MARK_FRENCH if language == "fr" else _SPACE_BEFORE_MARK
    text = with_spaces(without_link_lists(spaces.sub("", text)))
    return replace(
        article,
        title=title,
        text=text,
        lead=first_sentences(text.split("\n"), text_tuning.lead_words),
        language=language,
        truncated=article.truncated or len(article.text) > text_tuning.max_text_chars,
    )


def _with_kind(
    article: CleanArticle,
    entry: Entry,
    draft: Draft,
    reading: Reading,
    text_tuning: ExtractTuning,
) -> CleanArticle:
    """Return the article with its kind (report, opinion, live blog, ...) and the news agency behind it."""
    facts = draft.facts
    paragraphs = list(filter(None, article.text.split("\n")))
    is_live = (
        facts.is_live
        or live_text.announces_live(article.title)
        or live_text.looks_live(paragraphs, text_tuning)
    )
    is_container = is_live or live_text.is_container_title(article.title)
    kind = find_kind(
        article.title,
        article.text,
        language=article.language,
        urls=(entry.url, article.canonical_url),
        categories=entry.categories,
        sections=facts.sections,
        types=facts.types,
        author=article.author,
        outlet=entry.outlet,
        media=entry.enclosures,
        episode_audio_bytes=text_tuning.episode_audio_bytes,
        is_container=is_container,
        is_live=is_live,
        reading=reading,
    )
    agency = wire.find_wire(
        paragraphs,
        text_tuning,
        draft.lines,
        article.author,
        outlet=entry.outlet or article.outlet,
        title=article.title,
        sources=facts.sources,
    )
    return replace(
        article,
        is_container=is_container,
        kind=kind.kind,
        kind_evidence=kind.evidence,
        style=kind.style,
        wire=agency,
    )


def _cut_name(name: str | None) -> str | None:
    return _cut(name or "", _NAME_CHARS) or None


def _cut(text: str, max_chars: int) -> str:
    """Return `text` cut to `max_chars` at a line end or space."""
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    end = "\n" if "\n" in head[max_chars // 2 :] else " "
    return head.rpartition(end)[0] or head
