"""Hours between two reports: what is known beyond the day.

Most labelled sets state only the day of an article, so the trees of pair_model.py cannot learn what hours say: reports
of one event appear within hours of each other. If the clock times of both articles are known, this module adds to the
logit of the trees:

    step = cost + title x (cosine of the titles - usual) - decay x ln((hours + 1) / even)

`training/fit_hours.py` fits the weights to the labelled pairs with clock times, on logits of trees that did not see
these pairs.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from aggregator.grouping.pairs.pair_article import Floats, PairArticle
from aggregator.grouping.pairs.pair_features import AT

# An hour is added, so that reports of one minute are not infinitely near: a sender chooses the minute it declares.
ADDED_HOURS = 1.0


class HoursTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `hours` of config/tuning.yaml, which gives units and origins."""

    cost: float
    decay: float
    even: float
    title: float
    usual_title: float


def hours_between(article: PairArticle, reports: Sequence[PairArticle]) -> Floats:
    """Return the hours between the publication of an article and of each report; NaN if a clock time is unknown."""
    if article.clock_minutes is None:
        return np.full(len(reports), np.nan)
    minutes = [report.clock_minutes for report in reports]
    known = np.array([np.nan if minute is None else minute for minute in minutes])
    hours: Floats = np.abs(known - article.clock_minutes) / 60.0
    return hours


def hours_steps(rows: Floats, hours: Floats, tuning: HoursTuning) -> Floats:
    """Return what the hours add to the logit of each row of features; 0 where they are unknown."""
    titles = rows[:, AT["title_cosine"]]
    steps = (
        tuning.cost
        + tuning.title * (titles - tuning.usual_title)
        - tuning.decay * np.log((hours + ADDED_HOURS) / tuning.even)
    )
    known: Floats = np.where(np.isnan(hours), 0.0, steps)
    return known
