"""Jinja2 as every page and feed item needs it: escaped, complete, and without a foreign character.

Templates get nouns (StoryView, MergedStory) and the filters below. An unknown name in a template is an error,
not an empty string; every value passes `visible` on its way out.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator.config.messages import counted
from aggregator.model.core import StoryView
from aggregator.model.read_model import EntryHit, SearchHit, StoryListItem
from aggregator.web.excerpts import first_words
from aggregator.web.sanitise import one_line, safe_url, visible
from aggregator.web.story_json import clock

# A mark per article beside the three numbers; a story with more is "many" at a glance anyway.
PIPS = 12
BEGINNING_WORDS = 5
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LONG_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# What the speakers of a language call it; other tags are shown as they are.
LANGUAGE_NAMES = {
    "ar": "العربية",
    "bg": "Български",
    "ca": "Català",
    "cs": "Čeština",
    "da": "Dansk",
    "de": "Deutsch",
    "el": "Ελληνικά",
    "en": "English",
    "es": "Español",
    "fa": "فارسی",
    "fi": "Suomi",
    "fr": "Français",
    "he": "עברית",
    "hi": "हिन्दी",
    "hr": "Hrvatski",
    "hu": "Magyar",
    "id": "Indonesia",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "no": "Norsk",
    "pl": "Polski",
    "pt": "Português",
    "ro": "Română",
    "ru": "Русский",
    "sv": "Svenska",
    "tr": "Türkçe",
    "uk": "Українська",
    "vi": "Tiếng Việt",
    "zh": "中文",
}


def environment() -> Environment:
    """Jinja2 for our templates."""
    jinja = Environment(
        loader=PackageLoader("aggregator.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    jinja.filters.update(
        url=safe_url,
        line=one_line,
        moment=moment,
        day=day,
        time=time_of_day,
        iso=iso,
        clock=clock,
        counted=counted,
        pips=pips,
        outlets=outlets,
        pieces=pieces,
        paragraphs=paragraphs,
        short_day=short_day,
        upper_first=upper_first,
        twice=twice,
        language_names=language_names,
        later=later,
        signed=signed,
        beginning=beginning,
    )
    return jinja


def output_version() -> str:
    """Changes whenever the same story would look different: a hash over templates, styles and program."""
    digest = hashlib.blake2b(digest_size=8)
    for folder in ("templates", "static"):
        for file in sorted(files("aggregator.web").joinpath(folder).iterdir(), key=lambda f: f.name):
            digest.update(file.name.encode() + b"\x00" + file.read_bytes())
    for folder in ("", "feeds"):
        for file in sorted(files("aggregator.web").joinpath(folder).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _finalize(value: object) -> object:
    if isinstance(value, Markup):
        return value
    if value is None:
        return ""
    return visible(value) if isinstance(value, str) else value


def moment(time: dt.datetime) -> str:
    """`20 Nov 2026, 08:15`, in UTC; the page says once that all times are."""
    utc = time.astimezone(dt.UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M}"


def day(time: dt.date) -> str:
    """`Friday, 20 November 2026`; of a datetime its day in UTC."""
    date = time.astimezone(dt.UTC) if isinstance(time, dt.datetime) else time
    return f"{_WEEKDAYS[date.weekday()]}, {date.day} {_LONG_MONTHS[date.month - 1]} {date.year}"


def short_day(time: dt.datetime) -> str:
    """`18 Nov 2026`, in UTC."""
    utc = time.astimezone(dt.UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}"


def time_of_day(time: dt.datetime) -> str:
    """`08:15`, in UTC."""
    return f"{time.astimezone(dt.UTC):%H:%M}"


def iso(time: dt.date) -> str:
    """The machine's form for `<time datetime>`, to the second."""
    if isinstance(time, dt.datetime):
        return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return time.isoformat()


def upper_first(text: str) -> str:
    """A sentence for a line of its own."""
    return text[:1].upper() + text[1:]


def twice(values: Iterable[str]) -> list[tuple[str, str]]:
    """Values that are shown as they are."""
    return [(value, value) for value in values]


def language_names(tags: Iterable[str]) -> list[tuple[str, str]]:
    """Tags with the names that their speakers give them, as far as we know them."""
    return [(tag, LANGUAGE_NAMES.get(tag, tag)) for tag in tags]


def later(minutes: int) -> str:
    """`35 minutes later`, `3 hours later`, `2 days earlier`: the largest unit of which there are two."""
    span, word = abs(minutes), "later" if minutes >= 0 else "earlier"
    if span == 0:
        return "at the same minute"
    for size, unit in ((1440, "day"), (60, "hour")):
        if span >= 2 * size:
            return f"{counted(round(span / size), unit)} {word}"
    return f"{counted(span, 'minute')} {word}"


def signed(number: float) -> str:
    """`+2.31`, `−8.60`: a share of a score."""
    return f"{number:+.2f}".replace("-", "−")


def beginning(title: str) -> str:
    """The first words of a title, to tell articles apart by."""
    return first_words(title, BEGINNING_WORDS)


def pips(story: StoryView | StoryListItem) -> list[bool]:
    """A mark per article, independent reports (True) first; at most PIPS, scaled down together."""
    articles = max(1, story.article_count)
    shown = min(PIPS, articles)
    reports = max(1, round(story.report_count * shown / articles))
    return [index < reports for index in range(shown)]


def outlets(names: Iterable[str]) -> list[str]:
    """Names of outlets as they are shown, each once."""
    return list(dict.fromkeys(one_line(name) for name in names if name))


def pieces(hit: SearchHit | EntryHit) -> list[tuple[str, bool]]:
    """A snippet cut at its marks: (text, whether it is a hit)."""
    cut: list[tuple[str, bool]] = []
    position = 0
    for start, end in hit.marks:
        if position <= start < end <= len(hit.snippet):
            cut += [(hit.snippet[position:start], False), (hit.snippet[start:end], True)]
            position = end
    return [*cut, (hit.snippet[position:], False)]


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a clean text (one newline apart)."""
    return [line for line in text.split("\n") if line.strip()]
