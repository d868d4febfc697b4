"""The folder of sample articles keeps the shape that its README and labels promise."""

import itertools
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
ARTICLES = EXAMPLES / "articles"
OTHER_LANGUAGES = {"ferry-strike-lornum", "election-valcendre"}
LOOK_ALIKES = [
    ("tariffs-sixth-package", "tariffs-seventh-package"),
    ("match-halverne-calmouth", "match-thornwick-sennick"),
]
MONTHS = {
    10: ("October", "Oct.", "Oktober", "octobre"),
    11: ("November", "Nov.", "novembre"),
}
TOP_LINES = 12  # mastheads, breadcrumbs and empty lines stand above the date line


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of labels.jsonl."""

    file: str
    event: str
    copy_of: str | None


LABELS = msgspec.json.decode(
    b"[" + b",".join((EXAMPLES / "labels.jsonl").read_bytes().splitlines()) + b"]",
    type=list[Label],
)
every_article = pytest.mark.parametrize("label", LABELS, ids=lambda label: label.file)


def text_of(label: Label) -> str:
    return (ARTICLES / label.file).read_text(encoding="utf-8")


def outlet_of(label: Label) -> str:
    return label.file.partition("/")[0]


def shingles(label: Label) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text_of(label).lower())
    return set(zip(words, words[1:], words[2:], strict=False))


def days_named(head: str) -> set[tuple[int, int]]:
    """(month, day) of every full date of 2026 in the given lines."""
    days = {
        (int(month), int(day))
        for month, day in re.findall(r"\b2026-(\d\d)-(\d\d)\b", head)
    }
    days |= {
        (int(month), int(day))
        for day, month in re.findall(r"\b(\d\d)\.(\d\d)\.2026\b", head)
    }
    for month, names in MONTHS.items():
        name = "|".join(re.escape(spelling) for spelling in names)
        found = re.findall(
            rf"\b(\d{{1,2}})\.? (?:{name}) 2026|(?:{name}) (\d{{1,2}}), 2026", head
        )
        days |= {(month, int(before or after)) for before, after in found}
    return days


def test_labels_name_every_article_once() -> None:
    on_disk = sorted(
        path.relative_to(ARTICLES).as_posix()
        for path in ARTICLES.rglob("*")
        if path.is_file()
    )
    assert sorted(label.file for label in LABELS) == on_disk
    assert 34 <= len(on_disk) <= 38


@every_article
def test_article_is_one_text_in_its_outlets_folder(label: Label) -> None:
    assert re.fullmatch(r"[^/]+/[a-z0-9-]+\.txt", label.file)
    text = text_of(label)
    assert 150 <= len(text.split()) <= 460
    assert "\r" not in text
    assert text.endswith("\n")


@every_article
def test_date_stands_in_full_above_the_text(label: Label) -> None:
    head = "\n".join(text_of(label).splitlines()[:TOP_LINES])
    days = days_named(head)
    assert len(days) == 1, head
    assert (10, 1) <= min(days) <= (11, 16)


def test_copies_repeat_their_original_and_nothing_else_repeats_anything() -> None:
    by_file = {label.file: label for label in LABELS}
    original = {label.file: label.copy_of or label.file for label in LABELS}
    assert all(by_file[file].copy_of is None for file in original.values())
    sets = {label.file: shingles(label) for label in LABELS}
    for one, other in itertools.combinations(by_file, 2):
        shared = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        if original[one] == original[other]:
            # Furniture counts here, and each printed other paragraphs
            assert shared > 0.4, (one, other)
            assert by_file[one].event == by_file[other].event
        else:
            assert shared < 0.06, (one, other)


def test_events_have_different_outlets_and_look_alikes_are_apart() -> None:
    reports = Counter(label.event for label in LABELS)
    assert reports["dam-failure"] == 7
    assert reports["chemical-fire"] == 6
    assert sum(count == 1 for count in reports.values()) == 5
    assert reports.keys() >= OTHER_LANGUAGES
    for one, other in LOOK_ALIKES:
        assert reports[one] == reports[other] >= 2
    for event, count in reports.items():
        outlets = {outlet_of(label) for label in LABELS if label.event == event}
        assert len(outlets) == (6 if event == "dam-failure" else count)


def test_agency_text_carries_its_mark_in_some_reprints_only() -> None:
    original = next(label.copy_of for label in LABELS if label.copy_of)
    family = [label for label in LABELS if original in (label.file, label.copy_of)]
    marked = {label.file: "(MNA) —" in text_of(label) for label in family}
    assert marked[original]
    assert Counter(marked.values()) == {True: 3, False: 1}
    assert not any("MNA" in text_of(label) for label in LABELS if label not in family)


def test_live_blog_runs_backwards_over_midnight_and_slips_once() -> None:
    blog = next(label for label in LABELS if "live-blog" in label.file)
    clocks = re.findall(
        r"^(\d{1,2}):(\d\d) ([ap])\.m\.: ", text_of(blog), flags=re.MULTILINE
    )
    minutes = [
        int(hour) % 12 * 60 + int(minute) + 720 * (half == "p")
        for hour, minute, half in clocks
    ]
    rises = [
        later - earlier
        for earlier, later in itertools.pairwise(minutes)
        if later > earlier
    ]
    assert len(minutes) >= 8
    assert len(rises) == 2, "one step over midnight, one slip"
    assert 1 in rises
    assert max(rises) > 12 * 60


def test_readme_names_every_event() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [
        event
        for event in {label.event for label in LABELS}
        if f"`{event}`" not in readme
    ] == []
