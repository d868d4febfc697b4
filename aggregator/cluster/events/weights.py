"""The learnt part of the event model (weights.json) and the measured constants beside it
(config/tuning.yaml).

`training/fit_weights.py` makes weights.json; the file says with which command and what it reached. The
`model` rule holds a hash of the learnt files, so that rules_version changes whenever they do.
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
    """Section `events` of config/tuning.yaml; units and origins stand there."""

    window_days: float
    undated_reach: int
    story_cap: int
    live_reach: int
    threshold: float
    cohesion: float
    cohesion_prior: float
    undated_offset: float
    bodyless_offset: float
    bodyless_words: int
    lead_words: int
    unit_words: int
    longest_words: int
    packed_terms: int
    key_terms: int
    candidates: int
    longest_list: int
    container_shared_stems: int
    crowd: float
    crowd_stories: int
    crowd_from: float
    look_every: int
    look_members: int
    look_neighbours: int
    look_asked: int
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
    telling_once: int
    telling_times: int
    model: str


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The logistic model of a pair of reports: logit = bias + fields . cosines + time terms."""

    bias: float
    fields: dict[str, float]  # by name of the field, for a cosine (for rare: dot product / 10)
    near_days: float  # weight of exp(-days / 1.5), dated pairs
    week_days: float  # weight of exp(-days / 7), dated pairs
    far_days: float  # weight of min(days, 30) / 30, dated pairs
    undated: float  # for a pair of which one side has no date
    about: dict[str, Any] = {}  # how the file was made and what was measured

    def time_logit(self, days: float) -> float:
        """The share of a dated pair that lies `days` apart."""
        return (
            self.near_days * math.exp(-days / 1.5)
            + self.week_days * math.exp(-days / 7.0)
            + self.far_days * min(days, _FAR_DAYS) / _FAR_DAYS
        )


@dataclasses.dataclass(frozen=True, eq=False)
class EventModel:
    """Weights and rules made ready for arrays. Values in logits."""

    tuning: EventTuning
    bias: float
    field_weights: npt.NDArray[np.float64]  # in the order of FIELDS
    time_table: Ints  # by quarters of an hour up to 30 days, in steps of 1/TIME_SCALE: sums of it are exact
    undated: float  # learnt weight and offset
    bodyless: float


def event_model(weights: Weights, tuning: EventTuning) -> EventModel:
    """The model that scores with `weights` under `tuning`."""
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
    """The shipped weights under the rules in force."""
    return event_model(shipped_weights(), all_tuning.section("events", EventTuning))


def time_shares(table: Ints, minutes_apart: Ints) -> Ints:
    """The time shares of dated pairs, in steps of 1/TIME_SCALE."""
    shares: Ints = table[np.minimum(np.abs(minutes_apart) // _SLOT_MINUTES, len(table) - 1)]
    return shares


def read_weights(data: bytes) -> Weights:
    """The weights from the bytes of their file. Raises msgspec.ValidationError for another shape."""
    return msgspec.json.decode(data, type=Weights)


@functools.cache
def shipped_weights() -> Weights:
    """The weights that come with the program."""
    return read_weights(files("aggregator.cluster.events").joinpath("weights.json").read_bytes())


def model_hash() -> str:
    """12 hex digits over the learnt files and the lists of common words; stands as `model` in
    config/tuning.yaml.
    """
    digest = hashlib.blake2b(digest_size=6)
    files_of_model = files("aggregator.cluster.events")
    lists = sorted(files_of_model.joinpath("common").iterdir(), key=lambda path: path.name)
    for path in (
        files_of_model.joinpath("weights.json"),
        files_of_model.joinpath("background.tsv.gz"),
        *lists,
    ):
        if path.name.endswith((".json", ".gz", ".txt")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
