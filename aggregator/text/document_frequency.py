"""Document frequencies of words in news: the fixed background table of the term weights.

The table counts *events* and not articles: a word counts once for all reports of one event, so an event with
many reports does not make its own words look common. Incoming articles are not counted, because measurements showed
that this lowers the quality. A word that is not in the table has the frequency 0. `training/background.py` makes the
table and documents its data.

File: gzip, UTF-8, one line per term, tab-separated `kind  language  term  df`, sorted; lines of kind "events"
have the number of events counted for a language. Kinds: w stem, n name, d number, u number|unit. Only words
belong to a language; names and numbers have the language "*".
"""

import functools
import gzip
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

Kind = Literal["w", "n", "d", "u"]
ANY_LANGUAGE = "*"


class BackgroundFrequencies(msgspec.Struct, frozen=True):
    """Document frequencies by (kind, language) and the number of events counted by language."""

    events: Mapping[str, int]
    counts: Mapping[tuple[str, str], Mapping[str, int]]

    def table(self, kind: Kind, language: str) -> Mapping[str, int]:
        """Return the number of events with each term; the table is empty for a language that was not counted."""
        return self.counts.get((kind, language), {})

    def idf(self, language: str) -> npt.NDArray[np.float64]:
        """Return the weight by document frequency, `ln((1+n)/(1+df)) + 1`, as an array indexed by df.

        For a language without counts, n is the total of all languages, so that its names and numbers, which belong to
        no language, have their usual weights. Its words have the frequencies of the lists of common words, or without
        lists all the same weight (`Vocabulary`).
        """
        events = self.events.get(language) or self.events.get(ANY_LANGUAGE, 0)
        return _idf(events, max(self.events.values(), default=0))


@functools.cache
def _idf(events: int, largest_df: int) -> npt.NDArray[np.float64]:
    return np.array(
        [
            max(0.0, math.log((1 + events) / (1 + df))) + 1.0
            for df in range(largest_df + 1)
        ]
    )


def read_background(data: bytes) -> BackgroundFrequencies:
    """Parse the table from the bytes of its file. Raise ValueError for a malformed line."""
    events = {}
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for line in gzip.decompress(data).decode("utf-8").splitlines():
        kind, language, term, number = line.split("\t")
        if kind == "events":
            events[language] = int(number)
        else:
            counts.setdefault((kind, language), {})[term] = int(number)
    return BackgroundFrequencies(events=events, counts=counts)


@functools.cache
def shipped_background() -> BackgroundFrequencies:
    """Return the table that ships with the program."""
    return read_background(
        files("aggregator.text").joinpath("background.tsv.gz").read_bytes()
    )
