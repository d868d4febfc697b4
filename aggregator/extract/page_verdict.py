"""Verdict: decides whether an extracted text is an article, with a reason for the user.

Only pages that are known not to be articles are refused: bot walls, consent dialogues, paywalls, lists, error
pages, login forms, and pages that sell a product. A headline without text is a stub, which is grouped by its
headline. A report about notices may quote them, so a notice is recognised by how a sentence begins, by a whole line
or headline, and by the share of these sentences in the text (notices.yaml).
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

import msgspec

from aggregator.config.messages import pluralise
from aggregator.config.shipped import ShippedTable
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.page import Page
from aggregator.model.prepared import Verdict
from aggregator.text.lines import count_words, has_words, letters_of, same_line

# Only the beginning of a sentence is searched, which limits the time of the patterns
_SENTENCE_CHARS = 600
# A wrong split at an abbreviation does no harm here
_ENDS = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？])")
_LEADING = re.compile(r"^[\s•·–—>»→*!¡-]+")


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reason, which is None for "ok"."""

    verdict: Verdict
    reason: str | None = None


def judge(
    title: str, text: str, tuning: ExtractTuning, page: Page | None = None
) -> Judgement:
    """Return the verdict on clean `title` and `text`; `page` is given if they come from a web page."""
    if page is not None:
        refused = _refuse(text, count_words(text), page, tuning)
        if refused is not None:
            return refused
    if not title and not any(map(str.isalnum, text)):
        return Judgement("empty", "neither headline nor text")
    if has_words(text, tuning.stub_words):
        return Judgement("ok")
    words = count_words(text)
    if title:
        return Judgement(
            "stub",
            "a headline with hardly any text" if words else "a headline without text",
        )
    return Judgement("too_short", f"{pluralise(words, 'word')} and no headline")


class _PageText(msgspec.Struct, frozen=True):
    """The text of a page: its headlines (`names`), and its sentences with the number of words of each."""

    names: tuple[str, ...]
    sentences: tuple[tuple[str, int], ...]
    words: int

    def share(self, *tests: Callable[[str], object]) -> float:
        """Return the share of the words, 0 to 1, that stand in sentences that pass one of these tests."""
        passed = (
            words
            for sentence, words in self.sentences
            if any(test(sentence) for test in tests)
        )
        return sum(passed) / (self.words or 1)

    def is_named(self, kind: str) -> bool:
        """Return whether a whole headline of the page is a notice of this kind."""
        return any(map(_form(kind, "whole_line").fullmatch, self.names))


def _refuse(
    text: str, words: int, page: Page, tuning: ExtractTuning
) -> Judgement | None:
    is_short = words < tuning.stub_words
    page_text = _read_page_text(page, "" if is_short else text, tuning)
    notice = _notice(page_text, page, tuning)
    # The notice may be in the lines that were removed from the text as boilerplate.
    if notice is None and not is_short and page.text not in ("", text):
        notice = _notice(_read_page_text(page, page.text, tuning), page, tuning)
    if notice is not None:
        return notice
    is_product = any(kind.startswith("product") for kind in page.facts.kinds)
    if is_product and words < tuning.paywall_max_words:
        return Judgement("not_article", "the page sells something")
    return _list(page_text, text, page, tuning, is_short=is_short)


_REFUSALS = {
    "block": Judgement("block", "the site answered with a bot wall"),
    "missing": Judgement("not_article", "the page is an error page"),
}


def _notice(
    page_text: _PageText, page: Page, tuning: ExtractTuning
) -> Judgement | None:
    """Return the verdict if this text is a notice in place of an article."""
    if page_text.words <= tuning.notice_max_words:
        for kind, refusal in _REFUSALS.items():
            share = page_text.share(_form(kind).match)
            if share >= tuning.notice_share or page_text.is_named(kind):
                return refusal
        if page.signals is not None and page.signals.asks_password:
            share = page_text.share(
                _form("login").match, _form("login", "whole_line").fullmatch
            )
            if share >= tuning.notice_share or page_text.is_named("login"):
                return Judgement("not_article", "the page requires a login")
    share = page_text.share(
        _consents(page_text), _form("consent", "whole_line").fullmatch
    )
    if share >= tuning.notice_share or (
        page_text.is_named("consent") and share >= tuning.notice_share / 2
    ):
        return Judgement("consent", "the site answered with its cookie dialogue")
    return _paywall(page_text, page, tuning)


def _paywall(
    page_text: _PageText, page: Page, tuning: ExtractTuning
) -> Judgement | None:
    if page_text.words > tuning.paywall_max_words:
        return None
    # Nothing follows the notice of a paywall, whereas an article goes on after the offer of a subscription.
    locks = _form("paywall").match
    offers = _form("paywall", "offers").match
    is_locked = False
    words_after = offer_count = 0
    for sentence, words in page_text.sentences:
        is_offer = offers(sentence) is not None
        offer_count += is_offer
        if locks(sentence):
            is_locked = True
        elif is_locked and not is_offer:
            words_after += words
    if is_locked and words_after < tuning.nearly_empty_words:
        return Judgement("paywall", "the text is for subscribers")
    if page_text.words <= tuning.notice_max_words and offer_count >= 2:
        return Judgement(
            "paywall",
            "the text is for subscribers: the page offers a subscription instead",
        )
    if page.facts.is_free is False and page_text.words <= tuning.nearly_empty_words:
        return Judgement(
            "paywall",
            "the page declares that its text is not free, and shows little of it",
        )
    return None


def _list(
    page_text: _PageText,
    text: str,
    page: Page,
    tuning: ExtractTuning,
    *,
    is_short: bool,
) -> Judgement | None:
    is_named_list = page_text.is_named("list")
    has_headline = any(
        count_words(name) >= tuning.headline_words for name in page_text.names
    )
    declares_article = any(
        kind.endswith(("article", "posting", "report")) for kind in page.facts.kinds
    )
    if has_headline and not is_named_list and (is_short or declares_article):
        return None
    if page.link_share >= tuning.most_share:
        return Judgement("list", "most of it is links to other articles")
    signals = page.signals
    if signals is None or signals.cards < tuning.list_cards:
        return None
    words_by_line = {line: count_words(line) for line in text.split("\n")}
    carded = sum(
        count
        for line, count in words_by_line.items()
        if letters_of(line) in signals.card_texts
    )
    if is_short or carded >= tuning.most_share * (sum(words_by_line.values()) or 1):
        return Judgement(
            "list", "it is a list of other articles with a few words about each"
        )
    # Search results and archives
    if is_named_list or page_text.share(_form("list", "contains").search):
        return Judgement("list", "it is a list of other articles, as its title says")
    return None


def _read_page_text(page: Page, text: str, tuning: ExtractTuning) -> _PageText:
    """Split `text` into sentences. If it is "", split the first visible lines of the page that are not links."""
    headlines = (page.facts.title, *page.facts.headings)
    names = tuple(filter(None, map(str.strip, headlines)))
    lines: Sequence[str]
    if text:
        lines = [
            line
            for line in text.split("\n")
            if not any(same_line(line, name) for name in names)
        ]
    else:
        visible = page.signals.lines if page.signals is not None else ()
        shown = [line.text for line in visible if not line.is_link]
        words = accumulate(map(count_words, shown))
        within = sum(1 for count in words if count <= tuning.paywall_max_words)
        lines = shown[:within]
    sentences = []
    for line in lines:
        for piece in filter(None, map(str.strip, _ENDS.split(line))):
            bare = _LEADING.sub("", piece[:_SENTENCE_CHARS]).rstrip(" .!…")
            sentences.append((bare, count_words(piece)))
    return _PageText(names, tuple(sentences), sum(words for _, words in sentences))


_NOTICES = ShippedTable("aggregator.extract", "notices.yaml", dict[str, dict[str, Any]])


@cache
def _form(kind: str, where: str = "starts_with") -> re.Pattern[str]:
    """Return the pattern of a kind of notice; `where` tells which part of a sentence or line it must match."""
    forms = (f"(?:{words})" for words in _NOTICES.content[kind][where])
    return re.compile("|".join(forms), re.IGNORECASE)


@cache
def _consent_forms() -> list[tuple[list[str], re.Pattern[str]]]:
    """Return the patterns of consent dialogues; each is only tried on a sentence with one of its words."""
    return [
        (consent["keywords"].split("|"), re.compile(consent["contains"], re.IGNORECASE))
        for consent in _NOTICES.content["consent"]["contains"]
    ]


def _consents(page_text: _PageText) -> Callable[[str], bool]:
    """Return a function that tells whether a sentence of this text has the words of a consent dialogue."""
    whole = "\n".join(sentence for sentence, _ in page_text.sentences).lower()
    possible = [
        (keywords, form)
        for keywords, form in _consent_forms()
        if any(word in whole for word in keywords)
    ]

    def consents(sentence: str) -> bool:
        small = sentence.lower()
        return any(
            any(word in small for word in keywords) and form.search(sentence)
            for keywords, form in possible
        )

    return consents
