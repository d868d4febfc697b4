"""The event model: trained weights (weights.json) and measured constants (config/tuning.yaml).

`training/fit_weights.py` makes weights.json; the file records the command and the measured quality. The
`model` rule is a hash of the trained files, so rules_version changes whenever they do.
"""

import dataclasses
import functools
import hashlib
import math
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.term_codec import FIELDS, Ints
from aggregator.config.tuning import Tuning

MINUTES_A_DAY = 24 * 60
_SLOT_MINUTES = 15
_FAR_DAYS = 30
TIME_SCALE = 1 << 20


class EventTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `events` of config/tuning.yaml, which gives units and origins."""

    window_days: float
    undated_reach: int
    story_cap: int
    live_reach: int
    several_factor: float
    kept_reach: int
    summaries_kept: int
    memory_fixed: int
    memory_an_article: int
    threshold: float
    cohesion: float
    cohesion_prior: float
    undated_offset: float
    bodyless_offset: float
    bodyless_words: int
    lead_words: int
    unit_words: int
    max_words: int
    packed_terms: int
    key_terms: int
    candidates: int
    max_postings: int
    max_postings_share: float
    container_shared_stems: int
    rival_share: float
    rival_stories: int
    rival_from: float
    slack: float
    follows_cosine: float
    reassess_every: int
    reassess_members: int
    reassess_neighbours: int
    reassess_veto_checks: int
    move_gain: float
    move_above: float
    leave_below: float
    merge_threshold: float
    merge_cohesion: float
    listed_very_common: float
    listed_common: float
    listed_named: float
    listed_topical: float
    unlisted: float
    unlisted_name_weight: int
    repeated_name_weight: int
    undated_cohesion: float
    long_words: int
    model: str

    @property
    def several_reach(self) -> int:
        """`live_reach` of stories of several reports."""
        return int(self.live_reach * self.several_factor)

    def oldest_live(self, newest: int, undated_from: int) -> int:
        """Return the inbox number from which a story must have grown to be live beside article `newest`.

        `undated_from`: the first number that was accepted within `window_days`.
        """
        return max(newest - self.several_reach, min(newest - self.kept_reach, undated_from))


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The logistic model of a pair of reports: logit = bias + fields . cosines + time terms."""

    bias: float
    fields: dict[str, float]  # by field: weight of the cosine (for rare: of the dot product / 10)
    near_days: float  # weight of exp(-days / 1.5), dated pairs
    week_days: float  # weight of exp(-days / 7), dated pairs
    far_days: float  # weight of min(days, 30) / 30, dated pairs
    undated: float  # for a pair in which a date is missing
    about: dict[str, Any] = {}  # how the file was made, and its measures

    def time_logit(self, days: float) -> float:
        """Return the share of a dated pair that is `days` apart, in logits."""
        return (
            self.near_days * math.exp(-days / 1.5)
            + self.week_days * math.exp(-days / 7.0)
            + self.far_days * min(days, _FAR_DAYS) / _FAR_DAYS
        )


@dataclasses.dataclass(frozen=True, eq=False)
class EventModel:
    """Weights and rules as arrays. Values are in logits."""

    tuning: EventTuning
    bias: float
    field_weights: npt.NDArray[np.float64]  # in the order of FIELDS
    time_table: Ints  # by quarter hours up to 30 days, in units of 1/TIME_SCALE, so that sums are exact
    undated: float  # trained weight plus offset
    bodyless: float


def event_model(weights: Weights, tuning: EventTuning) -> EventModel:
    """Return the model that scores with `weights` under `tuning`."""
    slots = _FAR_DAYS * MINUTES_A_DAY // _SLOT_MINUTES + 1
    days = [slot * _SLOT_MINUTES / MINUTES_A_DAY for slot in range(slots)]
    return EventModel(
        tuning=tuning,
        bias=weights.bias,
        field_weights=np.array([weights.fields[name] for name in FIELDS]),
        time_table=np.array([round(TIME_SCALE * weights.time_logit(d)) for d in days], dtype=np.int64),
        undated=weights.undated + tuning.undated_offset,
        bodyless=tuning.bodyless_offset,
    )


def shipped_model(all_tuning: Tuning) -> EventModel:
    """Return the shipped weights under the rules in force."""
    return event_model(shipped_weights(), all_tuning.section("events", EventTuning))


def time_shares(table: Ints, minutes_apart: Ints) -> Ints:
    """Return the time shares of dated pairs, in units of 1/TIME_SCALE."""
    shares: Ints = table[np.minimum(np.abs(minutes_apart) // _SLOT_MINUTES, len(table) - 1)]
    return shares


def read_weights(data: bytes) -> Weights:
    """Parse weights from the bytes of their file. Raise msgspec.ValidationError for another format."""
    return msgspec.json.decode(data, type=Weights)


@functools.cache
def shipped_weights() -> Weights:
    """Return the weights that ship with the program."""
    return read_weights(files("aggregator.cluster.events").joinpath("weights.json").read_bytes())


def model_hash() -> str:
    """Return 12 hex digits over the trained files and the lists of common words.

    It is the value of `model` in config/tuning.yaml.
    """
    digest = hashlib.blake2b(digest_size=6)
    files_of_model = files("aggregator.cluster.events")
    lists = sorted(files("aggregator.text").joinpath("common").iterdir(), key=lambda path: path.name)
    for path in (
        files_of_model.joinpath("weights.json"),
        files_of_model.joinpath("pair_trees.json"),
        files_of_model.joinpath("background.tsv.gz"),
        *lists,
    ):
        if path.name.endswith((".json", ".gz", ".txt")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
