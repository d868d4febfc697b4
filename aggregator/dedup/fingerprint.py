"""What both levels of likeness need of one clean article, computed once, in a worker."""

import hashlib
from functools import lru_cache

from aggregator.dedup import signature
from aggregator.dedup.copies import CopyRules
from aggregator.dedup.shingles import shingle_hashes
from aggregator.dedup.terms import TermPacker
from aggregator.dedup.weights import shipped_model
from aggregator.model import CleanArticle, Fingerprint
from aggregator.rules import RuleBook


class Fingerprinter:
    """Makes fingerprints under one rule book; keeps a memo of words, so one should serve many articles."""

    def __init__(self, book: RuleBook) -> None:
        self._rules = book.section("copies", CopyRules)
        self._packer = TermPacker(shipped_model(book))

    def fingerprint(self, article: CleanArticle) -> Fingerprint:
        """The signature, LSH keys and packed terms of `article`."""
        shingles = shingle_hashes(article.text[: self._rules.text_chars])
        signed = signature.sign(shingles, seed=self._rules.seed)
        terms, words = self._packer.pack_counted(
            article.title, article.text, article.language, is_container=article.is_container
        )
        return Fingerprint(
            signature=signed,
            bands=signature.bands(signed, count=self._rules.bands, rows=self._rules.rows),
            shingle_count=len(shingles),
            terms=terms,
            body_words=words,
            text_hash=text_hash(article.title, article.text),
        )


def text_hash(title: str, text: str) -> bytes:
    """16 bytes that differ when the clean article does."""
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()


def fingerprinter(book: RuleBook) -> Fingerprinter:
    """The fingerprinter of `book`; the same object for the same rules."""
    return _fingerprinter(book.to_json())


@lru_cache(maxsize=2)
def _fingerprinter(book_json: str) -> Fingerprinter:
    return Fingerprinter(RuleBook.from_json(book_json))
