"""Drafts of an article: its text and what its source states, from a page, a saved text or the entry's own text.

The text is taken from the first of these that exists: the fetched page, a page inside the entry, a saved text,
the entry's own text, its HTML fragment, its title alone.
"""

from datetime import datetime

from msgspec.structs import replace

from aggregator.extract.entry_form import own_text
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.dom import Fragment
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.page import read_page
from aggregator.extract.html.page_signals import read_page_signals
from aggregator.extract.language.declared_dates import plausible
from aggregator.extract.language.unicode import clean, decode, looks_binary
from aggregator.extract.page_verdict import judge
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import read_titled_text
from aggregator.extract.shown_text import NOTICE
from aggregator.model.entry import Entry, Published
from aggregator.model.prepared import ACCEPTED_VERDICTS, CleanArticle, Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import has_words, one_line


class Draft(FrozenStruct):
    """An article before the steps common to all sources; `lines` include boilerplate, for the wire."""

    article: CleanArticle
    lines: tuple[str, ...] = ()
    # The declarations of the page
    facts: PageFacts = PageFacts()
    # The base of relative URLs of the page's image
    image_base: str | None = None
    # The HTML that the text was taken from, or its tree
    markup: str | Fragment = ""


def draft_from_page(
    entry: Entry,
    page: bytes,
    *,
    charset: str | None,
    url: str | None,
    seen: datetime,
    text_tuning: ExtractTuning,
) -> Draft:
    """Return the draft of the bytes of a page; its headers name the charset `charset`."""
    if not page.strip():
        return _refuse("empty", "the page is empty")
    html = "" if looks_binary(page) else decode(page, charset)
    if not html.strip():
        return _refuse("binary", "the page is not text")
    return _draft_from_html(entry, html, url, seen, text_tuning)


def _refuse(verdict: Verdict, reason: str) -> Draft:
    return Draft(article=CleanArticle(verdict=verdict, reason=reason))


def _draft_from_html(
    entry: Entry,
    html: str,
    url: str | None,
    seen: datetime,
    text_tuning: ExtractTuning,
) -> Draft:
    page = read_page(html, tuning=text_tuning, url=url, zone=entry.zone, seen=seen)
    if page is None:
        return _refuse("empty", "the page has no markup")
    facts = page.facts
    title = title_line(entry.title) or facts.title
    body = read_titled_text(
        page.text,
        title,
        headings=facts.headings,
        is_dated=bool(facts.published or declared_time(entry, seen)),
        zone=entry.zone,
        seen=seen,
    )
    text = "\n".join(body.paragraphs)
    if not has_words(text, text_tuning.paywall_max_words):
        page = replace(page, signals=read_page_signals(html, text_tuning))
    judgement = judge(title, text, text_tuning, page)
    return Draft(
        article=CleanArticle(
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
            truncated=page.truncated,
        ),
        lines=body.lines,
        facts=facts,
        image_base=url,
        markup=page.markup,
    )


def draft_from_entry(entry: Entry, seen: datetime, text_tuning: ExtractTuning) -> Draft:
    """Return the draft of an entry without its page."""
    html = entry.html or ""
    if entry.is_page and entry.html is not None:
        return _draft_from_html(entry, html, entry.url, seen, text_tuning)
    title = title_line(entry.title)
    zone = entry.zone
    own = entry.text or ""
    markup: str | Fragment = html
    is_saved = entry.is_saved_text and entry.text is not None
    if is_saved or own.strip():
        own = clean(own)
    else:
        of_html = own_text(html, title, entry.url)
        own, markup = of_html.text, of_html.fragment
    own = own[: text_tuning.max_text_chars * 2]
    if title and not is_saved:
        is_dated = declared_time(entry, seen) is not None
        saved = read_titled_text(own, title, is_dated=is_dated, zone=zone, seen=seen)
    else:
        # The headline may be inside the text, as in a saved text.
        saved = read_saved_text(
            own, text_tuning, outlet=entry.outlet, zone=zone, seen=seen
        )
        title = title or title_line(saved.title)
    text = "\n".join(saved.paragraphs)
    judgement = judge(title, text, text_tuning)
    return Draft(
        article=CleanArticle(
            verdict=judgement.verdict,
            reason=judgement.reason,
            title=title,
            text=text,
            author=saved.author,
            outlet=saved.outlet,
            published=saved.published,
        ),
        lines=saved.lines,
        markup=markup if text else "",
    )


def with_own_text(
    entry: Entry, of_page: Draft, seen: datetime, text_tuning: ExtractTuning
) -> Draft:
    """Return a draft with the entry's own text, if the page has hardly any text and the entry has more."""
    draft = draft_from_entry(entry, seen, text_tuning)
    page = of_page.article
    if draft.article.verdict not in ACCEPTED_VERDICTS or (
        page.verdict in ACCEPTED_VERDICTS and len(draft.article.text) <= len(page.text)
    ):
        return of_page
    reason = draft.article.reason
    if page.reason:
        reason = f"its page: {page.reason}; the entry's own text is used"
    # The page was not used. If placing recognised a notice later, the page counts as a question for consent.
    page_verdict: Verdict | None = None
    if page.verdict != "ok":
        page_verdict = "consent" if page.reason == NOTICE else page.verdict
    return replace(
        draft,
        article=replace(
            draft.article,
            reason=reason,
            page_verdict=page_verdict,
            author=draft.article.author or page.author,
            published=draft.article.published or page.published,
            site_name=page.site_name,
        ),
        facts=PageFacts(image=of_page.facts.image, robots=of_page.facts.robots),
        image_base=of_page.image_base,
    )


def declared_time(entry: Entry, seen: datetime) -> Published | None:
    declared = entry.published
    return declared if declared is not None and plausible(declared.time, seen) else None


def title_line(plain: str) -> str:
    """Return a title in one line. Its source has already taken markup away, so a "<" in it is text."""
    return one_line(clean(plain))
