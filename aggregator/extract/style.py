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

from aggregator.model.core import Kind
from aggregator.text.calendar import weekday_words

LEAST_WORDS = 100  # of a text: a shorter one, such as a lead, has too few words to count
_WORDS = 2000  # that are read
_FIRST = 60  # words in which a report names its day
_QUOTED = re.compile(r"“[^“”]{0,600}”|\"[^\"\n]{0,600}\"")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+(?: [A-Z][a-z]+)*")  # within a sentence
_WORD = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*|[?.!]+")
_COUNTED = {
    "said": "said says told according announced reported added",
    "why": "why how what if whether because",
    "be": "is are isn't aren't",
    "adverbs": "really truly very clearly obviously certainly utterly hardly exactly even just too so such",
    "I": "i my me i'm i've",
    "public": "president minister government police court percent million country state",
    "turns": "but yet perhaps indeed maybe surely instead still rather simply merely actually course thus",
}
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


def kind_by_style(title: str, text: str) -> tuple[Kind, float]:
    """Return the kind of an English article, and by how much its logit is above the limit."""
    figures = list(style_figures(title, text).values())
    if not figures:
        return "report", 0.0
    model = _shipped()
    above = model.no_report.logit(figures) - model.limit
    if above <= 0 or model.news.logit(figures) < model.news_limit:
        return "report", above
    return ("opinion" if model.opinion.logit(figures) > 0 else "explainer"), above


def style_figures(title: str, text: str) -> dict[str, float]:
    """Return the figures of a title and a text by name; none for a text under 100 words.

    Counts are ln(1 + occurrences in 100 words) outside quotations.
    """
    plain = _QUOTED.sub(" ", text[: _WORDS * 12]).replace("’", "'")
    tokens = _WORD.findall(plain.casefold())
    words = [one for one in tokens if one[0] not in "?.!"]
    if len(words) < LEAST_WORDS:
        return {}
    days = weekday_words()
    counts = dict.fromkeys(_COUNTED, 0)
    for word in words:
        if name := _counted().get(word):
            counts[name] += 1
    counts |= {
        "contractions": sum("'" in word and not word.endswith("'s") for word in words),
        "weekdays": sum(word in days for word in words),
        "names": len(_NAME.findall(plain)),
        "numbers": sum(word.isdigit() for word in words),
        "questions": sum("?" in one for one in tokens),
    }
    opening = re.match(r"\W*(\w*)", title)
    return {name: math.log1p(100 * count / len(words)) for name, count in counts.items()} | {
        "words a sentence": math.log(len(words) / (1 + len(tokens) - len(words))),
        "words": math.log(len(words)),
        "weekday first": float(any(word in days for word in words[:_FIRST])),
        "title asks": float("?" in title),
        "title explains": float(opening is not None and opening[1].casefold() in _EXPLAINING.split()),
    }


@cache
def _counted() -> dict[str, str]:
    return {word: name for name, listed in _COUNTED.items() for word in listed.split()}


@cache
def _shipped() -> StyleModel:
    raw = files("aggregator.extract").joinpath("style.json").read_bytes()
    return msgspec.json.decode(raw, type=StyleModel)
