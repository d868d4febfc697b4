"""Fingerprints: all values computed from one clean article for comparison, once, in a worker.

The timed entries of a live blog are fingerprinted as short texts of their own, by which they are compared
with stories. Such an entry has no headline: its first line is used if it looks like a heading, else its first
sentence.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from aggregator.cluster.copies import minhash, sampled_shingles
from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.copies.shingles import distinct, shingle_sequence
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning
from aggregator.extract.lines import count_words, ends_sentence
from aggregator.extract.sentences import split_sentences
from aggregator.model.core import CleanArticle, Fingerprint, TimedEntryFingerprint


class LiveBlogLinkTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `links` of config/tuning.yaml."""

    entries: int
    min_words: int
    margin: float
    relink_after: int
    relink_factor: int
    relink_rounds: int
    relink_at_once: int


def fingerprint_timed_entries(
    article: CleanArticle, packer: TermPacker, tuning: LiveBlogLinkTuning
) -> tuple[TimedEntryFingerprint, ...]:
    """Return the fingerprints of the newest timed entries that are long enough."""
    first = max(0, len(article.timed) - tuning.entries)
    fingerprints = []
    for position, entry in enumerate(article.timed[first:], first):
        if count_words(entry.text) >= tuning.min_words:
            title = entry_title(entry.text)
            terms, body_words = packer.pack_counted(title, entry.text, article.language)
            fingerprints.append(TimedEntryFingerprint(position=position, terms=terms, body_words=body_words))
    return tuple(fingerprints)


def entry_title(text: str) -> str:
    """Return the text that is used as the headline of a timed entry."""
    lines: Sequence[str] = [line for line in text.split("\n") if line]
    if len(lines) > 1 and not ends_sentence(lines[0]):
        return lines[0]
    return next((sentence for line in lines for sentence in split_sentences(line)), text)


class Fingerprinter:
    """Computes fingerprints under one set of rules. Caches words, so use one for many articles."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._links = all_tuning.section("links", LiveBlogLinkTuning)
        self._packer = TermPacker(shipped_model(all_tuning))

    def fingerprint(self, article: CleanArticle) -> Fingerprint:
        """Return the fingerprint of `article`."""
        tuning = self._tuning
        sequence = shingle_sequence(article.text)
        shingles = distinct(sequence)
        signed = minhash.sign(shingles, seed=tuning.seed)
        terms, body_words = self._packer.pack_counted(
            article.title, article.text, article.language, is_container=article.is_container
        )
        return Fingerprint(
            signature=signed,
            bands=minhash.bands(signed, count=tuning.bands, rows=tuning.rows),
            sketch=sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes),
            terms=terms,
            body_words=body_words,
            text_hash=text_hash(article.title, article.text),
            entries=fingerprint_timed_entries(article, self._packer, self._links)
            if article.is_container
            else (),
        )


def text_hash(title: str, text: str) -> bytes:
    """Return a 16-byte hash of the clean article."""
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()


def fingerprinter(all_tuning: Tuning) -> Fingerprinter:
    """Return the fingerprinter of `all_tuning`; the same object for the same rules."""
    return _fingerprinter(all_tuning.to_json())


@lru_cache(maxsize=2)
def _fingerprinter(tuning_json: str) -> Fingerprinter:
    return Fingerprinter(Tuning.from_json(tuning_json))
