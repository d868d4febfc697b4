"""Makes drafts of articles: the text and the statements of a source, before the steps common to all sources.

An entry is an item as its source delivers it. The text of its article is taken from the first of these that
exists; `draft_from_page` reads the first, and `draft_from_entry` the others:

1. the fetched page
2. a whole page inside the entry
3. a text that a person saved from a page
4. the entry's own text
5. its fragment of HTML
6. its title alone
"""

from datetime import datetime

from msgspec.structs import replace

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.dom import Fragment
from aggregator.extract.html.metadata import PageFacts
from aggregator.extract.html.page import read_page
from aggregator.extract.html.page_signals import read_page_signals
from aggregator.extract.kind import is_withdrawal
from aggregator.extract.language.charsets import decode, looks_binary
from aggregator.extract.language.declared_dates import plausible
from aggregator.extract.language.unicode import clean
from aggregator.extract.link_posts import own_text
from aggregator.extract.page_verdict import judge
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import read_titled_text
from aggregator.extract.shown_text import NOTICE
from aggregator.model.entry import Entry, Published
from aggregator.model.prepared import ACCEPTED_VERDICTS, CleanArticle, Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import has_words, one_line


class Draft(FrozenStruct):
    """An article whose text is not cut to the limits yet, and the data with which clean_article.py completes it."""

    article: CleanArticle
    # The lines of the text with its boilerplate, which may name the news agency
    lines: tuple[str, ...] = ()
    # The metadata that the page declares
    facts: PageFacts = PageFacts()
    # The address of the page, with which relative addresses are resolved; None without a page
    image_base: str | None = None
    # The HTML of the page or of the entry, or its tree
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
    """Return the draft of a fetched page; `charset` is that of its HTTP headers."""
    if not page.strip():
        return _refused_draft("empty", "the page is empty")
    html = "" if looks_binary(page) else decode(page, charset)
    if not html.strip():
        return _refused_draft("binary", "the page is not text")
    return _draft_from_html(entry, html, url, seen, text_tuning)


def _refused_draft(verdict: Verdict, reason: str) -> Draft:
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
        return _refused_draft("empty", "the page has no markup")
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
    # The signals of the page decide only about short texts.
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
    """Return the draft of an entry without its fetched page; `seen` is the time when the entry was accepted."""
    html = entry.html or ""
    if entry.is_page and entry.html is not None:
        return _draft_from_html(entry, html, entry.url, seen, text_tuning)
    title = title_line(entry.title)
    zone = entry.zone
    text = entry.text or ""
    markup: str | Fragment = html
    is_saved = entry.is_saved_text and entry.text is not None
    if is_saved or text.strip():
        text = clean(text)
    else:
        of_html = own_text(html, title, entry.url)
        text, markup = of_html.text, of_html.fragment
    # This bounds the time of reading. Twice the limit is read, because half of the text may be boilerplate.
    text = text[: text_tuning.max_text_chars * 2]
    if title and not is_saved:
        is_dated = declared_time(entry, seen) is not None
        body = read_titled_text(text, title, is_dated=is_dated, zone=zone, seen=seen)
    else:
        # The headline may be inside the text, as in a saved text.
        body = read_saved_text(
            text, text_tuning, outlet=entry.outlet, zone=zone, seen=seen
        )
        title = title or title_line(body.title)
    text = "\n".join(body.paragraphs)
    judgement = judge(title, text, text_tuning)
    return Draft(
        article=CleanArticle(
            verdict=judgement.verdict,
            reason=judgement.reason,
            title=title,
            text=text,
            author=body.author,
            outlet=body.outlet,
            published=body.published,
        ),
        lines=body.lines,
        markup=markup if text else "",
    )


def with_own_text(
    entry: Entry, page_draft: Draft, seen: datetime, text_tuning: ExtractTuning
) -> Draft:
    """Return a draft with the entry's own text, or `page_draft` if that text is not better than the page's.

    The entry's text is better if the page is not an article, or has a shorter text, or if it takes the article back.
    """
    own_draft = draft_from_entry(entry, seen, text_tuning)
    own = own_draft.article
    page = page_draft.article
    if own.verdict not in ACCEPTED_VERDICTS:
        return page_draft
    if (
        page.verdict in ACCEPTED_VERDICTS
        and len(own.text) <= len(page.text)
        and not is_withdrawal(own.text)
    ):
        return page_draft
    reason = own.reason
    if page.reason:
        reason = f"its page: {page.reason}; the entry's own text is used"
    # This draft may be made for the case that placing finds that the page shows the same notice under many headlines.
    # The page then counts like a consent dialogue.
    page_verdict: Verdict | None = None
    if page.verdict != "ok":
        page_verdict = "consent" if page.reason == NOTICE else page.verdict
    return replace(
        own_draft,
        article=replace(
            own,
            reason=reason,
            page_verdict=page_verdict,
            author=own.author or page.author,
            published=own.published or page.published,
            site_name=page.site_name,
        ),
        facts=PageFacts(image=page_draft.facts.image, robots=page_draft.facts.robots),
        image_base=page_draft.image_base,
    )


def declared_time(entry: Entry, seen: datetime) -> Published | None:
    """Return the time of publication that an entry states; None if it is too old, or over a day after `seen`."""
    declared = entry.published
    return declared if declared is not None and plausible(declared.time, seen) else None


def title_line(plain: str) -> str:
    """Return a title in one line. Its markup was removed when the source was read, so a "<" in it is text."""
    return one_line(clean(plain))
