"""Entry point of the package: turns an entry, with its fetched page if there is one, into a clean article.

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
from aggregator.extract.kind import find_kind
from aggregator.extract.language.unicode import clean
from aggregator.extract.learned_boilerplate import BoilerplateTuning, hash_lines
from aggregator.extract.media import media_of
from aggregator.extract.outlets import is_headline
from aggregator.extract.plain import live_text
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
_CATEGORIES = 20
# The longest name of an author or an outlet; the rest is cut
_NAME_CHARS = 200


class CleanedEntry(msgspec.Struct, frozen=True):
    """A clean article, its words, and the hashes of its lines (None: no boilerplate is learned from it).

    `own` is the article without the text of its page. It is there on request, and if the page's text is short
    enough for a notice.
    """

    article: CleanArticle
    reading: Reading
    lines: LineHashes | None = None
    html: ArticleHtml | None = None
    own: "CleanedEntry | None" = None


# They begin with the space, which is found four times as fast as the character before it
_SPACED_MARK = re.compile(r" (?<=[\w”’)\]] ) *(?=[,.;:](?:\s|$))")
_SPACED_COMMA = re.compile(r" (?<=[\w”’)\]] ) *(?=[,.](?:\s|$))")


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

    `page` has the bytes fetched from `page_url` (`page_charset`: the charset in its headers), or is None. `seen`
    is the time when the entry was accepted; dates more than a day later are ignored. `has_own` asks for the
    article without the text of its page in any case.
    """
    text_tuning = tuning.section("text", ExtractTuning)
    if page is None:
        return _finish(entry, draft_from_entry(entry, seen, text_tuning), seen, tuning)
    of_site = entry
    # A page is judged by the words of its own site, not by those of a feed that links to it
    if entry.feed_outlet is not None:
        of_site = replace(entry, title="", categories=(), author=None)
    draft = draft_from_page(
        of_site,
        page,
        charset=page_charset,
        url=page_url,
        seen=seen,
        text_tuning=text_tuning,
    )
    outlet = entry.resolved_outlet
    # Many pages have the name of their site in the place of a headline.
    is_nameless = draft.article.verdict in ACCEPTED_VERDICTS and (
        outlet is None or not is_headline(draft.article.title, outlet)
    )
    if of_site is not entry and title_line(entry.title) and is_nameless:
        draft = replace(
            draft,
            article=replace(
                draft.article, verdict="empty", reason="the page has no headline"
            ),
        )
    if draft.article.verdict != "ok":
        instead = with_own_text(entry, draft, seen, text_tuning)
        if instead is not draft:
            return _finish(entry, instead, seen, tuning)
    cleaned = _finish(of_site, draft, seen, tuning)
    if has_own or not has_words(draft.article.text, text_tuning.paywall_max_words + 1):
        notice = replace(
            draft, article=without_text(draft.article), lines=(), markup=""
        )
        without_page = with_own_text(entry, notice, seen, text_tuning)
        cleaned = replace(cleaned, own=_finish(entry, without_page, seen, tuning))
    return cleaned


def _finish(entry: Entry, draft: Draft, seen: datetime, tuning: Tuning) -> CleanedEntry:
    """Return the article of a draft: its text within the limits, and everything derived from the draft."""
    text_tuning = tuning.section("text", ExtractTuning)
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
    # The entry's own declarations come before those of its page.
    author = one_line(clean(entry.author)) if entry.author else article.author
    categories = dict.fromkeys((*draft.facts.sections, *entry.categories))
    article = replace(
        article,
        author=_cut_name(author),
        outlet=_cut_name(article.outlet),
        site_name=_cut_name(article.site_name),
        published=declared_time(entry, seen) or article.published,
        categories=tuple(categories)[:_CATEGORIES],
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
    # The lines of a live blog are its content.
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
    resolved = entry.resolved_outlet.name if entry.resolved_outlet else None
    site = site_of(entry.url).key.partition(".")[0]
    names = filter(None, (entry.outlet, article.outlet, resolved, site))
    title = plain_headline(article.title, names)
    title = named_title(title, entry.outlet or resolved, entry.url)
    title = _cut(title, text_tuning.max_title_chars)
    lines = _cut(article.text, text_tuning.max_text_chars).split("\n")
    text = "\n".join(filter(None, lines))
    language = entry.source_language or find_language(
        title, text, entry.language or page_language, text_tuning
    )
    # A link or a name in italics may leave a space before a mark: "Anna Berg , who said". French writes one
    # before ";" and ":".
    spaced = _SPACED_COMMA if language == "fr" else _SPACED_MARK
    text = spaced.sub("", text)
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
    """Return the article with its kind, and the agency behind it."""
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
