"""Fingerprints: all values computed from one clean article for comparison, once, in a worker."""

from functools import lru_cache

from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import text_hash
from aggregator.extract.front_matter import without_front_matter
from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.grouping.copies import minhash, sampled_shingles
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.shingles import distinct, shingle_sequence
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.model.prepared import CleanArticle, Fingerprint, Prepared
from aggregator.text.reading import Reading


class Fingerprinter:
    """Computes fingerprints under one set of rules. It caches words, so use one object for many articles."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("copies", CopyTuning)
        self._packer = TermPacker(shipped_model(all_tuning))

    def fingerprint(
        self, article: CleanArticle, reading: Reading | None = None
    ) -> Fingerprint:
        """Return the fingerprint of `article`; `reading` has its words, if they were read before."""
        sequence = shingle_sequence(article.text)
        lines = article.text.split("\n")
        report = without_front_matter(lines)
        terms, body_words = self._packer.pack(
            article.title,
            "\n".join(report),
            article.language,
            is_container=article.is_container,
            reading=reading if report is lines else None,
        )
        return Fingerprint(
            signature=minhash.sign(distinct(sequence), seed=self._tuning.seed),
            sketch=sampled_shingles.sketch(sequence, self._tuning),
            terms=terms,
            body_words=body_words,
            text_hash=text_hash(article.title, article.text),
        )


@lru_cache(maxsize=2)
def fingerprinter(tuning_json: str) -> Fingerprinter:
    """Return the fingerprinter of a tuning (`Tuning.to_json`); the same object for the same rules."""
    return Fingerprinter(Tuning.from_json(tuning_json))


def prepared_again(article: CleanArticle, all_tuning: Tuning) -> Prepared:
    """Return an already cleaned article with a new fingerprint; no boilerplate is learned from it."""
    from aggregator.extract.shown_text import read_again

    again, reading, whole = read_again(article, all_tuning)
    return Prepared(
        article=again,
        fingerprint=fingerprinter(all_tuning.to_json()).fingerprint(
            replace(again, text=whole), reading
        ),
    )


def with_sketch(stored: Prepared, all_tuning: Tuning) -> Prepared:
    """Return a stored article with its stored fingerprint, and the sketch of its whole text added."""
    if stored.fingerprint is None:
        return stored
    whole = restore_lines(stored.article.text, stored.article.repeated)
    sketch = sampled_shingles.sketch(
        shingle_sequence(whole), all_tuning.section("copies", CopyTuning)
    )
    return replace(stored, fingerprint=replace(stored.fingerprint, sketch=sketch))
