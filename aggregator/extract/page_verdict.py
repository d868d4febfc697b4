"""Is this an article? The verdict on what was found, with the reason in the user's words.

Only what is no article by its own kind is refused: walls, lists, error pages, forms. A headline without text
is a stub, which is grouped by its headline. A notice is told from a report about such notices by how a
sentence begins, by the whole line or headline, and by how much of the text says the like (notices.yaml).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec
import yaml

from aggregator.config.messages import counted
from aggregator.extract.html.page_signals import PageSignals
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.lines import count_words, same_line
from aggregator.model.core import Verdict

_SENTENCE_CHARS = 600  # of a sentence that are looked at: bounds the patterns
_HEADLINES_WORDS = 100  # in a text, at most: they are not counted as what a page says
_ENDS = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？])")  # an abbreviation torn apart does no harm here
_LEADING = re.compile(r"^[\s•·–—>»→*!¡-]+")


class Judgement(msgspec.Struct, frozen=True):
    """A verdict with its reason; the reason is None for "ok"."""

    verdict: Verdict
    reason: str | None = None


class PageContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a web page shows around its text; walls and lists are told by it."""

    title: str
    headings: tuple[str, ...] = ()  # other names of the page: what its tab says, its visible headings
    opening: str = ""  # the first words that a visitor sees
    found: str = ""  # the text with the notices in it
    words: int = 0  # of it, links included
    link_share: float = 0.0  # of them in lines that are links, 0 to 1
    signals: PageSignals | None = None  # None: the text is long enough, nobody asked
    kinds: tuple[str, ...] = ()  # what the page calls itself (og:type, JSON-LD), lower case
    is_free: bool | None = None  # what it says of its price


def needs_page_signals(words: int, page: PageContext, tuning: ExtractTuning) -> bool:
    """Whether a page of so many words of text must be looked at more closely to be judged."""
    return words < tuning.enough_words or (words < tuning.list_words and not is_article_page(page.kinds))


def is_article_page(kinds: Iterable[str]) -> bool:
    """Whether a page calls itself an article, by og:type or JSON-LD."""
    return any(kind.endswith(("article", "posting", "report")) for kind in kinds)


def judge(title: str, text: str, tuning: ExtractTuning, page: PageContext | None = None) -> Judgement:
    """The verdict on clean `title` and `text`; `page` when they come from a web page, which may be a wall."""
    words = count_words(text)
    if page is not None:
        refused = _refused(text, words, page, tuning)
        if refused is not None:
            return refused
    if not title and not any(c.isalnum() for c in text):
        return Judgement("empty", "neither a headline nor a text")
    if words >= tuning.stub_words:
        return Judgement("ok")
    if title:
        return Judgement("stub", "a headline with hardly any text" if words else "a headline without text")
    return Judgement("too_short", f"{counted(words, 'word')} and no headline")


def judge_remains(title: str, text: str, tuning: ExtractTuning) -> Judgement:
    """The verdict on what is left of a text after lines were taken out that its outlet repeats."""
    if count_words(text) >= tuning.stub_words:
        return Judgement("ok")
    if title:
        return Judgement("stub", "its text is nothing but lines that its outlet repeats")
    return Judgement(
        "consent", "its text is nothing but lines that its outlet repeats, and it has no headline"
    )


# --- pages -------------------------------------------------------------------------------------------------


class _PageText(msgspec.Struct, frozen=True):
    """What a page says: its names, its lines, and its sentences with the words of each."""

    names: tuple[str, ...]
    lines: tuple[str, ...]
    sentences: tuple[tuple[str, int], ...]
    words: int

    def share(self, hits: Callable[[str], bool]) -> float:
        """The share of the words in sentences that `hits` finds, 0 to 1."""
        return sum(words for sentence, words in self.sentences if hits(sentence)) / (self.words or 1)

    def count(self, hits: Callable[[str], bool]) -> int:
        return sum(hits(sentence) for sentence, _ in self.sentences)

    def is_named(self, pattern: re.Pattern[str]) -> bool:
        """Whether one of the page's names is, as a whole, what `pattern` says."""
        return any(pattern.fullmatch(name) for name in self.names)


def _refused(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    if (
        words <= tuning.consent_words + _HEADLINES_WORDS
    ):  # else too long for any notice: saves splitting it up
        notice = _in_its_place(text, words, page, tuning)
        if notice is not None:
            return notice
    if page.signals is not None and page.signals.is_product and words < tuning.wall_words:
        return Judgement("not_article", "the page sells something")
    return _list(text, words, page, tuning)


def _in_its_place(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    shown = _read_page_text(page, text if words >= tuning.stub_words else "", tuning)
    is_whole = words < tuning.stub_words or page.found in ("", text)
    full = shown if is_whole else _read_page_text(page, page.found, tuning)
    for said in (shown,) if full is shown else (shown, full):
        notice = _notice(said, page, tuning)
        if notice is not None:
            return notice
    return None


def _notice(said: _PageText, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    """What stands in the article's place, where a notice does."""
    notices = _notices()
    if said.words > tuning.consent_words:
        return None
    if said.words <= tuning.short_wall_words:
        if said.is_named(notices.block_is) or said.share(notices.blocks) >= tuning.notice_share:
            return Judgement("block", "the site answered with a page against robots")
        if said.is_named(notices.missing_is) or said.share(notices.misses) >= tuning.notice_share:
            return Judgement("not_article", "the page says that it was not found or failed")
        if _asks_login(said, page, tuning):
            return Judgement("not_article", "the page asks to log in")
    share = said.share(notices.consents)
    if share >= tuning.consent_share or (
        said.is_named(notices.consent_is) and share >= tuning.consent_share / 2
    ):
        return Judgement("consent", "the site answered with its cookie dialogue")
    return _paywall(said, page, tuning)


def _asks_login(said: _PageText, page: PageContext, tuning: ExtractTuning) -> bool:
    if page.signals is None or not page.signals.asks_password:
        return False
    notices = _notices()
    return said.is_named(notices.login_is) or (
        said.words < tuning.block_words and said.share(notices.logins) >= tuning.notice_share
    )


def _paywall(said: _PageText, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    notices = _notices()
    if said.words > tuning.wall_words:
        return None
    locked = next((n for n, (one, _) in enumerate(said.sentences) if notices.locks(one)), None)
    if locked is not None and _says_little_after(said, locked, tuning):
        return Judgement("paywall", "the text is for subscribers")
    if said.words <= tuning.short_wall_words and said.count(notices.offers) >= 2:
        return Judgement("paywall", "the text is for subscribers: the page offers a subscription instead")
    if page.is_free is False and said.words <= tuning.hardly_any_words:
        return Judgement("paywall", "the page says that its text is not free, and shows little of it")
    return None


def _says_little_after(said: _PageText, place: int, tuning: ExtractTuning) -> bool:
    """A notice closes what may be read; an article goes on after a call to subscribe."""
    notices = _notices()
    rest = said.sentences[place + 1 :]
    after = (words for one, words in rest if not notices.locks(one) and not notices.offers(one))
    return sum(after) < tuning.hardly_any_words


def _list(text: str, words: int, page: PageContext, tuning: ExtractTuning) -> Judgement | None:
    signals = page.signals
    names, notices = _names(page), _notices()
    is_named_list = any(notices.list_is.fullmatch(name) for name in names)
    has_headline = not is_named_list and any(count_words(name) > tuning.list_name_words for name in names)
    is_about = has_headline and (words < tuning.stub_words or is_article_page(page.kinds))
    linked = page.link_share >= tuning.list_link_share and page.words >= tuning.list_link_words
    if linked and not is_about:
        return Judgement("list", "most of it is links to other articles")
    if signals is None or is_about:
        return None
    if signals.cards >= tuning.list_cards and (
        words < tuning.stub_words or signals.carded_share(text) >= tuning.list_card_share
    ):
        return Judgement("list", "it is a list of other articles, with a few words about each")
    says_so = is_named_list or _read_page_text(page, text, tuning).count(notices.counts)
    if says_so and signals.cards >= tuning.list_cards_named:
        return Judgement("list", "it is a list of other articles, as its title says")
    return None


def _names(page: PageContext) -> tuple[str, ...]:
    return tuple(name.strip() for name in (page.title, *page.headings) if name.strip())


def _read_page_text(page: PageContext, text: str, tuning: ExtractTuning) -> _PageText:
    """What is said in `text`; where that is "", what a visitor sees."""
    names = _names(page)
    lines: Sequence[str]
    if text:
        lines = [line for line in text.split("\n") if not any(same_line(line, name) for name in names)]
    elif page.signals is not None:
        lines = _within(page.signals.said, tuning.opening_chars)
    else:
        lines = [page.opening]
    pieces = (piece.strip() for line in lines for piece in _ENDS.split(line))
    sentences = tuple((piece, count_words(piece)) for piece in pieces if piece)
    return _PageText(names, tuple(lines), sentences, sum(words for _, words in sentences))


def _within(lines: Sequence[str], chars: int) -> list[str]:
    kept, length = [], 0
    for line in lines:
        length += len(line)
        if length > chars:
            break
        kept.append(line)
    return kept


# --- the words of notices ----------------------------------------------------------------------------------


class _Notices:
    """notices.yaml, ready to be asked."""

    def __init__(self) -> None:
        notices = yaml.safe_load(
            files("aggregator.extract").joinpath("notices.yaml").read_text(encoding="utf-8")
        )

        def one(kind: str, where: str) -> re.Pattern[str]:
            return re.compile("|".join(f"(?:{words})" for words in notices[kind][where]), re.IGNORECASE)

        self.consent_is, self._consent_says = one("consent", "is"), _by_word(notices["consent"]["says"])
        self.block_is, self._block_opens = one("block", "is"), one("block", "opens")
        self.missing_is, self._missing_opens = one("missing", "is"), one("missing", "opens")
        self.login_is, self._login_opens = one("login", "is"), one("login", "opens")
        self._paywall_opens, self._paywall_offers = one("paywall", "opens"), one("paywall", "offers")
        self.list_is, self._list_says = one("list", "is"), one("list", "says")

    def consents(self, sentence: str) -> bool:
        """Whether a sentence is one of a consent dialogue."""
        sentence = _bare(sentence)
        small = sentence.lower()
        forms = (form for word, forms in self._consent_says.items() if word in small for form in forms)
        return any(form.search(sentence) for form in forms) or self.consent_is.fullmatch(sentence) is not None

    def blocks(self, sentence: str) -> bool:
        """Whether a sentence is one of a page against robots."""
        return self._block_opens.match(_bare(sentence)) is not None

    def misses(self, sentence: str) -> bool:
        """Whether a sentence is one of an error page."""
        return self._missing_opens.match(_bare(sentence)) is not None

    def logins(self, sentence: str) -> bool:
        """Whether a line belongs to a form for logging in."""
        sentence = _bare(sentence)
        return bool(self._login_opens.match(sentence) or self.login_is.fullmatch(sentence))

    def locks(self, sentence: str) -> bool:
        """Whether a sentence says that the text is for subscribers."""
        return self._paywall_opens.match(_bare(sentence)) is not None

    def offers(self, sentence: str) -> bool:
        """Whether a line offers a subscription, or asks subscribers to log in."""
        return self._paywall_offers.match(_bare(sentence)) is not None

    def counts(self, sentence: str) -> bool:
        """Whether a line counts what was found."""
        return self._list_says.search(_bare(sentence)) is not None


def _by_word(entries: Iterable[Mapping[str, str]]) -> Mapping[str, tuple[re.Pattern[str], ...]]:
    """The forms of `says`, by each word without which a sentence is not searched for them."""
    found: dict[str, list[re.Pattern[str]]] = {}
    for entry in entries:
        form = re.compile(entry["says"], re.IGNORECASE)
        for word in entry["holds"].split("|"):
            found.setdefault(word, []).append(form)
    return {word: tuple(forms) for word, forms in found.items()}


def _bare(sentence: str) -> str:
    return _LEADING.sub("", sentence[:_SENTENCE_CHARS]).rstrip(" .!…")


@cache
def _notices() -> _Notices:
    return _Notices()
