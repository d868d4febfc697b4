"""The story reader on a database in a folder of its own, and stories of invented events to write into it.

What a test asks of an output is a whole story, whatever articles the pipeline would make it of: stories are
written into the tables as they are wanted.
"""

import functools
import itertools
import shutil
import tempfile
import weakref
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.dialects import sqlite

from aggregator.model.article import ArticleView
from aggregator.model.evidence import Evidence, Reason
from aggregator.model.read_model import SourceView
from aggregator.model.story import Passage, Quotation, StoryName, StoryText, StoryView
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.search import index
from aggregator.store.stories import story_rows
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import article, source, story, story_log
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import executed
from tests.support.tables import rows


class WrittenStories(StoryReader):
    """The reader of an SQLite database, which goes with it; put stories in, then read."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp()
        self.database = with_tables(sqlite_file(f"{folder}/written.db"))
        super().__init__(self.database, now=lambda: MORNING)
        weakref.finalize(self, _remove, self.database, folder)
        self._numbers = itertools.count(1)

    def put(
        self, told: StoryView, text: StoryText | None = None, *moved_from: str
    ) -> None:
        """Writes or rewrites a story, logged at its last bump; `moved_from` are ids that it took in."""
        with self.database.write() as connection:
            same_id = select(story.c.story_no).where(story.c.id == told.id)
            number = connection.execute(same_id).scalar() or next(self._numbers)
            _put_row(connection, _story_row(told, number) | _rendered(text))
            for id_ in moved_from:
                gone = {
                    "story_no": next(self._numbers),
                    "id": id_,
                    "redirect_to": told.id,
                }
                _put_row(connection, _story_row(told, number) | gone)
            self._write_articles(connection, told)
            topics = [StoryName(name=one, outlets=1) for one in told.topics]
            story_rows.write_subjects(connection, [(number, told.names, topics)])
            connection.execute(
                insert(story_log).values(story=told.id, at=told.updated, kind="written")
            )

    def _write_articles(self, connection: Connection, told: StoryView) -> None:
        earlier = select(article.c.inbox_no).where(article.c.story == told.id)
        for number in connection.execute(earlier).scalars().all():
            index.take_out(connection, number)
        connection.execute(delete(article).where(article.c.story == told.id))
        for one in told.articles:
            row = _article_row(one) | {
                "inbox_no": next(self._numbers),
                "story": told.id,
            }
            row |= {"text": None} if told.texts_gone else {}
            connection.execute(insert(article).values(row))
        index.index_next(connection, len(told.articles))

    def join(self, story_id: str, article_id: str, at: datetime) -> None:
        """Logs that an article joined a story."""
        line = {"story": story_id, "at": at, "kind": "joined", "article": article_id}
        executed(self.database, insert(story_log).values(line))

    def set_sources(self, *sources: SourceView) -> None:
        """Adds sources. The articles of an outlet are from the source with its name, with hyphens, as id."""
        same = (
            "id",
            "kind",
            "name",
            "folder",
            "site_url",
            "interval_seconds",
            "origin",
        )
        with self.database.write() as connection:
            for one in sources:
                row = {name: getattr(one, name) for name in same} | {
                    "address": one.url or "",
                    "pages": "auto",
                    "health": one.state,
                    "health_cause": one.problem,
                    "next_due_at": one.next_due or MORNING,
                    "last_success_at": one.last_success,
                }
                connection.execute(insert(source).values(row))


def _put_row(connection: Connection, row: dict[str, Any]) -> None:
    written = sqlite.insert(story).values(row)
    connection.execute(
        written.on_conflict_do_update(index_elements=["story_no"], set_=row)
    )


def _remove(database: Database, folder: str) -> None:
    database.engine.dispose()
    shutil.rmtree(folder)


def _rendered(text: StoryText | None) -> dict[str, Any]:
    if text is None:
        return {"rendered": None, "text": None}
    return {"rendered": codecs.compress_struct(text), "text": ""}


def _story_row(told: StoryView, number: int) -> dict[str, Any]:
    same = {
        name: getattr(told, name) for name in told.__struct_fields__ if name in story.c
    }
    return same | {
        "storyline": told.storyline and told.storyline.id,
        "story_no": number,
        "founding_article": told.articles[0].id,
        "founding_no": 0,
        "bumped_at": told.updated,
        "last_inbox_no": 0,
    }


def _article_row(one: ArticleView) -> dict[str, Any]:
    same = {
        name: getattr(one, name) for name in one.__struct_fields__ if name in article.c
    }
    of_details = {*one.__struct_fields__} & {*ArticleDetails.__struct_fields__} - {
        *same
    }
    details = ArticleDetails(**{name: getattr(one, name) for name in of_details})
    return same | {
        "root_article": one.id,
        "is_compared": True,
        "is_polled": True,
        "source": (one.outlet or "").replace(" ", "-"),
        "outlet": one.outlet_key,
        "outlet_name": one.outlet,
        "seen_at": one.seen,
        "placed_at": one.seen,
        "details": codecs.pack(details),
        "evidence": codecs.pack_compressed(one.evidence or Evidence(stage="founded")),
        "verdict": "ok",
        "body_words": len(one.text.split()),
        **dict.fromkeys(("signature", "terms", "text_hash"), b""),
    }


# --- building nouns in tests -------------------------------------------------------------------------------

MORNING = datetime.fromisoformat("2026-11-20T06:30Z")
_numbers = itertools.count(1)


def an_article(**given: object) -> ArticleView:
    """An article of an invented outlet; what a test does not care about is filled in."""
    number = next(_numbers)
    time = given.get("effective_at") or given.get("published") or MORNING
    values: dict[str, object] = {
        "id": f"art{number}",
        "inbox_no": number,
        "outlet": "The Harbour Post",
        "url": f"https://harbour-post.example/{number}",
        "title": "Ferry runs aground off Lind island",
        "published": time,
        "seen": MORNING,
        "effective_at": time,
        "language": "en",
        "copy_of": None,
        "wire": None,
        "role": "report",
        "published_origin": "feed",
        "published_precision": "minute",
    }
    values |= given
    return msgspec.convert({"outlet_key": values["outlet"]} | values, ArticleView)


def a_story(*articles: ArticleView, **given: object) -> StoryView:
    """A story of `articles` (default: one)."""
    members = articles or (an_article(),)
    times = [article.effective_at for article in members]
    values: dict[str, object] = {
        "id": f"story{next(_numbers)}",
        "title": members[0].title,
        "summary": members[0].lead,
        "language": "en",
        "first_published": min(times),
        "last_published": max(times),
        "updated": max(times),
        "article_count": len(members),
        "outlet_count": len({article.outlet for article in members} - {None}),
        "unknown_outlet_count": sum(article.outlet is None for article in members),
        "report_count": max(1, sum(article.role == "report" for article in members)),
        "articles": members,
    }
    return msgspec.convert(values | given, StoryView)


def at(hour: int, minute: int) -> datetime:
    """A moment of the evening before."""
    return datetime(2026, 11, 19, hour, minute, tzinfo=UTC)


def the_ferry() -> tuple[StoryView, StoryText]:
    """A story with everything in it: copies, an agency, a live blog, openings, a quotation."""

    def one(
        id_: str, outlet: str, title: str, time: datetime, text: str, **more: object
    ) -> ArticleView:
        return an_article(
            id=id_, outlet=outlet, title=title, published=time, text=text, **more
        )

    aground = "Ferry with 212 on board runs aground off Lind island in fog"
    taken_off = "Passengers taken off stranded ferry near Lind"
    scrape = "‘We heard a long scrape’: islanders take in ferry passengers"
    updates = "Live: the Aurelia rescue, minute by minute"
    live = "22:48: The first boat reaches Lind harbour.\n23:31: The captain leaves the ship last."
    similar = (Reason(name="title", value=0.6, share=2.1),)
    event = Evidence(stage="event", score=4.21, need=1.5, reasons=similar)
    of_post = {
        "lead": _POST_LEAD,
        "author": "Ines Karlow",
        "evidence": Evidence(stage="founded"),
    }
    of_wire = {
        "lead": _LIFEBOATS,
        "wire": "NPA",
        "evidence": event,
        "url": "https://courier.example/news/ferry",
    }
    of_copy = {
        "role": "copy",
        "copy_of": "ferrywire",
        "wire": "NPA",
        "url": "https://eastgate.example/a/ferry",
    }
    of_island = {"lead": _ISLAND_LEAD, "url": "https://island-weekly.example/aurelia"}
    of_live = {
        "lead": "All updates on the rescue of the passengers of the Aurelia.",
        "role": "container",
    }
    articles = (
        one("ferrypost", "The Harbour Post", aground, at(21, 10), _POST, **of_post),
        one("ferrywire", "Northern Courier", taken_off, at(22, 5), _WIRE, **of_wire),
        one("ferrycopy", "Eastgate Gazette", taken_off, at(22, 40), _WIRE, **of_copy),
        one("ferryisle", "Island Weekly", scrape, at(23, 20), _ISLAND, **of_island),
        one(
            "ferrylive",
            "Radio Meridian",
            updates,
            at(23, 55),
            live,
            **of_live,
            url=_LIVE,
        ),
    )
    bumped = datetime.fromisoformat("2026-11-20T00:04:11.250000Z")
    story = a_story(
        *articles,
        id="lindferry",
        summary=articles[0].lead,
        updated=bumped,
        report_count=3,
    )
    return story, _ferry_text(story)


_LIVE = "https://meridian.example/live/ferry"
_POST_LEAD = "A ferry carrying 212 passengers ran aground off Lind island on Thursday evening in dense fog."
_POST = (
    f"{_POST_LEAD}\n"
    "The Aurelia left Eastgate at 19.40 and struck the Brandt shoal an hour later.\n"
    "Two people were slightly injured, the operator said.\n"
    "The harbour master had warned of poor visibility since noon."
)
_LIFEBOATS = (
    "Lifeboats took all passengers off the ferry Aurelia by 23.30, the coastguard said."
)
_WIRE = (
    f"LIND (NPA) - {_LIFEBOATS}\n"
    "The vessel hit the Brandt shoal at about 20.40 after leaving Eastgate.\n"
    "Five people were treated for injuries, a coastguard spokeswoman said."
)
_ISLAND_LEAD = "Families on Lind opened their homes to passengers of the Aurelia."
_ISLAND = (
    f"{_ISLAND_LEAD}\n"
    "“We heard a long scrape, and then nothing but horns,” said Marta Dahl, who runs the inn by the pier.\n"
    "All passengers were brought ashore before midnight."
)


def _ferry_text(story: StoryView) -> StoryText:
    island = _ISLAND.split("\n")
    return StoryText(
        title=story.title,
        lead=tuple(
            Passage(text=line, article_id="ferrypost") for line in _POST.split("\n")[:2]
        ),
        openings=(
            Passage(text=island[0], article_id="ferryisle"),
            Passage(text=_LIFEBOATS, article_id="ferrywire"),
        ),
        quotations=(
            Quotation(speaker="Marta Dahl", text=island[1], article_ids=("ferryisle",)),
        ),
    )


@functools.cache
def full_reader() -> WrittenStories:
    """The ferry and a few other stories over three days, with sources; for all tests that only read."""
    return filled_reader()


def filled_reader() -> WrittenStories:
    """The same, for a test that writes further stories."""
    story_reader = WrittenStories()
    story_reader.put(*the_ferry(), "oldferry")
    for hours, outlet, title, lead in _OTHERS:
        time = MORNING - timedelta(hours=hours)
        article = an_article(
            outlet=outlet, title=title, lead=lead, text=lead, published=time
        )
        story_reader.put(a_story(article))
    times = [MORNING - timedelta(hours=n) for n in range(len(_BUDGET_TITLES))]
    budget = [
        an_article(
            outlet=name, title=title, lead=_BUDGET, text=_BUDGET, effective_at=time
        )
        for (name, title), time in zip(_BUDGET_TITLES, times, strict=True)
    ]
    story_reader.put(
        a_story(*budget, id="budget", outlet_count=7, report_count=6, article_count=7)
    )
    site = "https://harbour-post.example/"
    polled = {"last_success": MORNING, "next_due": MORNING + timedelta(minutes=30)}
    sources: dict[str, dict[str, Any]] = {
        "The Harbour Post": {
            "state": "ok",
            "folder": "Coast",
            "url": f"{site}feed?key=secret",
            **polled,
        },
        "Island Weekly": {
            "state": "failing",
            "folder": "Coast",
            "problem": "HTTP 503 since 2 days",
        },
        "Radio Meridian": {"state": "new"},
    }
    sources["The Harbour Post"]["site_url"] = site
    story_reader.set_sources(
        *(
            SourceView(id=name.replace(" ", "-"), name=name, **given)
            for name, given in sources.items()
        )
    )
    return story_reader


_BUDGET = (
    "The council of Eastgate passed a budget of 41 million crowns after nine hours of talks, with a rise in "
    "tram fares that two parties had ruled out."
)
_BUDGET_TITLES = rows("written_stories", "budget titles")
_OTHERS = rows("written_stories", "others")
