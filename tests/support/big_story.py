"""Stories of many reports of known feeds, which others try to advertise in."""

import gzip
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from tests.support.articles import NOON, Rig, record, trust
from tests.support.polled_world import Shown, shown_of
from tests.support.rows import queried
from tests.support.story_checks import what_is_wrong

DATA = Path(
    os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[3] / "shared" / "data")
)
EVENTS = DATA / "events-lookalikes.jsonl.gz"
needs_events = pytest.mark.skipif(
    not EVENTS.exists(), reason=f"no {EVENTS.name} in {DATA}"
)

STORIES = [
    "ecb-7-plus",
    *(
        pytest.param(one, marks=pytest.mark.later)
        for one in ("ecb-21-plus", "ecb-25-plus", "ecb-27-ecb")
    ),
]
ADVERTISEMENTS = (
    "Slimona helped 4,000 customers of the Golden Harbour pharmacy lose twelve kilos in a month.",
    "The Golden Harbour pharmacy sells three bottles of Slimona for 29 dollars until Sunday.",
    "Doctor Ruth Sellers recommends Slimona to patients in 40 countries.",
    "The secret of Slimona is a berry from the Carpathian mountains, which burns fat while people sleep.",
    "Golden Harbour delivers every bottle of Slimona free of charge within two days.",
)
ADVERTISED = " ".join(ADVERTISEMENTS)
LATER = NOON + timedelta(hours=6)


class BigStory:
    """A story of known feeds; two reports of its event have not come yet."""

    def __init__(
        self,
        database: Database,
        event: str,
        *,
        are_known: bool = True,
        known: tuple[str, ...] = (),
    ) -> None:
        with gzip.open(EVENTS, "rt", encoding="utf-8") as lines:
            records = [one for one in map(json.loads, lines) if one["cluster"] == event]
        *came, self.withheld, self.withheld_too = (
            one for one in records if len(one["text"].split()) > 40
        )
        self.rig = Rig(database)
        outlets = [one["source"] or one["id"] for one in came]
        trust(
            database,
            [feed_of(outlet) for outlet in (*known, *(outlets if are_known else ()))],
        )
        self.rig.take(
            *(
                of_feed(
                    outlet,
                    one["title"],
                    one["text"],
                    NOON + timedelta(minutes=20 * place),
                )
                for place, (outlet, one) in enumerate(zip(outlets, came, strict=True))
            )
        )
        homes = [row.story for row in queried(database, select(article.c.story))]
        self.id = max(homes, key=homes.count)
        told = select(article.c.title, article.c.text).where(
            article.c.story == self.id, article.c.role == "report"
        )
        self.reports = queried(database, told.order_by(article.c.inbox_no)).all()
        *_, self.last = [row for row in self.reports if len(row.text.split()) > 60]

    def shown(self) -> Shown:
        return shown_of(self.rig, self.id)

    def takes(self, *entries: Entry) -> Shown:
        """The story after these entries and those of the next hours, with which a second look comes."""
        self.rig.clock.time = max(self.rig.clock.time, LATER)
        self.rig.take(*entries)
        self.rig.take(
            *(of_feed(f"{n}.example", "", f"Nothing {n}", LATER) for n in range(40))
        )
        assert what_is_wrong(self.rig.database, self.rig.pipeline.placer) == []
        return self.shown()


def feed_of(outlet: str) -> str:
    return f"https://{outlet}/feed"


def of_feed(outlet: str, title: str, said: str, when: Any) -> Entry:
    more: dict[str, Any] = {
        "outlet": outlet,
        "authority": "foreign",
        "language": "en",
        "published": when,
    }
    return record(feed_of(outlet), f"{outlet} {title}", title, said, **more)
