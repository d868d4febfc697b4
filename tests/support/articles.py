"""Invented articles and small ways to put them through the real pipeline."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, insert, select

from aggregator.config.tuning import Tuning
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.grouping.story_options import StoryOptions
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import Executor, InlineExecutor
from aggregator.model.entry import Entry, Published
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, pending_pages
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.stories.stream_history import DAYS
from aggregator.store.tables import (
    affinity,
    article,
    change,
    identity_key,
    observation,
    standing,
    story,
)
from aggregator.stories.story_tuning import StoryTuning
from tests.support.rows import written_by

NOON = datetime.fromisoformat("2026-10-12T12:00Z")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

FLOOD = """The river Arrel broke through the levee at Pennmouth shortly before ten on Sunday
evening and flooded the lower town within minutes. Firefighters took more than three
hundred residents off roofs with boats, the district administration said. Four people
were killed and two are missing. The water authority had raised its warning to the
highest level on Saturday after four days of rain. Mayor Ilse Brandt asked everybody who
lives below the market square to leave their homes. A pump station failed at eleven,
which let the water rise faster than engineers had reckoned with. Schools stay closed
until Wednesday and the railway to Calmouth is cut."""

FLOOD_ELSEWHERE = """Pennmouth woke up under water on Monday. After the levee on the Arrel gave way on Sunday
night, four residents were dead and two still missing, rescue services reported, while
hundreds had to be fetched from their roofs by boat. Ilse Brandt, the mayor, ordered the
quarters below the market square to be cleared. What made matters worse was a pump
station that stopped working in the evening. Trains to Calmouth do not run, and pupils
stay at home for the first half of the week. The water authority points to its warning
of Saturday."""

STRIKE = """Dock workers in Sennick walked out on Monday over a new roster that the port company
wants to bring in next month. Forty ships were waiting at anchor by noon. The union says
that night shifts would double, the company calls the plan a modest change and has gone
to court. Exporters of fruit fear for their cargo. A mediator named by the ministry of
labour is to meet both sides on Thursday. The last strike in the port, nine years ago,
lasted for sixteen days and cost the region about eighty million crowns, according to
the chamber of commerce."""

STRIKE_ELSEWHERE = """Dock workers in Sennick went on strike on Monday against a new roster of the port
company, and by noon forty ships were waiting at anchor. Night shifts would double, the union says. A mediator
of the ministry of labour will meet both sides on Thursday."""


BLOG = """9.40 p.m.: The levee at Pennmouth on the river Arrel has given way, firefighters say. Water stands
in the lower town and boats are on their way to residents on roofs.

8.15 p.m.: Mayor Ilse Brandt asks all who live below the market square in Pennmouth to leave their homes.

7.30 p.m.: The water authority keeps its warning for the Arrel at the highest level."""

# A later step of the affair that FLOOD began.
COLUMN = """Why is it so hard to say no to a stadium? Every few years a team owner discovers that the old
one is hopelessly out of date, and every few years a man like Mayor Otto Hale, who really should know
better, reaches for the purse of the state. But what does the country actually get in return? Jobs, perhaps,
though they are mostly part-time and very badly paid. Pride, surely, until the lease is up. It isn't that
anyone wants the team to leave. It is that the threat always works, because the government in Calmouth
simply lets it work. And yet there is another way. The towns of Sennick and Lornum that refused to hand over
forty million are doing just fine, and nobody there is asking for the deal back. Perhaps that is the only
question that matters: if the stadium is such a good investment, why aren't its owners even trying to pay
for it themselves? Is Minister Renn certainly not wondering whether they know exactly what it is worth? But
the state is still paying."""
DYKES = """CALMOUTH - Parliament voted on Friday for a fund of two billion crowns to renew the dykes of the
country, days after the river Arrel broke through the levee at Pennmouth. Four people were killed there,
and firefighters took hundreds of residents off roofs with boats. Finance minister Oda Renn had refused the
money until spring; she gave way after members of all parties called for the law. A quarter of the sum goes
to towns on the Arrel, where every second levee is older than sixty years. Engineers will inspect each of
them by autumn. The opposition said that the fund was too small and came too late for Pennmouth. Towns must
pay a tenth of what a new levee costs; the association of towns wants that share to be dropped."""

# A third step of the affair
FUND = """CALMOUTH - The fund of two billion crowns to renew the dykes of the country pays nothing before spring,
finance minister Oda Renn said on Sunday. Parliament voted for it on Friday, days after the river Arrel broke
through the levee at Pennmouth, where four people were killed and hundreds were taken off roofs with boats.
Towns on the Arrel, which are to get a quarter of the sum, said that every second levee there is older than
sixty years and that they cannot wait. Engineers begin to inspect the levees in autumn."""


class Clock:
    """A clock that tests set; it moves a second at every look, so that no two moments are equal."""

    def __init__(self, start: datetime = NOON, *, days: float = 0) -> None:
        self.time = start + days * DAY

    def __call__(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time


def record(source: str, guid: str, title: str, text: str, **more: Any) -> Entry:
    """An entry as a JSONL record gives it, published at NOON unless `more` says otherwise."""
    published = more.pop("published", NOON)
    return Entry(
        source=source,
        guid=guid,
        title=title,
        text=text,
        outlet=more.pop("outlet", source),
        published=Published(time=published)
        if isinstance(published, datetime)
        else published,
        **more,
    )


def page_of(text: str, title: str = "Levee breaks at Pennmouth") -> bytes:
    """A web page with one text."""
    return f"<html><body><article><h1>{title}</h1><p>{text}</p></article></body></html>".encode()


class Rig:
    """A database with its pipeline, for tests that only want to hand articles in."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime] | None = None,
        all_tuning: Tuning | None = None,
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
        executor: Executor | None = None,
    ) -> None:
        self.database, self.options = database, options
        self.executor = executor or InlineExecutor()
        self.clock = clock or Clock()
        self.all_tuning = all_tuning or Tuning()
        self.restart()

    def restart(self) -> None:
        """Forget all that is kept in memory."""
        self.pipeline = Pipeline(
            self.database, self.executor, self.all_tuning, self.clock, self.options
        )

    def accept(
        self, *entries: Entry, wants_page: Sequence[bool] | None = None, **more: Any
    ) -> list[AcceptResult]:
        """Into the inbox, nothing more."""
        with self.database.write() as connection:
            seen = [self.clock()] * len(entries)
            return [
                *acceptance.accept(
                    connection, entries, seen=seen, wants_page=wants_page, **more
                ).accepted
            ]

    def waits(self, item: Entry, **more: Any) -> int:
        """Accept an entry that waits for its page; the number of its row."""
        (accepted,) = self.accept(item, wants_page=[True], **more)
        assert accepted.entry_no is not None
        return accepted.entry_no

    def brings(self, n: int, page: bytes | None, url: str | None = None) -> None:
        """The page that a row waits for has come, from that address."""
        written_by(
            self.database,
            pending_pages.store_page,
            n,
            page=page,
            url=url,
            charset="utf-8",
        )

    def comes(
        self, n: int, page: bytes | None, url: str | None = None
    ) -> list[PlacementResult]:
        """Likewise, and all that waits is placed."""
        self.brings(n, page, url)
        return self.place()

    def place(self) -> list[PlacementResult]:
        """All that waits."""
        return [one for batch in self.pipeline.place_waiting() for one in batch]

    def take(self, *entries: Entry) -> list[PlacementResult]:
        """Accept and place."""
        self.accept(*entries)
        return self.place()

    def render(self) -> None:
        """Render all stories."""
        render_all(self.database, self.all_tuning)


def trust(database: Database, senders: Iterable[str]) -> None:
    """Let these have standing: by agreement on days long ago."""
    days = [
        {"sender": sender, "period": -day}
        for sender in sorted(set(senders))
        for day in range(DAYS)
    ]
    if days:
        with database.write() as connection:
            connection.execute(insert(standing), days)


def render_all(database: Database, all_tuning: Tuning | None = None) -> None:
    """Render all stories, as the daemon does by and by."""
    tuning = (all_tuning or Tuning()).section("stories", StoryTuning)
    while render_next(database, 50, tuning):
        pass


def settled(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that must be the same after the same input, whatever happened on the way: no clock times in it."""
    with database.read() as connection:
        return {
            name: [
                tuple(row)
                for row in connection.execute(
                    select(*columns).order_by(*columns[:keys])
                )
            ]
            for name, (columns, keys) in _SETTLED.items()
        }


def _columns(table: Table, names: str) -> list[Column[Any]]:
    return [table.c[name] for name in names.split()]


# The columns, and how many of the first ones are their key.
_SETTLED = {
    "stories": (
        _columns(
            story,
            "story_no id founding_article redirect_to title article_count outlet_count",
        )
        + _columns(story, "unknown_outlet_count report_count storyline"),
        1,
    ),
    "articles": (
        _columns(
            article,
            "inbox_no id story role kind kind_evidence is_compared copy_of",
        )
        + _columns(article, "title published terms evidence"),
        1,
    ),
    "changes": (
        _columns(
            change,
            "change_no story kind article others title title_before report_count",
        ),
        1,
    ),
    "affinities": (_columns(affinity, "article story logit"), 2),
    "keys": (_columns(identity_key, "key article"), 1),
    "sightings": (_columns(observation, "article source contents"), 2),
}


def flood(**more: Any) -> Entry:
    return record(
        "Gazette", "flood", "Levee breaks at Pennmouth, four dead", FLOOD, **more
    )


def flood_elsewhere() -> Entry:
    title = "Pennmouth under water after levee fails"
    return record("Herald", "flood", title, FLOOD_ELSEWHERE)


def flood_copied() -> Entry:
    return record("Mirror", "flood", "Levee breaks at Pennmouth, four dead", FLOOD)


def strike() -> Entry:
    return record("Herald", "strike", "Dock workers strike in Sennick", STRIKE)
