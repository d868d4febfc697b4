"""The four articles that the project grew out of."""

from pathlib import Path

from aggregator.model.entry import Entry
from aggregator.sources.parse.records.jsonl import LabelledRecord


def seeds(data: Path) -> list[LabelledRecord]:
    texts = [
        path.read_text(encoding="utf-8")
        for path in sorted((data / "seeds").glob("*.txt"))
    ]
    entries = [
        Entry(source="seeds", guid=str(n), text=text, is_saved_text=True)
        for n, text in enumerate(texts)
    ]
    return [
        LabelledRecord(entry=entry, id=f"seed {n}") for n, entry in enumerate(entries)
    ]
