"""What both levels of likeness need of one clean article, computed once, in a worker."""

import hashlib
from functools import lru_cache

import numpy as np

from aggregator.cluster.copies import minhash, sampled_shingles
from aggregator.cluster.copies.copy_check import CopyRules
from aggregator.cluster.copies.shingles import shingle_sequence
from aggregator.cluster.cross_language import features
from aggregator.cluster.events.live_entries import LinkRules, entry_marks
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import RuleBook
from aggregator.model.core import CleanArticle, Fingerprint


class Fingerprinter:
    """Makes fingerprints under one rule book; keeps a memo of words, so one should serve many articles."""

    def __init__(self, book: RuleBook) -> None:
        self._rules = book.section("copies", CopyRules)
        self._links = book.section("links", LinkRules)
        self._packer = TermPacker(shipped_model(book))
        self._across = book.section("across", features.AcrossRules)
        self._features = features.FeatureMaker(self._across) if self._across.is_on else None

    def fingerprint(self, article: CleanArticle) -> Fingerprint:
        """The signature, LSH keys, sampled shingles and packed terms of `article`."""
        rules = self._rules
        sequence = shingle_sequence(article.text[: rules.text_chars])
        shingles = np.unique(sequence)
        signed = minhash.sign(shingles, seed=rules.seed)
        terms, words = self._packer.pack_counted(
            article.title, article.text, article.language, is_container=article.is_container
        )
        return Fingerprint(
            signature=signed,
            bands=minhash.bands(signed, count=rules.bands, rows=rules.rows),
            sketch=sampled_shingles.sketch(sequence, window=rules.window, limit=rules.sketch_hashes),
            shingle_count=len(shingles),
            terms=terms,
            body_words=words,
            text_hash=text_hash(article.title, article.text),
            across=self._across_languages(article),
            entries=entry_marks(article, self._packer, self._links) if article.is_container else (),
        )

    def _across_languages(self, article: CleanArticle) -> bytes:
        """What articles of other languages are compared by; b"" where that is off or the language unknown."""
        if self._features is None:
            return b""
        vector = b""
        if self._across.has_vectors:
            from aggregator.cluster.cross_language.embeddings import sentence_vectors

            vector = sentence_vectors(self._across.folder).encode([f"{article.title}\n{article.lead}"])[0]
        found = self._features.features(article.title, article.text, article.language, vector)
        return b"" if found is None else features.pack(found)


def text_hash(title: str, text: str) -> bytes:
    """16 bytes that differ when the clean article does."""
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()


def fingerprinter(book: RuleBook) -> Fingerprinter:
    """The fingerprinter of `book`; the same object for the same rules."""
    return _fingerprinter(book.to_json())


@lru_cache(maxsize=2)
def _fingerprinter(book_json: str) -> Fingerprinter:
    return Fingerprinter(RuleBook.from_json(book_json))
