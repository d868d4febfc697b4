"""Articles for runs that are killed: those of others where they are there, else invented ones."""

import gzip
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import REPOSITORY
from tests.support.tables import rows

SETS = ("fulltext", "headlines", "leads", "lookalikes")


def records(count: int) -> list[dict[str, Any]]:
    """So many records: labelled articles, as far as there are any, then invented ones; with hard cases."""
    given = REPOSITORY / os.environ.get(
        "AGGREGATOR_DATA", REPOSITORY.parent / "shared" / "data"
    )
    files = [given / f"events-{name}.jsonl.gz" for name in SETS]
    labelled = [one for file in files if file.is_file() for one in taken(file, count)]
    labelled = [_dated(one, number) for number, one in enumerate(labelled)]
    found = list(islice(with_hard_cases([*labelled, *invented(count)]), count))
    assert len(found) == count
    return found


def _dated(one: dict[str, Any], number: int) -> dict[str, Any]:
    """With a date where it has none, but for a few: the undated sort by the clock of the run."""
    if one["published"] or number % 50 == 0:
        return one
    day = f"2025-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}"
    return one | {"published": f"{day}T{number % 24:02}:00:00Z"}


def taken(dataset: Path, count: int) -> list[dict[str, Any]]:
    with gzip.open(dataset, "rt") as lines:
        return [json.loads(line) for line in islice(lines, count)]


def with_hard_cases(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Reprints, corrected texts, a reused id, a live blog and an outlet's footer among the articles."""
    for number, one in enumerate(records):
        yield one
        if not one["text"]:
            continue
        if number % 7 == 3:  # more than twenty: the footer is learnt on the way
            footed = f"{one['text']}\n{FOOTER}"
            yield one | {
                "id": f"footer {number}",
                "source": "Footer Post",
                "text": footed,
            }
        if number % 25 == 7:
            yield one | {
                "id": f"reprint {number}",
                "url": None,
                "source": "Morning Reprint",
            }
        if number % 40 == 13:
            yield one | {"text": f"{one['text']} A sentence was added later."}
        if number % 60 == 20:
            yield one | {"title": "Another matter", "text": records[number - 9]["text"]}
        if number % 50 == 30:
            sentences = enumerate(one["text"].split(". ")[:6], start=1)
            text = "\n\n".join(f"{hour}.15 p.m.: {words}." for hour, words in sentences)
            own = {
                "id": f"live {number}",
                "source": "Ticker",
                "title": f"Live blog: {one['title']}",
            }
            yield own | {"text": text, "published": one["published"]}


FOOTER = "The Footer Post is printed in Orrin on paper from its own forests."
PLACES = (
    "Pennmouth",
    "Sennick",
    "Calmouth",
    "Orrin",
    "Tavelle",
    "Brask",
    "Lower Hume",
    "Isk",
)
MATTERS = rows("kill_records", "matters")
SAID = (
    "Witnesses had noticed the first signs {n} days before.",
    "A spokeswoman said that {w} inquiries were under way.",
    "The council of {p} meets on Thursday.",
    "{w} residents signed a letter of protest.",
    "Trains from {p} run again since the evening.",
    "The insurer puts the damage at {n} million crowns.",
)


def invented(count: int) -> list[dict[str, Any]]:
    """Articles about invented events, two or three to an event."""
    rng, records = Random(5), []
    while len(records) < count:
        word, opening = rng.choice(MATTERS)
        facts = {
            "p": rng.choice(PLACES),
            "n": rng.randint(2, 60),
            "w": rng.randint(2, 900),
        }
        day = f"2026-03-{rng.randint(1, 28):02}"
        for outlet in rng.sample(
            ("Gazette", "Herald", "Courier", "Post"), rng.randint(1, 3)
        ):
            said = " ".join([opening, *rng.sample(SAID, 4)]).format(**facts)
            title = f"{word.capitalize()} in {facts['p']}: {facts['w']} concerned"
            own = {
                "id": str(len(records)),
                "url": None,
                "source": outlet,
                "published": day,
            }
            records.append(own | {"title": title, "text": said})
    return records[:count]
