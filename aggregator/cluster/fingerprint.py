"""What both levels of likeness need of one clean article, computed once, in a worker.

Sentence vectors of many languages in one space: the optional extra, loaded in the workers only.

The model is a folder on disk (a static multilingual model in the format of model2vec); nothing is fetched.
What a text becomes is the mean over its words' vectors, so an article costs well below a millisecond.

The entries of a live blog as short texts of their own: what they are weighed by against stories.

An entry has no headline. Its first line is taken for one where it is a heading, else its first sentence; the
whole of it is the text.
"""

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np

from aggregator.cluster.copies import minhash, sampled_shingles
from aggregator.cluster.copies.copy_check import CopyTuning
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.cluster.cross_language import features
from aggregator.cluster.cross_language.features import pack_vector
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning
from aggregator.extract.lines import count_words, ends_sentence
from aggregator.extract.sentences import split_sentences
from aggregator.model.core import CleanArticle, Fingerprint, TimedEntryFingerprint


class LiveBlogLinkTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `links` of config/tuning.yaml."""

    entries: int
    least_words: int
    margin: float
    again_after: int
    again_factor: int
    again_rounds: int
    again_at_once: int


def fingerprint_timed_entries(
    article: CleanArticle, packer: TermPacker, tuning: LiveBlogLinkTuning
) -> tuple[TimedEntryFingerprint, ...]:
    """The marks of the newest timed entries, those that are too short left out."""
    first = max(0, len(article.timed) - tuning.entries)
    fingerprints = []
    for position, entry in enumerate(article.timed[first:], first):
        if count_words(entry.text) >= tuning.least_words:
            title = entry_title(entry.text)
            terms, words = packer.pack_counted(title, entry.text, article.language)
            fingerprints.append(TimedEntryFingerprint(position=position, terms=terms, body_words=words))
    return tuple(fingerprints)


def entry_title(text: str) -> str:
    """What stands for the headline of an entry."""
    lines: Sequence[str] = [line for line in text.split("\n") if line]
    if len(lines) > 1 and not ends_sentence(lines[0]):
        return lines[0]
    return next((sentence for line in lines for sentence in split_sentences(line)), text)


class SentenceVectors:
    """The model of one folder, read once."""

    def __init__(self, folder: str) -> None:
        """Raises what the library raises for files that are no model; config/settings.py has looked at
        them before.
        """
        os.environ["HF_HUB_OFFLINE"] = "1"  # the library can also fetch; ours is never asked to
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the workers are what runs side by side
        from model2vec import StaticModel

        self._model = StaticModel.from_pretrained(folder)

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        """One packed vector for each text; b"" where no word of it is known."""
        vectors = self._model.encode(list(texts), use_multiprocessing=False)
        return [pack_vector(vector) for vector in vectors]


@lru_cache(maxsize=1)
def sentence_vectors(folder: str) -> SentenceVectors:
    """The model of `folder`; the same object for the same folder."""
    return SentenceVectors(folder)


class Fingerprinter:
    """Makes fingerprints under one rule book; keeps a memo of words, so one should serve many articles."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._links = all_tuning.section("links", LiveBlogLinkTuning)
        self._packer = TermPacker(shipped_model(all_tuning))
        self._cross_language = all_tuning.section("across", features.CrossLanguageTuning)
        self._features = (
            features.FeatureExtractor(self._cross_language) if self._cross_language.is_on else None
        )

    def fingerprint(self, article: CleanArticle) -> Fingerprint:
        """The signature, LSH keys, sampled shingles and packed terms of `article`."""
        tuning = self._tuning
        sequence = shingle_sequence(article.text[: tuning.text_chars])
        shingles = np.unique(sequence)
        signed = minhash.sign(shingles, seed=tuning.seed)
        terms, words = self._packer.pack_counted(
            article.title, article.text, article.language, is_container=article.is_container
        )
        return Fingerprint(
            signature=signed,
            bands=minhash.bands(signed, count=tuning.bands, rows=tuning.rows),
            sketch=sampled_shingles.sketch(sequence, window=tuning.window, limit=tuning.sketch_hashes),
            shingle_count=len(shingles),
            terms=terms,
            body_words=words,
            text_hash=text_hash(article.title, article.text),
            across=self._across_languages(article),
            entries=fingerprint_timed_entries(article, self._packer, self._links)
            if article.is_container
            else (),
        )

    def _across_languages(self, article: CleanArticle) -> bytes:
        """What articles of other languages are compared by; b"" where that is off or the language unknown."""
        if self._features is None:
            return b""
        vector = b""
        if self._cross_language.has_vectors:
            pass  # JOINED

            vector = sentence_vectors(self._cross_language.folder).encode(
                [f"{article.title}\n{article.lead}"]
            )[0]
        found = self._features.features(article.title, article.text, article.language, vector)
        return b"" if found is None else features.pack(found)


def text_hash(title: str, text: str) -> bytes:
    """16 bytes that differ when the clean article does."""
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()


def fingerprinter(all_tuning: Tuning) -> Fingerprinter:
    """The fingerprinter of `all_tuning`; the same object for the same rules."""
    return _fingerprinter(all_tuning.to_json())


@lru_cache(maxsize=2)
def _fingerprinter(tuning_json: str) -> Fingerprinter:
    return Fingerprinter(Tuning.from_json(tuning_json))
