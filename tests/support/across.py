"""What the tests of stories across languages share: the set of events, a toy model of two languages."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import REPOSITORY

SET = REPOSITORY / "tests" / "data" / "across.jsonl"

# Words that mean the same have one vector; written for the two articles of the tests of vectors.
MEANINGS = (
    ("bridge", "brücke"), ("closed", "gesperrt"), ("cracks", "risse"), ("steel", "stahl"),
    ("engineers", "ingenieure"), ("lorries", "lastwagen"), ("traffic", "verkehr"), ("river", "fluss"),
    ("repair", "reparatur"), ("weeks", "wochen"), ("inspection", "prüfung"), ("commuters", "pendler"),
    ("detour", "umleitung"), ("town", "stadt"), ("ferry", "fähre"), ("museum", "museen"),
    ("painting", "gemälde"), ("stolen", "gestohlen"), ("thieves", "diebe"), ("police", "polizei"),
    ("alarm", "alarmanlage"), ("frame", "rahmen"), ("guard", "wächter"), ("window", "fenster"),
)  # fmt: skip


def half(name: str) -> list[dict[str, Any]]:
    """The records of the half "dev" or "check": events told in two to four languages, and look-alikes."""
    records = [json.loads(line) for line in SET.read_text(encoding="utf-8").splitlines()]
    return [record for record in records if record["id"].startswith(f"{name}-")]


def make_model(folder: Path) -> Path:
    """A model on disk that knows the words of MEANINGS and nothing else."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[PAD]", "[UNK]", *(word for pair in MEANINGS for word in pair)]
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.normalizer = Lowercase()
    vectors = np.zeros((len(words), 32), dtype=np.float32)
    meanings = np.random.default_rng(7).normal(size=(len(MEANINGS), 32)).astype(np.float32)
    vectors[2:] = np.repeat(meanings, 2, axis=0)
    StaticModel(vectors, tokenizer, normalize=True).save_pretrained(folder)
    return folder
