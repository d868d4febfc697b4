"""How common a word is in news: the frozen background table that term weights rest on.

The table counts *events*, not articles: a word is counted once for all reports of one event, so that a much
reported event does not make its own words look common. Counting the articles that stream in was measured and
hurts; an unseen word counts 0. `training/background.py` makes the table and says of what.

File: gzip, UTF-8, one line a term, tab-separated `kind  language  term  df`, sorted; lines of kind "events"
hold the number of events counted of a language. Kinds: w stem, n name, d number, u number|unit. Only words
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
# Headings of the lists of common words; config/tuning.yaml says how common the words below each are.
LISTS = ("very common", "common", "named", "topical")


class BackgroundFrequencies(msgspec.Struct, frozen=True):
    """Document frequencies by (kind, language) and the number of events counted by language."""

    events: Mapping[str, int]
    counts: Mapping[tuple[str, str], Mapping[str, int]]

    def table(self, kind: Kind, language: str) -> Mapping[str, int]:
        """Term -> number of events that hold it; empty for a language that was never counted."""
        return self.counts.get((kind, language), {})

    def knows(self, language: str) -> bool:
        """Whether words of `language` were counted: only then does "rare" mean anything."""
        return self.events.get(language, 0) > 0

    def idf(self, language: str) -> npt.NDArray[np.float64]:
        """Weight by document frequency, `ln((1+n)/(1+df)) + 1`, indexed by df.

        A language without counts takes the n of all: its words all weigh the same, and its names and
        numbers, which belong to no language, weigh as everywhere.
        """
        return _idf(self.events.get(language) or self.events.get(ANY_LANGUAGE, 0), self._largest_df)

    @property
    def _largest_df(self) -> int:
        return max(self.events.values(), default=0)


@functools.cache
def _idf(events: int, largest_df: int) -> npt.NDArray[np.float64]:
    return np.array([max(0.0, math.log((1 + events) / (1 + df))) + 1.0 for df in range(largest_df + 1)])


def read_background(data: bytes) -> BackgroundFrequencies:
    """The table from the bytes of its file. Raises ValueError for a line that is not of the format."""
    events: dict[str, int] = {}
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for line in gzip.decompress(data).decode("utf-8").splitlines():
        kind, language, term, number = line.split("\t")
        if kind == "events":
            events[language] = int(number)
        else:
            counts.setdefault((kind, language), {})[term] = int(number)
    return BackgroundFrequencies(events=events, counts=counts)


def write_background(background: BackgroundFrequencies) -> bytes:
    """The bytes of the file: the same table gives the same bytes."""
    lines = [f"events\t{language}\t\t{n}" for language, n in sorted(background.events.items())]
    for (kind, language), table in sorted(background.counts.items()):
        lines.extend(f"{kind}\t{language}\t{term}\t{df}" for term, df in sorted(table.items()))
    return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)


@functools.cache
def shipped_background() -> BackgroundFrequencies:
    """The table that comes with the program."""
    return read_background(files("aggregator.cluster.events").joinpath("background.tsv.gz").read_bytes())


@functools.cache
def common_words(language: str) -> tuple[tuple[str, str], ...]:
    """Lists of common words below their headings, which are of LISTS; empty without a list.

    common/LANGUAGE.txt holds words as they stand in news, below the headings "very common", "common", "named"
    (countries, capitals, institutions) and "topical" (the stock words of kinds of events: quakes, matches,
    trials). The lists are our own, written down from knowledge of the language and not counted in anybody's
    texts.
    """
    path = files("aggregator.cluster.events").joinpath("common", f"{language}.txt")
    if not path.is_file():
        return ()
    lists: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line in LISTS:
            lists[line] = []
        elif lists:
            lists[next(reversed(lists))].append(line)
    return tuple((name, "\n".join(words)) for name, words in lists.items())
