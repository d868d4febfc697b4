"""Drafts of an article: its text and what its source states, from a page, a saved text or the entry's own text.

The text is taken from the first of these that exists: the fetched page, a page inside the entry, a saved text,
the entry's own text, its HTML fragment, its title alone.
"""

import datetime as dt

from msgspec.structs import replace

from aggregator.extract.entry_form import own_text
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.page import read_page
from aggregator.extract.html.page_signals import read_page_signals
from aggregator.extract.language.declared_dates import plausible
from aggregator.extract.language.unicode import clean
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.page_verdict import judge
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import read_titled_text
from aggregator.extract.shown_text import NOTICE
from aggregator.model.entry import Entry, Published
from aggregator.model.prepared import ACCEPTED_VERDICTS, CleanArticle, Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import has_words


class Draft(FrozenStruct):
    """An article before the steps common to all sources; `lines` include boilerplate, for the wire."""

    article: CleanArticle
    lines: tuple[str, ...] = ()
    facts: PageFacts = PageFacts()  # that its page declares
    image_base: str | None = None  # of a relative URL of the page's image
    markup: str = ""  # that the text was taken from


def unreadable_draft(page: bytes) -> Draft:
    if page.strip():
        return Draft(
            article=CleanArticle(verdict="binary", reason="the page is not text")
        )
    return Draft(article=CleanArticle(verdict="empty", reason="the page is empty"))


def draft_from_html(
    entry: Entry,
    html: str,
    url: str | None,
    seen: dt.datetime,
    text_tuning: ExtractTuning,
) -> Draft:
    page = read_page(html, tuning=text_tuning, url=url, zone=entry.zone, seen=seen)
    if page is None:
        return Draft(
            article=CleanArticle(verdict="empty", reason="the page has no markup")
        )
    facts = page.facts
    title = title_line(entry.title) or facts.title
    body = read_titled_text(
        page.text,
        title,
        headings=facts.headings,
        is_dated=facts.published is not None or declared_time(entry, seen) is not None,
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
    return Draft(
        article=article,
        lines=body.lines,
        facts=facts,
        image_base=url,
        markup=page.markup,
    )


def draft_from_entry(
    entry: Entry, seen: dt.datetime, text_tuning: ExtractTuning
) -> Draft:
    if entry.html is not None and entry.is_page:
        return draft_from_html(entry, entry.html, entry.url, seen, text_tuning)
    is_saved = entry.text is not None and entry.is_saved_text
    has_text = is_saved or (entry.text is not None and bool(entry.text.strip()))
    title = title_line(entry.title)
    if has_text:
        text = clean(entry.text or "")
    else:
        text = own_text(entry.html or "", title, entry.url).text
    text = text[: text_tuning.max_text_chars * 2]
    if title and not is_saved:
        is_dated = declared_time(entry, seen) is not None
        saved = read_titled_text(
            text, title, is_dated=is_dated, zone=entry.zone, seen=seen
        )
    else:  # the headline may be inside the text, as in a saved text
        saved = read_saved_text(
            text, text_tuning, outlet=entry.outlet, zone=entry.zone, seen=seen
        )
    title = title or title_line(saved.title)
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
    return Draft(
        article=article,
        lines=saved.lines,
        markup=(entry.html or "") if has_markup else "",
    )


def with_own_text(
    entry: Entry, of_page: Draft, seen: dt.datetime, text_tuning: ExtractTuning
) -> Draft:
    """Return the entry's own text instead of a page with hardly any, if it has more."""
    draft, page = draft_from_entry(entry, seen, text_tuning), of_page.article
    if draft.article.verdict not in ACCEPTED_VERDICTS:
        return of_page
    if page.verdict in ACCEPTED_VERDICTS and len(draft.article.text) <= len(page.text):
        return of_page
    return replace(
        draft,
        article=_with_page_facts(draft.article, page),
        facts=PageFacts(image=of_page.facts.image, forbids=of_page.facts.forbids),
        image_base=of_page.image_base,
    )


def _with_page_facts(own: CleanArticle, page: CleanArticle) -> CleanArticle:
    """Return the entry's own article, completed with the metadata of a page without usable text."""
    reason = own.reason
    if page.reason:
        reason = f"its page: {page.reason}; the entry's own text is used"
    # That of a page that was not used; "consent" for a notice that only placing recognised
    page_verdict: Verdict | None = None
    if page.verdict != "ok":
        page_verdict = "consent" if page.reason == NOTICE else page.verdict
    return replace(
        own,
        reason=reason,
        page_verdict=page_verdict,
        author=own.author or page.author,
        published=own.published or page.published,
        site_name=page.site_name,
        noarchive=page.noarchive,
        nosnippet=page.nosnippet,
        tdm_reserved=page.tdm_reserved,
    )


def declared_time(entry: Entry, seen: dt.datetime) -> Published | None:
    declared = entry.published
    return declared if declared is not None and plausible(declared.time, seen) else None


def title_line(plain: str) -> str:
    """Return a title in one line. What declares it has taken its markup away: a "<" that is left is text."""
    return " ".join(clean(plain).split())
