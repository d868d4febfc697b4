"""Entry point of the package: turns an entry, with its fetched page if there is one, into a clean article.

If a page turns out to be a bot wall, a list or empty, the entry's own text is used instead.
"""

import datetime as dt
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract import live_text
from aggregator.extract.bare_title import named_title
from aggregator.extract.drafts import (
    Draft,
    declared_time,
    draft_from_entry,
    draft_from_html,
    title_line,
    unreadable_draft,
    with_own_text,
)
from aggregator.extract.html.article_html import (
    article_html,
    first_large_picture,
)
from aggregator.extract.html.robots_meta import permissions
from aggregator.extract.kind import find_kind
from aggregator.extract.language.unicode import clean, decode, looks_binary
from aggregator.extract.learned_boilerplate import (
    BoilerplateTuning,
    hash_lines,
)
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.media import media_of
from aggregator.extract.outlets import is_headline
from aggregator.extract.shown_text import first_sentences, without_text
from aggregator.extract.wire import wire
from aggregator.model.entry import Enclosure, Entry
from aggregator.model.prepared import (
    ACCEPTED_VERDICTS,
    ArticleHtml,
    CleanArticle,
    LineHashes,
)
from aggregator.text.language import find_language
from aggregator.text.lines import has_words, one_space
from aggregator.text.reading import Reading, read

_CATEGORIES = 20  # kept of an article


class CleanedEntry(msgspec.Struct, frozen=True):
    """A clean article, its words, and the hashes of its lines (None: no boilerplate is learned from it).

    `own`: the same without the text of its page, if that was asked for, or is short enough for a notice.
    """

    article: CleanArticle
    reading: Reading
    lines: LineHashes | None = None
    html: ArticleHtml | None = None
    own: "CleanedEntry | None" = None


def clean_entry(
    entry: Entry,
    *,
    page: bytes | None = None,
    page_charset: str | None = None,
    page_url: str | None = None,
    seen: dt.datetime,
    tuning: Tuning,
    has_own: bool = False,
) -> CleanedEntry:
    """Return the article of `entry`. An entry that cannot be read gets a verdict with a reason.

    `page`: the bytes fetched from `page_url` (`page_charset`: the charset in its headers), or None. `seen`:
    when the entry was accepted; dates more than a day later are ignored. `has_own`: what the entry would be
    without the text of its page is always returned, too.
    """
    text_tuning = tuning.section("text", ExtractTuning)
    if page is None:
        return _finish(entry, draft_from_entry(entry, seen, text_tuning), seen, tuning)
    html = "" if looks_binary(page) else decode(page, page_charset)
    of_site = entry
    # The words of the site, and none of a feed that links to it
    if entry.feed_outlet is not None:
        of_site = replace(entry, title="", categories=(), author=None)
    if html.strip():
        of_page = draft_from_html(of_site, html, page_url, seen, text_tuning)
    else:
        of_page = unreadable_draft(page)
    if (
        of_site is not entry
        and title_line(entry.title)
        and not _has_headline(of_page, entry)
    ):
        nameless = replace(
            of_page.article, verdict="empty", reason="the page has no headline"
        )
        of_page = replace(of_page, article=nameless)
    draft = of_page
    if draft.article.verdict != "ok":
        draft = with_own_text(entry, draft, seen, text_tuning)
    cleaned = _finish(of_site if draft is of_page else entry, draft, seen, tuning)
    if draft is of_page and (
        has_own or not has_words(draft.article.text, text_tuning.paywall_max_words + 1)
    ):
        notice = replace(
            draft, article=without_text(draft.article), lines=(), markup=""
        )
        without_page = with_own_text(entry, notice, seen, text_tuning)
        cleaned = replace(cleaned, own=_finish(entry, without_page, seen, tuning))
    return cleaned


def _has_headline(of_page: "Draft", entry: Entry) -> bool:
    """Return whether a page has a headline, and not the name of its site in its place; or is refused."""
    outlet, page = entry.resolved_outlet, of_page.article
    return page.verdict not in ACCEPTED_VERDICTS or (
        outlet is not None and is_headline(page.title, outlet)
    )


def _is_live(
    draft: Draft, paragraphs: Sequence[str], text_tuning: ExtractTuning
) -> bool:
    """Return whether a page or a headline announces a live blog, or the text looks like one."""
    return (
        draft.facts.is_live
        or live_text.announces_live(draft.article.title)
        or live_text.looks_live(paragraphs, text_tuning)
    )


def _finish(
    entry: Entry, draft: Draft, seen: dt.datetime, tuning: Tuning
) -> CleanedEntry:
    article, text_tuning = draft.article, tuning.section("text", ExtractTuning)
    outlet = entry.outlet or (
        entry.resolved_outlet.name if entry.resolved_outlet else None
    )
    title = _cut(
        named_title(article.title, outlet, entry.url), text_tuning.max_title_chars
    )
    lines = _cut(article.text, text_tuning.max_text_chars).split("\n")
    paragraphs = tuple(filter(None, lines))
    text = "\n".join(paragraphs)
    author = one_space(clean(entry.author)) if entry.author else article.author
    published = declared_time(entry, seen) or article.published
    forbids = permissions(entry.robots)
    no_images = draft.facts.forbids.noimage or forbids.noimage
    is_live = _is_live(draft, paragraphs, text_tuning)
    is_container = is_live or live_text.is_container_title(article.title)
    declared = entry.language or draft.facts.language
    language = entry.source_language or find_language(
        title, text, declared, text_tuning
    )
    reading = read(title, text, language)
    kind = find_kind(
        title,
        text,
        language=language,
        urls=(entry.url, article.canonical_url),
        categories=entry.categories,
        sections=draft.facts.sections,
        types=draft.facts.types,
        author=author,
        outlet=entry.outlet,
        media=entry.enclosures,
        episode_audio_bytes=text_tuning.episode_audio_bytes,
        is_container=is_container,
        is_live=is_live,
        reading=reading,
    )
    base = draft.image_base or entry.url
    html = None
    if draft.markup and article.verdict in ACCEPTED_VERDICTS:
        html = article_html(
            draft.markup,
            base,
            with_pictures=not no_images,
            is_cut=draft.article.truncated,
        )
    pictures = [draft.facts.image] if draft.facts.image else []
    if html is not None and (address := first_large_picture(html.html)):
        pictures.append(Enclosure(url=address, type="image"))
    finished = replace(
        article,
        title=title,
        text=text,
        lead=first_sentences(paragraphs, text_tuning.lead_words),
        language=language,
        author=_cut(author, 200) if author else None,
        outlet=_cut(article.outlet, 200) if article.outlet else None,
        site_name=_cut(article.site_name, 200) if article.site_name else None,
        published=published,
        wire=wire.find_wire(
            paragraphs,
            text_tuning,
            draft.lines,
            author,
            outlet=entry.outlet or article.outlet,
            title=article.title,
            sources=draft.facts.sources,
        ),
        is_container=is_container,
        kind=kind.kind,
        kind_evidence=kind.evidence,
        categories=tuple(dict.fromkeys((*draft.facts.sections, *entry.categories)))[
            :_CATEGORIES
        ],
        noarchive=article.noarchive or forbids.noarchive,
        nosnippet=article.nosnippet or forbids.nosnippet,
        tdm_reserved=article.tdm_reserved or forbids.tdm_reserved,
        media=media_of(entry.enclosures, pictures, base, no_images=no_images),
        truncated=article.truncated or len(article.text) > text_tuning.max_text_chars,
    )
    hashes = None
    # The lines of a live blog are its content.
    if paragraphs and article.verdict in ACCEPTED_VERDICTS and not is_container:
        hashes = hash_lines(
            paragraphs, tuning.section("boilerplate", BoilerplateTuning)
        )
    return CleanedEntry(finished, reading, hashes, html)


def _cut(text: str, max_chars: int) -> str:
    """Return `text` cut to `max_chars` at a line end or space."""
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    return (
        head.rpartition("\n")[0]
        if "\n" in head[max_chars // 2 :]
        else head.rpartition(" ")[0]
    ) or head
