"""Tells analysis and opinion from reports by the style of an English text.

Reports say who told them what and on which day; opinions argue, ask and explain. Three logistic regressions
on the same figures, learned by training/fit_kind.py from the kinds of eight months of news and from blogs:
whether a text is no report, whether it is of the news at all, as posts of blogs and manuals are not, and
whether it is then an opinion or an analysis. In doubt it is a report: the limits in style.json mark one of 25
reports of those months. Other languages have no labels yet and no kind by style.
"""

import math
import re
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np

from aggregator.model.core import Kind
from aggregator.text.calendar import weekday_words
from aggregator.text.reading import Column, Ints, Reading
from aggregator.text.tokens import word_tokens

LEAST_WORDS = 100  # of a text: a shorter one, such as a lead, has too few words to count
_FIRST = 60  # words in which a report names its day
_QUOTED = re.compile(r"“[^“”]{0,600}”|“[^“”\n]{0,1500}$|\"[^\"\n]{0,600}\"|^\"[^\"\n]{0,1500}$", re.MULTILINE)
_LISTED = {
    "said": "said says told according announced reported added",
    "why": "why how what if whether because",
    "be": "is are isn't aren't",
    "adverbs": "really truly very clearly obviously certainly utterly hardly exactly even just too so such",
    "I": "i my me i'm i've",
    "public": "president minister government police court percent million country state",
    "turns": "but yet perhaps indeed maybe surely instead still rather simply merely actually course thus",
}
_COUNTED = (*_LISTED, "contractions", "weekdays", "capitals", "numbers")
_BITS = {name: 1 << place for place, name in enumerate(_COUNTED)}
_READ = 1 << len(_COUNTED)  # of every word: 0 is a word that was not looked at
_EXPLAINING = "why how what when where who the is are can will should"  # first words of titles


class Regression(msgspec.Struct, frozen=True):
    """Weights of figures, in their order, for a positive logit."""

    bias: float
    weights: tuple[float, ...]

    def logit(self, figures: list[float]) -> float:
        """Return the log odds of these figures."""
        return self.bias + sum(map(float.__mul__, self.weights, figures))


class StyleModel(msgspec.Struct, frozen=True):
    """The content of style.json."""

    figures: tuple[str, ...]
    limit: float  # a logit of `no_report` above it tells that a text is none
    no_report: Regression
    news_limit: float  # a logit of `news` below it tells that a text is of no news
    news: Regression
    opinion: Regression  # of what is no report: opinion, not analysis


def kind_by_style(title: str, text: str, reading: Reading) -> tuple[Kind, float]:
    """Return the kind of an English article, and by how much its logit is above the limit."""
    figures = list(style_figures(title, text, reading).values())
    if not figures:
        return "report", 0.0
    model = _shipped()
    above = model.no_report.logit(figures) - model.limit
    if above <= 0 or model.news.logit(figures) < model.news_limit:
        return "report", above
    return ("opinion" if model.opinion.logit(figures) > 0 else "explainer"), above


def style_figures(title: str, text: str, reading: Reading) -> dict[str, float]:
    """Return the figures of a title and a text by name; none for a text under 100 words.

    Counts are ln(1 + occurrences in 100 words) outside quotations.
    """
    lexicon, numbers = reading.lexicon, reading.numbers[reading.title_words :]
    quoted = " ".join(_QUOTED.findall(text))
    quoted_numbers = lexicon.numbers(word_tokens(quoted, lexicon.language))
    words = len(numbers) - len(quoted_numbers)
    if words < LEAST_WORDS:
        return {}
    marks = _marks().of(lexicon, numbers)
    times = _times(marks) - _times(_marks().of(lexicon, quoted_numbers))
    counts = dict(zip(_COUNTED, np.maximum(times, 0).tolist(), strict=False))
    counts["questions"] = text.count("?") - quoted.count("?")
    ends = counts["questions"] + sum(text.count(end) - quoted.count(end) for end in (". ", ".\n", "!"))
    opening = re.match(r"\W*(\w*)", title)
    return {name: math.log1p(100 * count / words) for name, count in counts.items()} | {
        "words a sentence": math.log(words / (1 + ends)),
        "words": math.log(words),
        "weekday first": float(bool((marks[:_FIRST] & _BITS["weekdays"]).any())),
        "title asks": float("?" in title),
        "title explains": float(opening is not None and opening[1].casefold() in _EXPLAINING.split()),
    }


def _times(marks: Ints) -> Ints:
    """Return how many marks have each bit."""
    bits = np.unpackbits(marks.astype("<u2").view(np.uint8).reshape(-1, 2), axis=1, bitorder="little")
    times: Ints = bits.sum(axis=0, dtype=np.int64)
    return times


def _mark(written: str) -> int:
    """Return a bit for each figure that counts the word."""
    word = written.casefold().replace("’", "'")
    mark = _READ | _listed().get(word, 0)
    if "'" in word and not word.endswith("'s"):
        mark |= _BITS["contractions"]
    if word in weekday_words():
        mark |= _BITS["weekdays"]
    if written[0].isupper():
        mark |= _BITS["capitals"]
    return mark | _BITS["numbers"] if written[0].isdigit() else mark


@cache
def _listed() -> dict[str, int]:
    return {word: _BITS[name] for name, listed in _LISTED.items() for word in listed.split()}


@cache
def _marks() -> Column:
    return Column(_mark)


@cache
def _shipped() -> StyleModel:
    raw = files("aggregator.extract").joinpath("style.json").read_bytes()
    return msgspec.json.decode(raw, type=StyleModel)
