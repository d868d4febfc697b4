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
from aggregator.extract.html.page_signals import Signs
from aggregator.extract.limits import TextRules
from aggregator.extract.lines import count_words, same_line
from aggregator.model.core import Verdict

_SENTENCE_CHARS = 600  # of a sentence that are looked at: bounds the patterns
_HEADLINES_WORDS = 100  # in a text, at most: they are not counted as what a page says
_ENDS = re.compile(r"(?<=[.!?…؟])\s+|(?<=[。！？])")  # an abbreviation torn apart does no harm here
_LEADING = re.compile(r"^[\s•·–—>»→*!¡-]+")


class Judged(msgspec.Struct, frozen=True):
    """A verdict with its reason; the reason is None for "ok"."""

    verdict: Verdict
    reason: str | None = None


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a web page shows around its text; walls and lists are told by it."""

    title: str
    headings: tuple[str, ...] = ()  # other names of the page: what its tab says, its visible headings
    opening: str = ""  # the first words that a visitor sees
    found: str = ""  # the text with the notices in it
    words: int = 0  # of it, links included
    link_share: float = 0.0  # of them in lines that are links, 0 to 1
    signs: Signs | None = None  # None: the text is long enough, nobody asked
    kinds: tuple[str, ...] = ()  # what the page calls itself (og:type, JSON-LD), lower case
    is_free: bool | None = None  # what it says of its price


def needs_signs(words: int, page: Surroundings, rules: TextRules) -> bool:
    """Whether a page of so many words of text must be looked at more closely to be judged."""
    return words < rules.enough_words or (words < rules.list_words and not is_article_page(page.kinds))


def is_article_page(kinds: Iterable[str]) -> bool:
    """Whether a page calls itself an article, by og:type or JSON-LD."""
    return any(kind.endswith(("article", "posting", "report")) for kind in kinds)


def judge(title: str, text: str, rules: TextRules, page: Surroundings | None = None) -> Judged:
    """The verdict on clean `title` and `text`; `page` when they come from a web page, which may be a wall."""
    words = count_words(text)
    if page is not None:
        refused = _refused(text, words, page, rules)
        if refused is not None:
            return refused
    if not title and not any(c.isalnum() for c in text):
        return Judged("empty", "neither a headline nor a text")
    if words >= rules.stub_words:
        return Judged("ok")
    if title:
        return Judged("stub", "a headline with hardly any text" if words else "a headline without text")
    return Judged("too_short", f"{counted(words, 'word')} and no headline")


def judge_remains(title: str, text: str, rules: TextRules) -> Judged:
    """The verdict on what is left of a text after lines were taken out that its outlet repeats."""
    if count_words(text) >= rules.stub_words:
        return Judged("ok")
    if title:
        return Judged("stub", "its text is nothing but lines that its outlet repeats")
    return Judged("consent", "its text is nothing but lines that its outlet repeats, and it has no headline")


# --- pages -------------------------------------------------------------------------------------------------


class _Said(msgspec.Struct, frozen=True):
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


def _refused(text: str, words: int, page: Surroundings, rules: TextRules) -> Judged | None:
    if words <= rules.consent_words + _HEADLINES_WORDS:  # else too long for any notice: saves splitting it up
        notice = _in_its_place(text, words, page, rules)
        if notice is not None:
            return notice
    if page.signs is not None and page.signs.is_product and words < rules.wall_words:
        return Judged("not_article", "the page sells something")
    return _list(text, words, page, rules)


def _in_its_place(text: str, words: int, page: Surroundings, rules: TextRules) -> Judged | None:
    shown = _said(page, text if words >= rules.stub_words else "", rules)
    is_whole = words < rules.stub_words or page.found in ("", text)
    full = shown if is_whole else _said(page, page.found, rules)
    for said in (shown,) if full is shown else (shown, full):
        notice = _notice(said, page, rules)
        if notice is not None:
            return notice
    return None


def _notice(said: _Said, page: Surroundings, rules: TextRules) -> Judged | None:
    """What stands in the article's place, where a notice does."""
    book = _notices()
    if said.words > rules.consent_words:
        return None
    if said.words <= rules.short_wall_words:
        if said.is_named(book.block_is) or said.share(book.blocks) >= rules.notice_share:
            return Judged("block", "the site answered with a page against robots")
        if said.is_named(book.missing_is) or said.share(book.misses) >= rules.notice_share:
            return Judged("not_article", "the page says that it was not found or failed")
        if _asks_login(said, page, rules):
            return Judged("not_article", "the page asks to log in")
    share = said.share(book.consents)
    if share >= rules.consent_share or (said.is_named(book.consent_is) and share >= rules.consent_share / 2):
        return Judged("consent", "the site answered with its cookie dialogue")
    return _paywall(said, page, rules)


def _asks_login(said: _Said, page: Surroundings, rules: TextRules) -> bool:
    if page.signs is None or not page.signs.asks_password:
        return False
    book = _notices()
    return said.is_named(book.login_is) or (
        said.words < rules.block_words and said.share(book.logins) >= rules.notice_share
    )


def _paywall(said: _Said, page: Surroundings, rules: TextRules) -> Judged | None:
    book = _notices()
    if said.words > rules.wall_words:
        return None
    locked = next((n for n, (one, _) in enumerate(said.sentences) if book.locks(one)), None)
    if locked is not None and _says_little_after(said, locked, rules):
        return Judged("paywall", "the text is for subscribers")
    if said.words <= rules.short_wall_words and said.count(book.offers) >= 2:
        return Judged("paywall", "the text is for subscribers: the page offers a subscription instead")
    if page.is_free is False and said.words <= rules.hardly_any_words:
        return Judged("paywall", "the page says that its text is not free, and shows little of it")
    return None


def _says_little_after(said: _Said, place: int, rules: TextRules) -> bool:
    """A notice closes what may be read; an article goes on after a call to subscribe."""
    book = _notices()
    rest = said.sentences[place + 1 :]
    after = (words for one, words in rest if not book.locks(one) and not book.offers(one))
    return sum(after) < rules.hardly_any_words


def _list(text: str, words: int, page: Surroundings, rules: TextRules) -> Judged | None:
    signs = page.signs
    names, book = _names(page), _notices()
    is_named_list = any(book.list_is.fullmatch(name) for name in names)
    has_headline = not is_named_list and any(count_words(name) > rules.list_name_words for name in names)
    is_about = has_headline and (words < rules.stub_words or is_article_page(page.kinds))
    linked = page.link_share >= rules.list_link_share and page.words >= rules.list_link_words
    if linked and not is_about:
        return Judged("list", "most of it is links to other articles")
    if signs is None or is_about:
        return None
    if signs.cards >= rules.list_cards and (
        words < rules.stub_words or signs.carded_share(text) >= rules.list_card_share
    ):
        return Judged("list", "it is a list of other articles, with a few words about each")
    says_so = is_named_list or _said(page, text, rules).count(book.counts)
    if says_so and signs.cards >= rules.list_cards_named:
        return Judged("list", "it is a list of other articles, as its title says")
    return None


def _names(page: Surroundings) -> tuple[str, ...]:
    return tuple(name.strip() for name in (page.title, *page.headings) if name.strip())


def _said(page: Surroundings, text: str, rules: TextRules) -> _Said:
    """What is said in `text`; where that is "", what a visitor sees."""
    names = _names(page)
    lines: Sequence[str]
    if text:
        lines = [line for line in text.split("\n") if not any(same_line(line, name) for name in names)]
    elif page.signs is not None:
        lines = _within(page.signs.said, rules.opening_chars)
    else:
        lines = [page.opening]
    pieces = (piece.strip() for line in lines for piece in _ENDS.split(line))
    sentences = tuple((piece, count_words(piece)) for piece in pieces if piece)
    return _Said(names, tuple(lines), sentences, sum(words for _, words in sentences))


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
        book = yaml.safe_load(
            files("aggregator.extract").joinpath("notices.yaml").read_text(encoding="utf-8")
        )

        def one(kind: str, where: str) -> re.Pattern[str]:
            return re.compile("|".join(f"(?:{words})" for words in book[kind][where]), re.IGNORECASE)

        self.consent_is, self._consent_says = one("consent", "is"), _by_word(book["consent"]["says"])
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
