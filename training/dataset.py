"""Labelled articles for training and checking, as plain values. Their texts are not cleaned."""

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple


class Labelled(NamedTuple):
    """One record of a labelled JSONL file."""

    id: str
    title: str
    text: str
    language: str
    cluster: str


def data_folder() -> Path:
    """Return the folder of the labelled files: AGGREGATOR_DATA, or else shared/data beside the checkout."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("AGGREGATOR_DATA", default))


def read_labelled(name: str) -> list[Labelled]:
    """Return the records of one file, in their order. `name` is a path, or else a name in the data folder."""
    path = Path(name) if Path(name).exists() else data_folder() / name
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_labelled(json.loads(line)) for line in lines]


def _labelled(record: dict[str, str | None]) -> Labelled:
    return Labelled(
        id=record["id"] or "",
        title=record.get("title") or "",
        text=record.get("text") or "",
        language=record.get("lang") or "en",
        cluster=record.get("cluster") or record["id"] or "",
    )


def is_held_out(cluster: str) -> bool:
    """Return whether an event is in the half that is not trained on.

    The hash is salted, because the plain one-byte blake2b of the ids is odd for every event of events-fulltext.
    """
    digest = hashlib.blake2b(
        cluster.encode(), digest_size=8, person=b"held-out"
    ).digest()
    return digest[0] % 2 == 1
