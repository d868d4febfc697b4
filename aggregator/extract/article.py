"""Entry point of the package: turns an entry, with its fetched page if there is one, into a clean article.

The text is taken from the first of these that exists: the fetched page, a page inside the entry, a saved
text, the entry's own text, its HTML fragment, its title alone. If a page turns out to be a bot wall, a list
or empty, the entry's own text is used instead.

The media of an article (images, audio, video, documents) are references only and never fetched. One image is
selected, because feeds and pages list the same image in many sizes: of the feed, else of the page, else the
first large one of the article itself.
"""

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract import live_text
from aggregator.extract.bare_title import named_title
from aggregator.extract.entry_form import own_text
from aggregator.extract.html.article_html import (
    article_html,
    first_large_picture,
    is_shown_picture,
)
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.page import read_page
from aggregator.extract.html.page_signals import read_page_signals
from aggregator.extract.html.robots_meta import permissions
from aggregator.extract.kind import find_kind
from aggregator.extract.language import dates
from aggregator.extract.language.unicode import clean, decode, looks_binary
from aggregator.extract.learned_boilerplate import (
    BoilerplateTuning,
    hash_lines,
)
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.outlets import is_headline
from aggregator.extract.page_verdict import judge
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import read_titled_text
from aggregator.extract.shown_text import NOTICE, first_sentences, without_text
from aggregator.extract.wire import wire
from aggregator.model.core import (
    ACCEPTED_VERDICTS,
    ArticleHtml,
    CleanArticle,
    Enclosure,
    Entry,
    FrozenStruct,
    LineHashes,
    Published,
)
from aggregator.text.language import find_language
from aggregator.text.lines import has_words, one_space, word_table
from aggregator.text.reading import Reading, read

# Of a link to a picture, audio or video; longer ones are dropped (chosen: what readers and servers accept).
_MEDIA_URL_CHARS = 2048

_TYPE = re.compile(r"(?:image|audio|video|application)/[a-z0-9][a-z0-9.+-]{0,60}")
_MEDIUM = frozenset({"image", "audio", "video"})
_TITLE_CHARS = 300
_CATEGORIES = 20  # kept of an article
# Media types of the IANA registry that feeds use; the system's own table differs between machines.
_BY_ENDING = word_table("""
    image/jpeg jpg jpeg
    image/png png
    image/gif gif
    image/webp webp
    image/avif avif
    image/svg+xml svg
    audio/mpeg mp3
    audio/mp4 m4a
    audio/aac aac
    audio/ogg ogg oga opus
    audio/wav wav
    audio/flac flac
    video/mp4 mp4 m4v
    video/webm webm
    video/quicktime mov
    application/pdf pdf
    application/epub+zip epub
""")
_WRITTEN_OTHERWISE = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
}


def media_of(
    declared: Sequence[Enclosure],
    page: Sequence[Enclosure],
    base: str | None,
    *,
    no_images: bool,
) -> tuple[Enclosure, ...]:
    """Return the references, one image first: the feed's own, else the page's.

    Each has a media type. `base` is the base URL of relative ones. Left out are references that are not an
    image, audio, video or document (the page of a player, for example), URLs that cannot be used in a feed,
    and pictures that no page shows.
    """
    by_url: dict[str, Enclosure] = {}
    for one in (*declared, *page):
        url = _address(one.url, base)
        kind = _kind(one.type, url) if url else ""
        if url and kind:
            title = " ".join(clean(one.title[:_TITLE_CHARS]).split())
            length = one.length_bytes or None
            by_url.setdefault(
                url, Enclosure(url=url, type=kind, length_bytes=length, title=title)
            )
    shown = [
        one for one in by_url.values() if one.is_image and is_shown_picture(one.url)
    ]
    pictures = [] if no_images else shown[:1]
    others = [one for one in by_url.values() if not one.is_image]
    return (*pictures, *others)


def _address(raw: str, base: str | None) -> str | None:
    """Return an absolute URL that can be used in a feed, else None."""
    try:
        full = urljoin(base or "", clean(raw).strip()).replace(" ", "%20")
        parts = urlsplit(full)
        fits = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and "@" not in parts.netloc
        )
    except ValueError:
        return None
    return (
        full
        if fits and len(full) <= _MEDIA_URL_CHARS and not re.search(r"[\s<>\"]", full)
        else None
    )


def _kind(declared: str, url: str) -> str:
    """Return the media type as declared, else by the file extension of the URL; "" for an unusable one."""
    stated = clean(declared).split(";")[0].strip().lower()
    stated = _WRITTEN_OTHERWISE.get(stated, stated)
    if _TYPE.fullmatch(stated) and stated != "application/octet-stream":
        return stated
    by_ending = _BY_ENDING.get(
        PurePosixPath(urlsplit(url).path).suffix.lstrip(".").lower(), ""
    )
    if stated in _MEDIUM:
        return by_ending if by_ending.startswith(stated + "/") else stated
    return by_ending if stated in {"", "document", "application/octet-stream"} else ""


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
        return _finish(entry, _from_entry(entry, seen, text_tuning), seen, tuning)
    html = "" if looks_binary(page) else decode(page, page_charset)
    of_site = entry
    # The words of the site, and none of a feed that links to it
    if entry.feed_outlet is not None:
        of_site = replace(entry, title="", categories=(), author=None)
    of_page = (
        _from_html(of_site, html, page_url, seen, text_tuning)
        if html.strip()
        else _unreadable(page)
    )
    if (
        of_site is not entry
        and _title(entry.title)
        and not _has_headline(of_page, entry)
    ):
        nameless = replace(
            of_page.article, verdict="empty", reason="the page has no headline"
        )
        of_page = replace(of_page, article=nameless)
    draft = of_page
    if draft.article.verdict != "ok":
        draft = _with_own_text(entry, draft, seen, text_tuning)
    cleaned = _finish(of_site if draft is of_page else entry, draft, seen, tuning)
    if draft is of_page and (
        has_own or not has_words(draft.article.text, text_tuning.paywall_max_words + 1)
    ):
        notice = replace(
            draft, article=without_text(draft.article), lines=(), markup=""
        )
        own = _with_own_text(entry, notice, seen, text_tuning)
        cleaned = replace(cleaned, own=_finish(entry, own, seen, tuning))
    return cleaned


def _has_headline(of_page: "_Draft", entry: Entry) -> bool:
    """Return whether a page has a headline, and not the name of its site in its place; or is refused."""
    outlet, page = entry.resolved_outlet, of_page.article
    return page.verdict not in ACCEPTED_VERDICTS or (
        outlet is not None and is_headline(page.title, outlet)
    )


class _Draft(FrozenStruct):
    """An article before the steps common to all sources; `lines` include boilerplate, for the wire."""

    article: CleanArticle
    lines: tuple[str, ...] = ()
    facts: PageFacts = PageFacts()  # that its page declares
    image_base: str | None = None  # of a relative URL of the page's image
    markup: str = ""  # that the text was taken from


# --- sources of the text -----------------------------------------------------------------------------------


def _unreadable(page: bytes) -> _Draft:
    if page.strip():
        return _Draft(
            article=CleanArticle(verdict="binary", reason="the page is not text")
        )
    return _Draft(article=CleanArticle(verdict="empty", reason="the page is empty"))


def _from_html(
    entry: Entry,
    html: str,
    url: str | None,
    seen: dt.datetime,
    text_tuning: ExtractTuning,
) -> _Draft:
    page = read_page(html, tuning=text_tuning, url=url, zone=entry.zone, seen=seen)
    if page is None:
        return _Draft(
            article=CleanArticle(verdict="empty", reason="the page has no markup")
        )
    facts = page.facts
    title = _title(entry.title) or facts.title
    body = read_titled_text(
        page.text,
        title,
        headings=facts.headings,
        is_dated=facts.published is not None or _declared(entry, seen) is not None,
        zone=entry.zone,
        seen=seen,
    )
    text = "\n".join(body.paragraphs)
    if not has_words(text, text_tuning.paywall_max_words):
        page = replace(page, signals=read_page_signals(html, text_tuning))
    judgement = judge(title, text, text_tuning, page)
    article = CleanArticle(
        verdict=judgement.verdict,
        reason=judgement.reason,
        title=title,
        text=text,
        author=facts.author or body.author,
        outlet=facts.site,
        site_name=facts.site,
        published=facts.published or body.published,
        modified=facts.modified,
        canonical_url=facts.canonical,
        noarchive=facts.forbids.noarchive,
        nosnippet=facts.forbids.nosnippet,
        tdm_reserved=facts.forbids.tdm_reserved,
        truncated=page.truncated,
    )
    return _Draft(
        article=article,
        lines=body.lines,
        facts=facts,
        image_base=url,
        markup=page.markup,
    )


def _from_entry(entry: Entry, seen: dt.datetime, text_tuning: ExtractTuning) -> _Draft:
    if entry.html is not None and entry.is_page:
        return _from_html(entry, entry.html, entry.url, seen, text_tuning)
    is_saved = entry.text is not None and entry.is_saved_text
    has_text = is_saved or (entry.text is not None and bool(entry.text.strip()))
    title = _title(entry.title)
    text = (
        clean(entry.text or "")
        if has_text
        else own_text(entry.html or "", title, entry.url).text
    )
    text = text[: text_tuning.max_text_chars * 2]
    if title and not is_saved:
        is_dated = _declared(entry, seen) is not None
        saved = read_titled_text(
            text, title, is_dated=is_dated, zone=entry.zone, seen=seen
        )
    else:  # the headline may be inside the text, as in a saved text
        saved = read_saved_text(
            text, text_tuning, outlet=entry.outlet, zone=entry.zone, seen=seen
        )
    title = title or _title(saved.title)
    text = "\n".join(saved.paragraphs)
    judgement = judge(title, text, text_tuning)
    article = CleanArticle(
        verdict=judgement.verdict,
        reason=judgement.reason,
        title=title,
        text=text,
        author=saved.author,
        outlet=saved.outlet,
        published=saved.published,
    )
    has_markup = bool(entry.html and text) and not entry.is_page
    return _Draft(
        article=article,
        lines=saved.lines,
        markup=(entry.html or "") if has_markup else "",
    )


def _with_own_text(
    entry: Entry, of_page: _Draft, seen: dt.datetime, text_tuning: ExtractTuning
) -> _Draft:
    """Return the entry's own text instead of a page with hardly any, if it has more."""
    own, page = _from_entry(entry, seen, text_tuning), of_page.article
    if own.article.verdict not in ACCEPTED_VERDICTS:
        return of_page
    if page.verdict in ACCEPTED_VERDICTS and len(own.article.text) <= len(page.text):
        return of_page
    return replace(
        own,
        article=_with_page_facts(own.article, page),
        facts=PageFacts(image=of_page.facts.image, forbids=of_page.facts.forbids),
        image_base=of_page.image_base,
    )


def _with_page_facts(own: CleanArticle, page: CleanArticle) -> CleanArticle:
    """Return the entry's own article, completed with the metadata of a page without usable text."""
    return replace(
        own,
        reason=f"its page: {page.reason}; the entry's own text is used"
        if page.reason
        else own.reason,
        # That of a page that was not used; "consent" for a notice that only placing recognised.
        page_verdict=None
        if page.verdict == "ok"
        else "consent"
        if page.reason == NOTICE
        else page.verdict,
        author=own.author or page.author,
        published=own.published or page.published,
        site_name=page.site_name,
        noarchive=page.noarchive,
        nosnippet=page.nosnippet,
        tdm_reserved=page.tdm_reserved,
    )


# --- common steps ------------------------------------------------------------------------------------------


def _is_live(
    draft: _Draft, paragraphs: Sequence[str], text_tuning: ExtractTuning
) -> bool:
    """Return whether a page or a headline announces a live blog, or the text looks like one."""
    return (
        draft.facts.is_live
        or live_text.announces_live(draft.article.title)
        or live_text.looks_live(paragraphs, text_tuning)
    )


def _paragraphs(text: str, text_tuning: ExtractTuning) -> tuple[str, ...]:
    return tuple(
        line for line in _cut(text, text_tuning.max_text_chars).split("\n") if line
    )


def _finish(
    entry: Entry, draft: _Draft, seen: dt.datetime, tuning: Tuning
) -> CleanedEntry:
    article, text_tuning = draft.article, tuning.section("text", ExtractTuning)
    outlet = entry.outlet or (
        entry.resolved_outlet.name if entry.resolved_outlet else None
    )
    title = _cut(
        named_title(article.title, outlet, entry.url), text_tuning.max_title_chars
    )
    paragraphs = _paragraphs(article.text, text_tuning)
    text = "\n".join(paragraphs)
    author = one_space(clean(entry.author)) if entry.author else article.author
    published = _declared(entry, seen) or article.published
    forbids = permissions(entry.robots)
    no_images = draft.facts.forbids.noimage or forbids.noimage
    is_live = _is_live(draft, paragraphs, text_tuning)
    is_container = is_live or live_text.is_container_title(article.title)
    declared = entry.language or draft.facts.language
    language = entry.source_language or find_language(
        title, text, declared, text_tuning
    )
    reading = read(title, text, language)
    found = find_kind(
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
        kind=found.kind,
        kind_evidence=found.evidence,
        categories=tuple(dict.fromkeys((*draft.facts.sections, *entry.categories)))[
            :_CATEGORIES
        ],
        noarchive=article.noarchive or forbids.noarchive,
        nosnippet=article.nosnippet or forbids.nosnippet,
        tdm_reserved=article.tdm_reserved or forbids.tdm_reserved,
        media=media_of(entry.enclosures, pictures, base, no_images=no_images),
        truncated=article.truncated or len(article.text) > text_tuning.max_text_chars,
    )
    lines = None
    # The lines of a live blog are its content.
    if paragraphs and article.verdict in ACCEPTED_VERDICTS and not is_container:
        lines = hash_lines(paragraphs, tuning.section("boilerplate", BoilerplateTuning))
    return CleanedEntry(finished, reading, lines, html)


def _declared(entry: Entry, seen: dt.datetime) -> Published | None:
    declared = entry.published
    return (
        declared
        if declared is not None and dates.plausible(declared.time, seen)
        else None
    )


def _title(plain: str) -> str:
    """Return a title in one line. What declares it has taken its markup away: a "<" that is left is text."""
    return " ".join(clean(plain).split())


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
