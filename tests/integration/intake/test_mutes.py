"""Muted entries: refused at intake or after they were read, counted, listed, and placed once unmuted."""

from collections.abc import Iterator

import pytest

from aggregator.config.settings import Config
from aggregator.config.source_settings import MuteConfig, SourceConfig
from aggregator.config.tuning import Tuning
from aggregator.grouping.mutes import Mutes
from aggregator.intake.configured import mutes_of, story_options
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.errors import ConfigError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages, rejected
from aggregator.store.intake.source_rows import Source, add, all_sources, source_id
from aggregator.store.maintenance.integrity_check import balance
from aggregator.store.read.health.problem_texts import problem_texts
from aggregator.store.tables import article
from tests.support.articles import NOON, Clock, record
from tests.support.deep_checks import faults
from tests.support.loopback import LoopbackServer
from tests.support.rows import column, read_by
from tests.support.tables import mapping

ALL_TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})
PAGE = "<html><body><article><h1>{0}</h1><p>{1}</p></article></body></html>"
ITEM = "<item><guid>{0}</guid><link>{1}</link><title>{2}</title><description>Short.</description>{3}</item>"
NEWS = mapping("mutes", "news")
MUTES = MuteConfig(
    words=("advertorial", "dredg*"), categories=("Sport",), kinds=("opinion",)
)


class Reading:
    """Two feeds on loopback with pages; the second one has what is muted at the first one, too."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, Clock()
        text = "The engineers of the harbour said on {0} that they would come back after {0}. "
        self.server = LoopbackServer(
            {
                f"/{path}": PAGE.format(title, text.format(path) * 5)
                for path, (title, _) in NEWS.items()
            }
            | {"/a": self.feed("A", *NEWS), "/b": self.feed("B", "ferry")}
        )
        self.client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), ALL_TUNING)
        self.place_with(Config())

    def feed(self, name: str, *paths: str) -> str:
        items = "".join(map(self.item, paths))
        return (
            f"<rss version='2.0'><channel><title>{name}</title>{items}</channel></rss>"
        )

    def item(self, path: str) -> str:
        return ITEM.format(path, f"/{path}", *NEWS[path])

    def place_with(self, config: Config) -> None:
        options = story_options(config)
        services = PollServices(
            self.database, self.client, InlineExecutor(), ALL_TUNING, self.clock
        )
        self.poller = Poller(
            services, robots=False, pages="always", mutes=options.mutes
        )
        self.pipeline = Pipeline(
            self.database, InlineExecutor(), ALL_TUNING, self.clock, options
        )

    def round(self) -> None:
        for one in read_by(self.database, all_sources):
            self.poller.poll(one)
        self.read_pages()

    def read_pages(self) -> None:
        for one in read_by(
            self.database, pending_pages.load_due_pages, self.clock(), 50
        ):
            self.poller.fetch_page(one)
        for _ in self.pipeline.place_waiting():
            pass

    def titles(self) -> set[str]:
        return set(column(self.database, article.c.title))

    def reasons(self, source: str) -> set[str | None]:
        refused = read_by(self.database, problem_texts, source, 50)
        return {one.reason for one in refused if one.verdict == "muted"}


@pytest.fixture
def reading(database: Database) -> Iterator[Reading]:
    made = Reading(database)
    yield made
    made.client.close()
    made.server.close()


@pytest.mark.later
def test_muted_entries_are_counted_listed_and_come_back(reading: Reading) -> None:
    first, second = (
        SourceConfig(feed=reading.server.url("/a"), mute=MuteConfig(words=("ferry",))),
        SourceConfig(feed=reading.server.url("/b")),
    )
    reading.place_with(Config(mute=MUTES, sources=(first, second)))
    ids = [source_id("feed", None, one.feed or "") for one in (first, second)]
    with reading.database.write() as connection:
        for id_, one in zip(ids, (first, second), strict=True):
            source = Source(
                id=id_,
                kind="feed",
                address=one.feed or "",
                interval_seconds=600,
                next_due_at=NOON,
            )
            add(connection, source)
    wanted = {NEWS[path][0] for path in ("lock", "advert", "ferry")}
    for again in range(2):
        reading.server.routes |= {"/b": reading.feed(f"B{again}", "ferry")}
        reading.server.routes |= {"/a": reading.feed(f"A{again}", *NEWS)}
        reading.round()
        assert reading.titles() == wanted, (
            "the ferry is from the second feed, which has no mute"
        )
        assert reading.reasons(ids[0]) == {
            "muted: word 'advertorial'",
            "muted: word 'dredg*'",
            "muted: category 'Sport'",
            "muted for this source: word 'ferry'",
        }
        assert reading.reasons(ids[1]) == set()
        assert balance(reading.database).refused_as == (("muted", 4),)
        assert faults(reading.database) == []
    asked = {request.path for request in reading.server.requests}
    assert asked == {"/a", "/b", "/lock", "/advert", "/ferry"}, (
        "no muted page is fetched"
    )

    left = Config(mute=MuteConfig(kinds=("opinion",)), sources=(second,))
    reading.place_with(left)
    holds = mutes_of(left).holds
    queued = 0
    while step := reading.database.transact(
        lambda writing: rejected.unmute(writing, holds)
    ):
        queued += step
    assert queued == 4
    reading.read_pages()
    assert reading.titles() == {title for title, _ in NEWS.values()} - {NEWS["view"][0]}
    assert reading.reasons(ids[0]) == {"muted: kind 'opinion'"}, (
        "known only after its page was read"
    )
    assert "/car" in {request.path for request in reading.server.requests}
    assert faults(reading.database) == []


def test_what_is_muted_by_outlet_folder_and_opening() -> None:
    """Whole words, whatever their case and accents; `Mueller` is Müller."""
    mutes = Mutes(
        everywhere=(
            ("outlets", "harbour post"),
            ("folders", "Sport"),
            ("words", "Mueller"),
        )
    )
    entry = record(
        "s", "1", "Ferry aground", "A ferry.", outlet="Harbour Post", published=None
    )
    assert mutes.why(entry, None) == "muted: outlet 'harbour post'"
    other = record(
        "s", "1", "Frau Müller wins", "A ferry.", outlet="Echo", published=None
    )
    assert mutes.why(other, None) == "muted: word 'Mueller'"
    source = Source(
        id="s",
        kind="feed",
        address="",
        folder="sport",
        interval_seconds=1,
        next_due_at=NOON,
    )
    plain = record("s", "1", "Muellers wins", "Mueller.", outlet="Echo", published=None)
    assert mutes.why(plain, source) == "muted: folder 'Sport'"
    assert mutes.why(plain, None) is None
    assert Mutes().why(entry, source) is None
    with pytest.raises(ConfigError, match="at most 64 words"):
        mutes_of(Config(mute=MuteConfig(words=("a " * 65,))))
