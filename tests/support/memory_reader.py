"""A complete story reader in memory, and stories of invented events to put into it.

`MemoryReader` answers every question of `aggregator.model.read_model.StoryReader` from plain values, so that
the outputs are tested with neither a database nor a mock.
"""

import datetime as dt
import hashlib
import itertools
from collections.abc import Callable

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import (
    OPINION_KINDS,
    ArticleView,
    AttributedSentence,
    Evidence,
    Fact,
    MergedStory,
    Reason,
    StoryView,
    TimelineItem,
)
from aggregator.model.errors import UsageError
from aggregator.model.read_model import (
    TITLES_LISTED,
    ArticleDetail,
    Change,
    ChangedStories,
    Digest,
    FrontPageStory,
    Health,
    HistoryEvent,
    ListedTitle,
    Quality,
    SearchBounds,
    SearchHit,
    SearchResults,
    SourceView,
    StoryFilter,
    StoryHit,
    StoryListItem,
    StoryPage,
    StoryRedirect,
)
from aggregator.store.read.front_page import FrontPageTuning, ranked
from aggregator.stories.lexicon import clean_title


def list_item_of(story: StoryView) -> StoryListItem:
    """Return a story as a list shows it."""
    apart = ("outlets", "titles")
    shared = {name: getattr(story, name) for name in StoryListItem.__struct_fields__ if name not in apart}
    outlets = {article.outlet_key: article.outlet for article in story.articles if article.outlet}
    newest = sorted(story.articles, key=lambda one: (-one.effective_at.timestamp(), one.id))
    titles: dict[str | None, ArticleView] = {}
    for article in newest:
        if article.outlet and article.role == "report":
            titles.setdefault(article.outlet_key, article)
    listed = [
        ListedTitle(outlet=one.outlet or "", title=one.title, url=one.url)
        for one in [*titles.values()][: TITLES_LISTED + 1]
        if story.outlet_count > 1 and one.title and one.kind not in OPINION_KINDS
        if story.title not in (one.title, clean_title(one))
    ]
    return StoryListItem(**shared, outlets=tuple(outlets.values()), titles=tuple(listed[:TITLES_LISTED]))


class MemoryReader:
    """Stories in a dict; put some in, then read."""

    def __init__(self) -> None:
        self._stories: dict[str, StoryView] = {}
        self._merged: dict[str, MergedStory] = {}
        self.made: tuple[Digest, ...] = ()  # digests, newest first
        self._puts = 0
        self._moved: dict[str, str] = {}
        self._changes: list[Change] = []
        self._sources: tuple[SourceView, ...] = ()
        self._health = Health()
        self._folders: dict[str, str] = {}  # outlet → folder
        self._grown: dict[str, list[HistoryEvent]] = {}
        self._quality = Quality(
            stories=0,
            by_reports=(),
            largest=(),
            rendered=0,
            without_fact_count=0,
            without_fact=(),
            days=90,
            merges=0,
            split_count=0,
            undone=0,
        )

    def put(self, story: StoryView, merged: MergedStory | None = None, *moved_from: str) -> None:
        """Adds or replaces a story; `moved_from` are ids that it took in."""
        self._puts += 1
        self._stories[story.id] = story
        if merged:
            self._merged[story.id] = merged
        self._moved.update(dict.fromkeys(moved_from, story.id))

    def set_sources(self, *sources: SourceView) -> None:
        self._sources = sources
        self._folders = {source.name: source.folder or "" for source in sources}

    def set_health(self, health: Health) -> None:
        self._health = health

    def stories(self, wanted: StoryFilter) -> StoryPage:
        fitting = [story for story in self._stories.values() if self._fits(story, wanted)]
        fitting.sort(key=lambda story: (story.updated, story.id), reverse=True)
        if wanted.after is not None:
            if wanted.after not in self._stories:
                raise UsageError("after is no cursor of this server")
            last = self._stories[wanted.after]
            fitting = [s for s in fitting if (s.updated, s.id) < (last.updated, last.id)]
        shown = fitting[: wanted.limit]
        more = len(fitting) > len(shown)
        return StoryPage(stories=tuple(_for_list(s) for s in shown), next=shown[-1].id if more else None)

    def _fits(self, story: StoryView, wanted: StoryFilter) -> bool:
        articles = story.articles
        words = wanted.query.casefold().split()
        text = " ".join([story.title, *(a.title + " " + a.text for a in articles)]).casefold()
        return (
            all(word in text for word in words)
            and (wanted.since is None or story.last_published >= wanted.since)
            and (wanted.until is None or story.last_published <= wanted.until)
            and (wanted.min_outlets <= 1 or story.outlet_count >= wanted.min_outlets)
            and story.report_count >= wanted.min_reports
            and (wanted.outlet is None or any(a.outlet == wanted.outlet for a in articles))
            and (wanted.language is None or any(a.language == wanted.language for a in articles))
            and (wanted.topic is None or wanted.topic in story.topics)
            and (wanted.name is None or any(one.name == wanted.name for one in story.names))
            and (wanted.folder is None or any(self._in_folder(a, wanted.folder) for a in articles))
        )

    def _in_folder(self, article: ArticleView, folder: str) -> bool:
        return self._folders.get(article.outlet or "") == folder

    def story(self, story_id: str, /) -> StoryView | StoryRedirect | None:
        if story_id in self._moved:
            return StoryRedirect(to=self._moved[story_id])
        return self._stories.get(story_id)

    def article(self, article_id: str, /) -> ArticleDetail | None:
        for story in self._stories.values():
            for article in story.articles:
                if article.id == article_id:
                    copies = tuple(a for a in story.articles if a.copy_of == article_id)
                    return ArticleDetail(
                        article=article,
                        story=story.id,
                        story_title=story.title,
                        revisions=0,
                        copies=copies,
                    )
        return None

    def gone(self, id: str, /) -> bool:  # noqa: A002
        return False

    def merged(self, story_id: str, /) -> MergedStory | None:
        return self._merged.get(story_id)

    def merged_with_summary(self, story_id: str, /) -> tuple[MergedStory | None, None]:
        return self._merged.get(story_id), None

    def rendered(self, ids: tuple[str, ...], /) -> dict[str, MergedStory]:
        return {id_: self._merged[id_] for id_ in ids if id_ in self._merged}

    def rank_front_page(self, wanted: StoryFilter, prefer: tuple[str, ...]) -> tuple[FrontPageStory, ...]:
        glances = [
            FrontPageStory(
                id=one.id,
                updated=one.updated,
                report_count=one.report_count,
                language=one.language,
                preferred=any(article.outlet in prefer for article in one.articles),
            )
            for one in self._stories.values()
            if self._fits(one, wanted)
        ]
        return tuple(ranked(glances, Tuning().section("front_page", FrontPageTuning)))

    def stories_by_id(self, ids: tuple[str, ...], /) -> tuple[StoryView, ...]:
        return tuple(_for_list(self._stories[one]) for one in ids if one in self._stories)

    def with_links(self, stories: tuple[StoryView, ...], /) -> tuple[StoryView, ...]:
        return stories

    def grow(self, story_id: str, *steps: HistoryEvent) -> None:
        """Further steps of a story."""
        self._grown.setdefault(story_id, []).extend(steps)

    def list_stories(self, ids: tuple[str, ...], /) -> tuple[StoryListItem, ...]:
        return tuple(list_item_of(story) for story in self.stories_by_id(ids))

    def new_reports(self, ids: tuple[str, ...], since: dt.datetime) -> dict[str, int]:
        new = {
            id_: {a.outlet for a in self._stories[id_].articles if a.seen > since and a.role == "report"}
            for id_ in ids
        }
        return {id_: len(outlets) for id_, outlets in new.items() if outlets}

    def story_history(self, story_id: str, limit: int) -> tuple[HistoryEvent, ...]:
        return tuple(self._grown.get(story_id, [])[:limit])

    def set_quality(self, quality: Quality) -> None:
        self._quality = quality

    def quality(self, now: dt.datetime) -> Quality:
        return self._quality

    def search(self, text: str, limit: int, bounds: SearchBounds | None = None) -> SearchResults:
        if text.count('"') % 2:
            return SearchResults(problem='a quotation mark " is open: close it or leave it out')
        hits = []
        for story, article in ((s, a) for s in self._stories.values() for a in s.articles):
            at = article.text.casefold().find(text.casefold())
            if _is_within(article, bounds) and (at >= 0 or text.casefold() in article.title.casefold()):
                hits.append(_hit(story, article, at, len(text)))
        found = {hit.story: [one for one in hits if one.story == hit.story] for hit in hits}
        stories = tuple(_story_hit(self._stories[story], them) for story, them in found.items())
        return SearchResults(hits=tuple(hits[:limit]), stories=stories[:limit], more=len(hits) > limit)

    def digests(self, wanted: Callable[[dt.datetime], StoryFilter], most: int) -> tuple[Digest, ...]:
        return tuple(
            msgspec.structs.replace(one, stories=one.stories[: wanted(one.until).limit])
            for one in self.made[:most]
        )

    def sources(self) -> tuple[SourceView, ...]:
        return tuple(sorted(self._sources, key=lambda source: (source.folder or "", source.name)))

    def folders(self) -> tuple[str, ...]:
        return tuple(sorted({source.folder for source in self._sources if source.folder}))

    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({topic for story in self._stories.values() for topic in story.topics}))

    def state(self) -> Health:
        return self._health

    def put_change(self, change: Change) -> None:
        self._changes.append(change)

    def changes(self, wanted: StoryFilter) -> tuple[Change, ...]:
        today = [
            msgspec.structs.replace(one, story=self._moved.get(one.was, one.was)) for one in self._changes
        ]
        fitting = [
            one
            for one in today
            if one.story in self._stories and self._fits(self._stories[one.story], wanted)
        ]
        fitting.sort(key=lambda one: (one.updated, one.n), reverse=True)
        return tuple(fitting[: wanted.limit])

    def changed_stories(self, since: int | None, limit: int) -> ChangedStories:
        return ChangedStories()

    def last_change_at(self) -> dt.datetime | None:
        """A minute later for every story that was put here."""
        return MORNING + dt.timedelta(minutes=self._puts) if self._puts else None

    def last_change(self, _story_id: str = "", /) -> str:
        content = msgspec.json.encode([self._stories, self._merged, self._moved, self._changes])
        return hashlib.blake2b(content, digest_size=8).hexdigest()


def _for_list(story: StoryView) -> StoryView:
    bare = (msgspec.structs.replace(a, text="", timed=(), evidence=None) for a in story.articles)
    return msgspec.structs.replace(story, articles=tuple(bare))


def _is_within(article: ArticleView, bounds: SearchBounds | None) -> bool:
    return bounds is None or (
        (bounds.since is None or article.effective_at >= bounds.since)
        and (bounds.until is None or article.effective_at <= bounds.until)
        and (bounds.outlet is None or bounds.outlet.casefold() in (article.outlet or "").casefold())
        and (bounds.language is None or article.language == bounds.language)
    )


def _story_hit(story: StoryView, hits: list[SearchHit]) -> StoryHit:
    return StoryHit(
        story=story.id,
        title=story.title,
        language=story.language,
        first_published=story.first_published,
        last_published=story.last_published,
        updated=story.updated,
        article_count=story.article_count,
        outlet_count=story.outlet_count,
        unknown_outlet_count=story.unknown_outlet_count,
        report_count=story.report_count,
        found=len(hits),
        hits=tuple(hits[:3]),
    )


def _hit(story: StoryView, article: ArticleView, at: int, length: int) -> SearchHit:
    start = max(0, at - 60)
    snippet = article.text[start : at + length + 80] if at >= 0 else ""
    return SearchHit(
        article=article.id,
        story=story.id,
        story_title=story.title,
        title=article.title,
        outlet=article.outlet,
        url=article.url,
        effective_at=article.effective_at,
        language=article.language,
        snippet=snippet,
        marks=((at - start, at - start + length),) if at >= 0 else (),
        nosnippet=article.nosnippet,
    )


# --- building nouns in tests -------------------------------------------------------------------------------

MORNING = dt.datetime(2026, 11, 20, 6, 30, tzinfo=dt.UTC)
_numbers = itertools.count(1)


def an_article(**given: object) -> ArticleView:
    """An article of an invented outlet; what a test does not care about is filled in."""
    number = next(_numbers)
    time = given.get("effective_at") or given.get("published") or MORNING
    values: dict[str, object] = {
        "id": f"art{number}",
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


def at(hour: int, minute: int) -> dt.datetime:
    """A moment of the evening before."""
    return dt.datetime(2026, 11, 19, hour, minute, tzinfo=dt.UTC)


def the_ferry() -> tuple[StoryView, MergedStory]:
    """A story with everything in it: copies, an agency, a live blog, facts, a timeline."""
    post = an_article(
        id="ferrypost",
        outlet="The Harbour Post",
        title="Ferry with 212 on board runs aground off Lind island in fog",
        published=at(21, 10),
        effective_at=at(21, 10),
        author="Ines Karlow",
        lead="A ferry carrying 212 passengers ran aground off Lind island on Thursday evening in dense fog.",
        text=_POST,
        evidence=Evidence(stage="founded"),
    )
    wire = an_article(
        id="ferrywire",
        outlet="Northern Courier",
        url="https://courier.example/news/ferry",
        title="Passengers taken off stranded ferry near Lind",
        published=at(22, 5),
        effective_at=at(22, 5),
        wire="NPA",
        lead="Lifeboats took all passengers off the ferry Aurelia by 23.30, the coastguard said.",
        text=_WIRE,
        evidence=Evidence(
            stage="event",
            score=4.21,
            need=1.5,
            reasons=(Reason(name="title", value=0.6, share=2.1),),
        ),
    )
    reprint = an_article(
        id="ferrycopy",
        outlet="Eastgate Gazette",
        url="https://eastgate.example/a/ferry",
        title="Passengers taken off stranded ferry near Lind",
        published=at(22, 40),
        effective_at=at(22, 40),
        wire="NPA",
        role="copy",
        copy_of="ferrywire",
        text=_WIRE,
    )
    live = an_article(
        id="ferrylive",
        outlet="Radio Meridian",
        url="https://meridian.example/live/ferry",
        title="Live: the Aurelia rescue, minute by minute",
        published=at(23, 55),
        effective_at=at(23, 55),
        role="container",
        lead="All updates on the rescue of the passengers of the Aurelia.",
        text="22:48: The first boat reaches Lind harbour.\n23:31: The captain leaves the ship last.",
    )
    island = an_article(
        id="ferryisle",
        outlet="Island Weekly",
        url="https://island-weekly.example/aurelia",
        title="‘We heard a long scrape’: islanders take in ferry passengers",
        published=at(23, 20),
        effective_at=at(23, 20),
        lead="Families on Lind opened their homes to passengers of the Aurelia.",
        text=_ISLAND,
    )
    story = a_story(
        post,
        wire,
        reprint,
        island,
        live,
        id="lindferry",
        summary=post.lead,
        updated=dt.datetime(2026, 11, 20, 0, 4, 11, 250_000, tzinfo=dt.UTC),
        report_count=3,
    )
    return story, _ferry_merged(story)


_POST = (
    "A ferry carrying 212 passengers ran aground off Lind island on Thursday evening in dense fog.\n"
    "The Aurelia left Eastgate at 19.40 and struck the Brandt shoal an hour later.\n"
    "Two people were slightly injured, the operator said.\n"
    "The harbour master had warned of poor visibility since noon."
)
_WIRE = (
    "LIND (NPA) - Lifeboats took all passengers off the ferry Aurelia by 23.30, the coastguard said.\n"
    "The vessel hit the Brandt shoal at about 20.40 after leaving Eastgate.\n"
    "Five people were treated for injuries, a coastguard spokeswoman said."
)
_ISLAND = (
    "Families on Lind opened their homes to passengers of the Aurelia.\n"
    "“We heard a long scrape, and then nothing but horns,” said Marta Dahl, who runs the inn by the pier.\n"
    "All passengers were brought ashore before midnight."
)


def _ferry_merged(story: StoryView) -> MergedStory:
    outlet_of = {article.id: article.outlet for article in story.articles}

    def said(article: str, text: str) -> AttributedSentence:
        return AttributedSentence(text=text, article=article, outlet=outlet_of[article])

    post, wire, island = _POST.split("\n"), _WIRE.split("\n"), _ISLAND.split("\n")
    lifeboats = wire[0].removeprefix("LIND (NPA) - ")
    published = tuple(
        TimelineItem(kind="published", text=a.title, article=a.id, outlet=a.outlet, time=a.effective_at)
        for a in story.articles[:3]
    )
    live = TimelineItem(
        kind="live",
        text="The first boat reaches Lind harbour.",
        article="ferrylive",
        outlet="Radio Meridian",
        time=dt.datetime(2026, 11, 19, 22, 48, tzinfo=dt.UTC),
        day_inferred=True,
    )
    undated = TimelineItem(
        kind="told", text=post[3], article="ferrypost", outlet="The Harbour Post", clock_minutes=720
    )
    return MergedStory(
        title=story.title,
        lead=said("ferrypost", post[0]),
        facts=(
            Fact(said=(said("ferrywire", lifeboats), said("ferryisle", island[2])), outlets=2, of=5),
            Fact(said=(said("ferrypost", post[1]), said("ferrywire", wire[1])), outlets=2, of=5),
        ),
        only=(said("ferrypost", post[3]), said("ferryisle", island[1])),
        timeline=(*published, live, undated),
    )


def full_reader() -> MemoryReader:
    """The ferry and a few other stories over three days, with sources."""
    story_reader = MemoryReader()
    story_reader.put(*the_ferry(), "oldferry")
    for hours, outlet, title, lead in _OTHERS:
        time = MORNING - dt.timedelta(hours=hours)
        article = an_article(
            outlet=outlet, title=title, lead=lead, text=lead, effective_at=time, published=time
        )
        story_reader.put(a_story(article))
    budget = [
        an_article(
            outlet=name, title=title, lead=_BUDGET, text=_BUDGET, effective_at=MORNING - dt.timedelta(hours=n)
        )
        for n, (name, title) in enumerate(_BUDGET_TITLES)
    ]
    story_reader.put(a_story(*budget, id="budget", outlet_count=7, report_count=6, article_count=7))
    story_reader.set_sources(
        SourceView(
            id="s1",
            name="The Harbour Post",
            url="https://harbour-post.example/feed?key=secret",
            site_url="https://harbour-post.example/",
            folder="Coast",
            state="ok",
            article_count=412,
            last_success=MORNING,
            next_due=MORNING + dt.timedelta(minutes=30),
        ),
        SourceView(
            id="s2", name="Island Weekly", folder="Coast", state="failing", problem="HTTP 503 since 2 days"
        ),
        SourceView(id="s3", name="Radio Meridian", state="new"),
    )
    story_reader.set_health(Health(waiting=3, last_placed=MORNING))
    return story_reader


_BUDGET = (
    "The council of Eastgate passed a budget of 41 million crowns after nine hours of talks, with a rise in "
    "tram fares that two parties had ruled out."
)
_BUDGET_TITLES = (
    ("Eastgate Gazette", "Eastgate council passes budget after nine-hour session, tram fares to rise"),
    ("Northern Courier", "Tram fares go up as Eastgate agrees on budget"),
    ("Radio Meridian", "Eastgate budget: what changes in January"),
    ("The Harbour Post", "Nine hours, 41 million: Eastgate has a budget"),
    ("City Notes", "Budget passed at two in the morning"),
    ("The Commons", "Left and Greens split over Eastgate fares"),
    ("Tram & Track", "Fares in Eastgate rise by eight per cent"),
)
_OTHERS = (
    (
        2,
        "Orchard Review",
        "Late frost spares the pear harvest",
        "Growers in the Velde valley lost less than a tenth of the crop, far below what they had feared.",
    ),
    (5, "Radio Meridian", "Museum returns two bronze figures to the island of Sael", ""),
    (
        26,
        "The Kiln",
        "Potters’ guild elects its first president from the south",
        "Ada Brenn, who learned the trade at forty, won by eleven votes.",
    ),
    (30, "City Notes", "Night buses return on Fridays", "Three lines run again from December."),
    (
        51,
        "Northern Courier",
        "Observatory finds comet older than thought",
        "The object last passed the sun some 90,000 years ago, the team in Halm reports.",
    ),
)
