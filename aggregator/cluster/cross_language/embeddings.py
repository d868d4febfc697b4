"""Sentence vectors of many languages in one space: the optional extra, loaded in the workers only.

The model is a folder on disk (a static multilingual model in the format of model2vec); nothing is fetched.
What a text becomes is the mean over its words' vectors, so an article costs well below a millisecond.
"""

import os
from collections.abc import Sequence
from functools import lru_cache

from aggregator.cluster.cross_language.features import packed_vector


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
        return [packed_vector(vector) for vector in vectors]


@lru_cache(maxsize=1)
def sentence_vectors(folder: str) -> SentenceVectors:
    """The model of `folder`; the same object for the same folder."""
    return SentenceVectors(folder)
