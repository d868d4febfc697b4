"""The folder of sample articles keeps the shape that its README and labels promise."""

from pathlib import Path

import msgspec

EXAMPLES = Path(__file__).parents[3] / "examples"
ARTICLES = EXAMPLES / "articles"


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of labels.jsonl."""

    file: str
    event: str
    copy_of: str | None


LABELS = msgspec.json.decode(
    b"[" + b",".join((EXAMPLES / "labels.jsonl").read_bytes().splitlines()) + b"]",
    type=list[Label],
)


def test_labels_name_every_article_once() -> None:
    on_disk = sorted(
        path.relative_to(ARTICLES).as_posix()
        for path in ARTICLES.rglob("*")
        if path.is_file()
    )
    assert sorted(label.file for label in LABELS) == on_disk
    assert 34 <= len(on_disk) <= 38


def test_readme_names_every_event() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [
        event
        for event in {label.event for label in LABELS}
        if f"`{event}`" not in readme
    ] == []
