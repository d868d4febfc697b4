"""The style of English texts: tells reports, opinions and analyses apart by how they are written.

Reports say who told them what and on which day; opinions argue, ask and explain. Three logistic regressions on
the same figures tell whether a text is a report, whether it is about the news at all (blog posts and manuals are
not), and whether a text that is not a report is an opinion or an analysis. training/fit_kind.py learned the weights
from the kinds of eight months of news and from blogs. In doubt, a text is a report: with the limits in style.json,
one of 37 reports of those months is taken for another kind. Other languages have no labelled texts yet, so their
style gives no kind.
"""

import math
import re
from functools import cache
from importlib.resources import files

import msgspec
import numpy as np

from aggregator.model.prepared import Kind
from aggregator.text.calendar import weekday_words
from aggregator.text.lines import word_set
from aggregator.text.reading import Column, Ints, Reading
from aggregator.text.tokens import word_tokens

# A shorter text, such as a lead, has too few words to count
LEAST_WORDS = 100
# A report names its day within this many words
_FIRST = 60
# A report names its source within this many words
_OPENING = 100

# Each alternative begins with a quotation mark, so `re` skips to these. This is twice as fast as beginning with "^".
_QUOTED = re.compile(
    r"“(?:[^“”]{0,600}”|[^“”\n]{0,1500}$)|\"(?:[^\"\n]{0,600}\"|(?<=^\")[^\"\n]{0,1500}$)",
    re.MULTILINE,
)

_LISTED = {
    "said": "said says told according announced reported added",
    "why": "why how what if whether because",
    "be": "is are isn't aren't",
    "adverbs": "really truly very clearly obviously certainly utterly hardly exactly even just too so such",
    "I": "i my me i'm i've",
    "public": "president minister government police court percent million country state",
    "officials": "officials official spokesman spokeswoman spokesperson statement reporters sources",
    "turns": "but yet perhaps indeed maybe surely instead still rather simply merely actually course thus",
}

_COUNTED = (*_LISTED, "contractions", "weekdays", "capitals", "numbers")
_BITS = {name: 1 << place for place, name in enumerate(_COUNTED)}
_LISTED_BITS = {
    word: _BITS[name] for name, words in _LISTED.items() for word in words.split()
}
# Every word that was looked at has this bit, so that 0 means a word that was not
_READ = 1 << len(_COUNTED)

# Each row is a set of marks, and each column a figure. A cell is 1 if the figure counts words with these marks.
_MARKED = (
    (np.arange(_READ)[:, np.newaxis] & list(_BITS.values())).astype(bool).astype(float)
)

# First words of titles
_EXPLAINING = word_set("why how what when where who the is are can will should")
# The share of different words is taken from this many first words
_VARIED = 300

# The titles of reports tell what happened with these verbs, and leave out the small words of a spoken sentence.
_NEWS_VERBS = word_set("""
    accuses admits agrees announces approves arrested arrests asks backs begins blames blasts blocks calls
    charged charges claims closes condemns confirms considers criticizes cuts dead defends demands denied
    denies died dies drops endorses ends faces fired fires hires hits killed kills launches leads leaves
    loses meets names nominates offers opens orders passes plans pledges predicts promises pushes raises
    rejects releases reports resigns reveals said say says seeks sends sentenced signs slams sued sues
    suspends taps tells testifies threatens unveils urges votes vows warns wins
""")
_SPOKEN = word_set(
    "the a an is isn't are aren't was it it's and that we our their do don't does doesn't"
)
_REASONS = word_set("how why what")


class Regression(msgspec.Struct, frozen=True):
    """A logistic regression: its bias, and the weights of the figures in their order."""

    bias: float
    weights: tuple[float, ...]

    def logit(self, figures: list[float]) -> float:
        """Return the log odds of these figures."""
        return self.bias + sum(map(float.__mul__, self.weights, figures))


class StyleModel(msgspec.Struct, frozen=True):
    """The content of style.json."""

    figures: tuple[str, ...]
    # A text whose logit of `no_report` is above this limit is not a report
    limit: float
    no_report: Regression
    # A text whose logit of `news` is below this limit is not an opinion or an analysis
    news_limit: float
    # A text whose logit of `news` is below this lower limit is not about the news at all: a post
    post_limit: float
    news: Regression
    # Tells opinions from analyses, for texts that are not reports
    opinion: Regression


def kind_by_style(title: str, text: str, reading: Reading) -> tuple[Kind, float | None]:
    """Return the kind of an English article, and the logit of `no_report` minus its limit (None for a short text).

    A text that is clearly not about the news is a post, and a text that may be about the news is a report.
    """
    figures = list(style_figures(title, text, reading).values())
    if not figures:
        return "report", None
    model = _shipped_model()
    above = model.no_report.logit(figures) - model.limit
    news = model.news.logit(figures)
    if news < model.post_limit:
        return "post", above
    if above <= 0 or news < model.news_limit:
        return "report", above
    return ("opinion" if model.opinion.logit(figures) > 0 else "explainer"), above


def style_figures(title: str, text: str, reading: Reading) -> dict[str, float]:
    """Return the figures of a title and a text by name; {} if the text has too few words outside quotations.

    Counts are ln(1 + occurrences in 100 words), both outside quotations.
    """
    lexicon = reading.lexicon
    numbers = reading.numbers[reading.title_words :]
    quoted = " ".join(_QUOTED.findall(text))
    quoted_numbers = lexicon.numbers(word_tokens(quoted, lexicon.language))
    words = len(numbers) - len(quoted_numbers)
    if words < LEAST_WORDS:
        return {}
    marks = _MARKS.of(lexicon, numbers)
    counts = _counts(marks, _MARKS.of(lexicon, quoted_numbers))
    counts["questions"] = text.count("?") - quoted.count("?")
    figures = {name: math.log1p(100 * count / words) for name, count in counts.items()}
    ends = counts["questions"]
    for end in (". ", ".\n", "!"):
        ends += text.count(end) - quoted.count(end)
    figures["words a sentence"] = math.log(words / (1 + ends))
    figures["words"] = math.log(words)
    figures["weekday first"] = float((marks[:_FIRST] & _BITS["weekdays"]).any())
    figures |= _title_figures(title, reading.words[: reading.title_words])
    said = np.count_nonzero(marks[:_OPENING] & _BITS["said"])
    figures["said first"] = math.log1p(said)
    varied = numbers[:_VARIED].tolist()
    figures["variety"] = len(set(varied)) / len(varied)
    return figures


def _counts(marks: Ints, quoted_marks: Ints) -> dict[str, float]:
    """Return for each figure how many words of a text outside its quotations it counts."""
    times = np.bincount(marks - _READ, minlength=_READ)
    times -= np.bincount(quoted_marks - _READ, minlength=_READ)
    return dict(zip(_COUNTED, np.maximum(times @ _MARKED, 0.0).tolist(), strict=True))


def _title_figures(title: str, written: list[str]) -> dict[str, float]:
    words = [word.casefold().replace("’", "'") for word in written]
    opening = re.match(r"\W*(\w*)", title)
    explains = opening is not None and opening[1].casefold() in _EXPLAINING
    small_words = sum(word in _SPOKEN for word in words)
    return {
        "title asks": float("?" in title),
        "title explains": float(explains),
        "title gives reasons": float(not _REASONS.isdisjoint(words)),
        "title tells": float(not _NEWS_VERBS.isdisjoint(words)),
        "title speaks": small_words / max(1, len(words)),
        "title words": math.log1p(len(words)),
    }


def _mark(written: str) -> int:
    """Return the bits of the figures that count the word, and the bit `_READ`."""
    word = written.casefold().replace("’", "'")
    mark = _READ | _LISTED_BITS.get(word, 0)
    if "'" in word and not word.endswith("'s"):
        mark |= _BITS["contractions"]
    if word in weekday_words():
        mark |= _BITS["weekdays"]
    if written[0].isupper():
        mark |= _BITS["capitals"]
    if written[0].isdigit():
        mark |= _BITS["numbers"]
    return mark


_MARKS = Column(_mark)


@cache
def _shipped_model() -> StyleModel:
    raw = files("aggregator.extract").joinpath("style.json").read_bytes()
    return msgspec.json.decode(raw, type=StyleModel)
