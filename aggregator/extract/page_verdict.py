"""Verdict: decides whether an extracted text is an article, with a reason for the user.

Only kinds of pages that are not articles are refused: bot walls, consent dialogues, paywalls, lists, error
pages, forms. A headline without text is a stub, which is grouped by its headline. A notice is distinguished
from a report about such notices by the beginning of a sentence, by the whole line or headline, and by the
share of such sentences in the text (notices.yaml).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from aggregator.config.messages import counted
from aggregator.extract.html.page_signals import PageSignals
from aggregator.extract.limits import ExtractTuning
from aggregator.model.core import Verdict
from aggregator.text.lines import count_words, same_line

_SENTENCE_CHARS = 600  # of a sentence that are searched: limits the time of the patterns
_HEADLINES_WORDS = 100  # at most, in repeated headlines: they do not count as text of the page
_ENDS = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？])")  # a split at an abbreviation does no harm here
_LEADING = re.compile(r"^[\s•·–—>»→*!¡-]+")


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reason, which is None for "ok"."""

    verdict: Verdict
    reason: str | None = None


class PageContext(msgspec.Struct, frozen=True, kw_only=True):
    """A web page around its text, by which walls and lists are recognised."""

    title: str
    headings: tuple[str, ...] = ()  # other names of the page: <title>, visible headings
    found: str = ""  # the text including notices
    words: int = 0  # of `found`, including links
    link_share: float = 0.0  # share of these words in lines that are links, 0 to 1
    signals: PageSignals | None = None  # None: not read, because the text is long enough
    kinds: tuple[str, ...] = ()  # declared kinds of page (og:type, JSON-LD), lower case
    is_free: bool | None = None  # isAccessibleForFree of JSON-LD


def is_article_page(kinds: Iterable[str]) -> bool:
    """Return whether a page declares an article, by og:type or JSON-LD."""
    return any(kind.endswith(("article", "posting", "report")) for kind in kinds)


def judge(title: str, text: str, tuning: ExtractTuning, page: PageContext | None = None) -> Judgement:
    """Return the verdict on clean `title` and `text`; `page` if they come from a web page."""
    if page is not None:
        refused = _refused(text, count_words(text), page, tuning)
        if refused is not None:
            return refused
    if not title and not any(c.isalnum() for c in text):
        return Judgement("empty", "neither headline nor text")
    words = count_words(text)
    if words >= tuning.stub_words:
        return Judgement("ok")
    if title:
        return Judgement("stub", "a headline with hardly any text" if words else "a headline without text")
    return Judgement("too_short", f"{counted(words, 'word')} and no headline")


def judge_remains(title: str, text: str, tuning: ExtractTuning) -> Judgement:
    """Return the verdict on a text from which learned boilerplate was removed."""
    if count_words(text) >= tuning.stub_words:
        return Judgement("ok")
    if title:
        return Judgement("stub", "its text consists of lines that its outlet repeats")
    return Judgement("consent", "its text consists of lines that its outlet repeats, and it has no headline")


# --- pages -------------------------------------------------------------------------------------------------


class _PageText(msgspec.Struct, frozen=True):
    """The text of a page: its names, and its sentences with their numbers of words."""

    names: tuple[str, ...]
    sentences: tuple[tuple[str, int], ...]
    words: int

    def share(self, hits: Callable[[str], bool]) -> float:
        """Return the share, 0 to 1, of the words in sentences that match `hits`."""
        return sum(words for sentence, words in self.sentences if hits(sentence)) / (self.words or 1)

    def count(self, hits: Callable[[str], bool]) -> int:
        return sum(hits(sentence) for sentence, _ in self.sentences)

    def is_named(self, pattern: re.Pattern[str]) -> bool:
        """Return whether one of the page's names as a whole matches `pattern`."""
        return any(pattern.fullmatch(name) for name in self.names)


def _refused(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    # A longer text is not a notice.
    if words <= tuning.consent_max_words + _HEADLINES_WORDS:
        notice = _find_notice(text, words, page, tuning)
        if notice is not None:
            return notice
    if page.signals is not None and page.signals.is_product and words < tuning.paywall_max_words:
        return Judgement("not_article", "the page sells something")
    return _list(text, words, page, tuning)


def _find_notice(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    shown = _read_page_text(page, text if words >= tuning.stub_words else "", tuning)
    is_whole = words < tuning.stub_words or page.found in ("", text)
    full = shown if is_whole else _read_page_text(page, page.found, tuning)
    for page_text in (shown,) if full is shown else (shown, full):
        notice = _notice(page_text, page, tuning)
        if notice is not None:
            return notice
    return None


def _notice(page_text: _PageText, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    """Return the verdict if this text is a notice in place of an article."""
    notices = _notices()
    if page_text.words > tuning.consent_max_words:
        return None
    if page_text.words <= tuning.notice_max_words:
        if page_text.is_named(notices.block_is) or page_text.share(notices.blocks) >= tuning.notice_share:
            return Judgement("block", "the site answered with a bot wall")
        if page_text.is_named(notices.missing_is) or page_text.share(notices.misses) >= tuning.notice_share:
            return Judgement("not_article", "the page is an error page")
        if _asks_login(page_text, page, tuning):
            return Judgement("not_article", "the page requires a login")
    share = page_text.share(notices.consents)
    if share >= tuning.notice_share or (
        page_text.is_named(notices.consent_is) and share >= tuning.notice_share / 2
    ):
        return Judgement("consent", "the site answered with its cookie dialogue")
    return _paywall(page_text, page, tuning)


def _asks_login(page_text: _PageText, page: PageContext, tuning: ExtractTuning) -> bool:
    if page.signals is None or not page.signals.asks_password:
        return False
    notices = _notices()
    return page_text.is_named(notices.login_is) or (
        page_text.words <= tuning.notice_max_words and page_text.share(notices.logins) >= tuning.notice_share
    )


def _paywall(page_text: _PageText, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    notices = _notices()
    if page_text.words > tuning.paywall_max_words:
        return None
    locked = next((n for n, (one, _) in enumerate(page_text.sentences) if notices.locks(one)), None)
    if locked is not None and _says_little_after(page_text, locked, tuning):
        return Judgement("paywall", "the text is for subscribers")
    if page_text.words <= tuning.notice_max_words and page_text.count(notices.offers) >= 2:
        return Judgement("paywall", "the text is for subscribers: the page offers a subscription instead")
    if page.is_free is False and page_text.words <= tuning.nearly_empty_words:
        return Judgement("paywall", "the page declares that its text is not free, and shows little of it")
    return None


def _says_little_after(page_text: _PageText, place: int, tuning: ExtractTuning) -> bool:
    """Return whether little text follows: a notice ends the free text, an article goes on after an offer."""
    notices = _notices()
    following = page_text.sentences[place + 1 :]
    after = (words for one, words in following if not notices.locks(one) and not notices.offers(one))
    return sum(after) < tuning.nearly_empty_words


def _list(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    signals = page.signals
    names, notices = _names(page), _notices()
    is_named_list = any(notices.list_is.fullmatch(name) for name in names)
    has_headline = not is_named_list and any(
        count_words(name) >= tuning.link_headline_words for name in names
    )
    is_about = has_headline and (words < tuning.stub_words or is_article_page(page.kinds))
    if page.link_share >= tuning.list_link_share and not is_about:
        return Judgement("list", "most of it is links to other articles")
    if signals is None or is_about:
        return None
    if signals.cards >= tuning.list_cards and (
        words < tuning.stub_words or signals.carded_share(text) >= tuning.list_card_share
    ):
        return Judgement("list", "it is a list of other articles with a few words about each")
    says_so = is_named_list or _read_page_text(page, text, tuning).count(notices.counts)
    if says_so and signals.cards >= tuning.list_cards:
        return Judgement("list", "it is a list of other articles, as its title says")
    return None


def _names(page: PageContext) -> tuple[str, ...]:
    return tuple(name.strip() for name in (page.title, *page.headings) if name.strip())


def _read_page_text(page: PageContext, text: str, tuning: ExtractTuning) -> _PageText:
    """Split `text` into sentences; if it is "", split the visible lines."""
    names = _names(page)
    lines: Sequence[str]
    if text:
        lines = [line for line in text.split("\n") if not any(same_line(line, name) for name in names)]
    else:
        shown = page.signals.unlinked_lines if page.signals is not None else ()
        lines = _within(shown, tuning.notice_search_chars)
    pieces = (piece.strip() for line in lines for piece in _ENDS.split(line))
    sentences = tuple((piece, count_words(piece)) for piece in pieces if piece)
    return _PageText(names, sentences, sum(words for _, words in sentences))


def _within(lines: Sequence[str], chars: int) -> list[str]:
    first_lines, length = [], 0
    for line in lines:
        length += len(line)
        if length > chars:
            break
        first_lines.append(line)
    return first_lines


# --- phrases of notices ------------------------------------------------------------------------------------


class _Notices:
    """The compiled patterns of notices.yaml."""

    def __init__(self) -> None:
        notices = msgspec.yaml.decode(files("aggregator.extract").joinpath("notices.yaml").read_bytes())

        def one(kind: str, where: str) -> re.Pattern[str]:
            return re.compile("|".join(f"(?:{words})" for words in notices[kind][where]), re.IGNORECASE)

        self.consent_is, self._consent_says = (
            one("consent", "whole_line"),
            _by_word(notices["consent"]["contains"]),
        )
        self.block_is, self._block_opens = one("block", "whole_line"), one("block", "starts_with")
        self.missing_is, self._missing_opens = one("missing", "whole_line"), one("missing", "starts_with")
        self.login_is, self._login_opens = one("login", "whole_line"), one("login", "starts_with")
        self._paywall_opens, self._paywall_offers = one("paywall", "starts_with"), one("paywall", "offers")
        self.list_is, self._list_says = one("list", "whole_line"), one("list", "contains")

    def consents(self, sentence: str) -> bool:
        """Return whether a sentence belongs to a consent dialogue."""
        sentence = _bare(sentence)
        small = sentence.lower()
        forms = (form for word, forms in self._consent_says.items() if word in small for form in forms)
        return any(form.search(sentence) for form in forms) or self.consent_is.fullmatch(sentence) is not None

    def blocks(self, sentence: str) -> bool:
        """Return whether a sentence belongs to a bot wall."""
        return self._block_opens.match(_bare(sentence)) is not None

    def misses(self, sentence: str) -> bool:
        """Return whether a sentence belongs to an error page."""
        return self._missing_opens.match(_bare(sentence)) is not None

    def logins(self, sentence: str) -> bool:
        """Return whether a line belongs to a login form."""
        sentence = _bare(sentence)
        return bool(self._login_opens.match(sentence) or self.login_is.fullmatch(sentence))

    def locks(self, sentence: str) -> bool:
        """Return whether a sentence states that the text is for subscribers."""
        return self._paywall_opens.match(_bare(sentence)) is not None

    def offers(self, sentence: str) -> bool:
        """Return whether a line offers a subscription or asks subscribers to log in."""
        return self._paywall_offers.match(_bare(sentence)) is not None

    def counts(self, sentence: str) -> bool:
        """Return whether a line counts search results."""
        return self._list_says.search(_bare(sentence)) is not None


def _by_word(entries: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[re.Pattern[str], ...]]:
    """Return the patterns of `says` by each of the words that must be in a sentence before it is searched."""
    patterns: dict[str, list[re.Pattern[str]]] = {}
    for entry in entries:
        pattern = re.compile(entry["contains"], re.IGNORECASE)
        for word in entry["keywords"].split("|"):
            patterns.setdefault(word, []).append(pattern)
    return {word: tuple(forms) for word, forms in patterns.items()}


def _bare(sentence: str) -> str:
    return _LEADING.sub("", sentence[:_SENTENCE_CHARS]).rstrip(" .!…")


@cache
def _notices() -> _Notices:
    return _Notices()
