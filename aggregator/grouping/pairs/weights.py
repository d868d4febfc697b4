"""The constants of grouping (config/tuning.yaml), and the weights of fields."""

import dataclasses

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.term_codec import FIELDS

# Factors of the weights of each field. They order the packed terms, and stories are found by the first terms. The
# factors come from a logistic regression on the cosines of the fields of pairs (events-fulltext, November 2026).
_FIELD_WEIGHTS = {
    "all": 11.421, "title": 5.234, "lead": 4.675, "names": 1.831, "num": 0.034, "numu": 0.461, "rare": 1.409,
    "named": 0.5,
}  # fmt: skip
MINUTES_A_DAY = 24 * 60


class EventTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `events` of config/tuning.yaml, which gives units and origins."""

    window_days: float
    undated_reach: int
    story_cap: int
    live_reach: int
    kept_reach: int
    memory_fixed: int
    memory_an_article: int
    threshold: float
    unit_words: int
    packed_terms: int
    key_terms: int
    candidates: int
    max_postings: int
    max_postings_share: float
    container_shared_stems: int
    reassess_every: int
    reassess_neighbours: int
    reassess_gain: float
    unlisted_name_weight: int
    repeated_name_weight: int
    model: str


@dataclasses.dataclass(frozen=True, eq=False)
class EventModel:
    """The constants, and the weights of fields as an array.

    `stub_words` and `lead_words` are constants of section `text`.
    """

    tuning: EventTuning
    # The weights in the order of FIELDS
    field_weights: npt.NDArray[np.float64]
    stub_words: int
    lead_words: int


def shipped_model(all_tuning: Tuning) -> EventModel:
    """Return the model under the constants in force."""
    text = all_tuning.values("text")
    return EventModel(
        all_tuning.section("events", EventTuning),
        np.array([_FIELD_WEIGHTS[name] for name in FIELDS]),
        text["stub_words"],
        text["lead_words"],
    )
