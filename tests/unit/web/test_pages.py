"""The pages hold what was reported and nothing that strangers could run."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from lxml import html
from starlette.testclient import TestClient

from aggregator.config.messages import later
from aggregator.config.settings import SavedQuery
from aggregator.model.core import (
    AgreedFigure,
    AttributedSentence,
    Fact,
    MergedStory,
    Reprint,
    StoryView,
    TimelineItem,
)
from aggregator.model.read_model import SearchHit, SourceView
from aggregator.web.jinja import day, iso, moment, pieces, pips, time_of_day
from aggregator.web.pages.views import days_shown, only_by_outlet, time_span, timeline_days
from aggregator.web.server import create_app
from aggregator.web.settings import PublishSettings
from tests.support.hostile_titles import SCRIPTS
from tests.support.written_stories import MORNING, WrittenStories, a_story, an_article, the_ferry

HOSTILE = [
    *SCRIPTS, '"><img src=x onerror=alert(1)>', '" autofocus onfocus="alert(1)',
    "<a href=javascript:alert(1)>x</a>", "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example><input name=q>", "-->]]><iframe src=//evil.example>",
]  # fmt: skip
_EVIL = ("https://user@evil.example/", "vbscript:x", '"onclick="alert(1)')
ADDRESSES = ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", *_EVIL]


def _client(reader: WrittenStories, **chosen: Any) -> TestClient:
    """The owner's browser."""
    app = create_app(reader, PublishSettings(**chosen))
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 50000))


def _pages(reader: WrittenStories, *paths: str) -> list[html.HtmlElement]:
    with _client(reader) as client:
        answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return [html.fromstring(answer.text) for answer in answers]


def _ferry_page(story: dict[str, Any] | None = None, **merged: Any) -> html.HtmlElement:
    """The page of the ferry's story, or of one with other values, likewise of its merged text."""
    whole, text = the_ferry()
    reader = WrittenStories()
    reader.put(msgspec.structs.replace(whole, **story or {}), msgspec.structs.replace(text, **merged))
    return _pages(reader, "/stories/lindferry")[0]


def _said(text: str, article: str = "ferrypost", outlet: str | None = "X") -> AttributedSentence:
    return AttributedSentence(text=text, article=article, outlet=outlet)


def _hostile_story(story_id: str, evil: str, address: str) -> tuple[StoryView, MergedStory]:
    words = dict.fromkeys(("title", "outlet", "lead", "wire", "language", "author"), evil)
    article = an_article(id=f"evil{story_id}", url=address, text=f"{evil}\n{evil}", **words)
    said = _said(evil, article.id, evil)
    moment_of_it = TimelineItem(kind="told", text=evil, article=article.id, outlet=evil)
    fact = Fact(said=(said, said), outlets=2, of=2)
    merged = MergedStory(title=evil, lead=said, facts=(fact,), only=(said,), timeline=(moment_of_it,))
    counts = {"article_count": 9, "report_count": 9}
    return a_story(article, id=story_id, title=evil, summary=evil, language=evil, **counts), merged


OWN_TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "main", "footer", "nav", "section"),
    *(
        "article", "h1", "h2", "h3", "p", "a", "ul", "ol", "li", "span", "strong", "i", "time", "div", "form",
        "label",
    ),
    *("input", "details", "summary", "blockquote", "bdi", "mark", "pre", "code", "script", "button"),
    *("select", "option", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "meter"),
    *("dl", "dt", "dd", "fieldset", "legend", "dialog"),
}  # fmt: skip
OWN_SCRIPT = {"src": "/static/pages.js", "defer": "defer"}


def assert_tame(page: html.HtmlElement) -> None:
    """No element, attribute or address but ours: nothing that a stranger wrote became markup."""
    elements = [element for element in page.iter() if isinstance(element.tag, str)]
    assert {element.tag for element in elements} <= OWN_TAGS
    scripts = [element for element in elements if element.tag == "script"]
    assert [(dict(one.attrib), one.text) for one in scripts] == [(OWN_SCRIPT, None)]
    names = {name for one in elements if one.tag != "script" for name in one.attrib}
    assert not [name for name in names if name.startswith("on") or name in ("style", "src", "autofocus")]
    targets = page.xpath("//@href | //@action")
    assert all(target.startswith(("/", "#")) for target in targets), targets


@pytest.mark.later
@pytest.mark.slow
def test_nothing_of_strangers_runs_on_any_page() -> None:
    reader = WrittenStories()
    for number, evil in enumerate(HOSTILE):
        reader.put(*_hostile_story(f"hostile{number}", evil, ADDRESSES[number % len(ADDRESSES)]))
    reader.set_sources(
        *(SourceView(id=e, name=e, url=ADDRESSES[0], site_url=ADDRESSES[0], folder=e) for e in HOSTILE)
    )
    stories = [f"/stories/hostile{number}" for number in range(len(HOSTILE))]
    lists = (
        "/", "/?view=newest", "/?query=alert&outlet=%22%3E%3Cscript%3E", "/search?q=alert", "/sources",
    )  # fmt: skip
    for page in _pages(reader, *lists, "/sign-in?story=%22%3E%3Cscript%3E", *stories):
        assert_tame(page)


def test_links_to_outlets_give_nothing_away() -> None:
    page = _ferry_page()
    outward = page.xpath("//a[starts-with(@href, 'http')]")
    assert {link.get("href") for link in outward} >= {"https://courier.example/news/ferry"}
    assert all({"noopener", "noreferrer"} <= set(link.get("rel", "").split()) for link in outward)


def test_a_story_page_marks_reprints_agencies_and_live_blogs() -> None:
    page = _ferry_page()
    items = {li.get("id"): li.find_class("mark") for li in page.xpath("//li[@id]")}
    marks = {id_: [mark.text_content() for mark in of_it] for id_, of_it in items.items()}
    unmarked = {"a-ferrycopy": [], "a-ferryisle": [], "a-ferrylive": []}
    assert marks == {"a-ferrypost": ["first to report"], "a-ferrywire": ["agency: NPA"], **unmarked}
    (original,) = page.xpath("//li[@id='a-ferrycopy']/ancestor::li/@id")
    assert original == "a-ferrywire"
    assert page.xpath("//h3[.='Live blogs and roundups']/following-sibling::ol[1]/li/@id") == ["a-ferrylive"]


@pytest.mark.slow
def test_a_page_has_a_heading_of_first_rank_and_no_id_twice() -> None:
    reader = WrittenStories()
    reader.put(*the_ferry())
    for page in _pages(reader, "/", "/stories/lindferry", "/search", "/search?q=ferry", "/sources"):
        assert len(page.xpath("//h1")) == 1
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))
        assert page.xpath("//@lang")[0] == "en"


def test_a_story_without_a_merged_text_still_reads() -> None:
    reader = WrittenStories()
    bare = an_article(outlet=None, url=None, title="", published=None, lead="", language=None)
    reader.put(a_story(bare, id="bare", title="", summary="", language=None))
    reader.put(a_story(an_article(lead=""), id="old", texts_gone=True))
    front, story, old = _pages(reader, "/", "/stories/bare", "/stories/old")
    assert "kept no more" not in story.text_content()
    assert "The texts of these articles were deleted" in old.text_content()
    assert "Untitled" in front.text_content()
    assert "Unknown outlet" in story.text_content()
    assert story.text_content().count("undated, seen 20 Nov 2026") == 2
    assert "undated, seen 20 Nov 2026" in front.text_content()


def test_a_date_without_a_time_is_shown_as_a_day_and_the_time_of_a_poll_as_no_date() -> None:
    reader = WrittenStories()
    midnight = dt.datetime(2020, 2, 12, tzinfo=dt.UTC)
    text = "The ferry ran aground."
    of_day = an_article(published=midnight, published_precision="day", text=text, lead=text)
    reader.put(a_story(of_day, id="day"))
    polled = an_article(published=MORNING, published_origin="poll")
    reader.put(a_story(polled, id="polled"))
    paths = ("/stories/day", "/search?q=ferry", "/stories/polled", "/", "/?view=newest")
    days, found, seen, *lists = _pages(reader, *paths)
    (_, newest) = lists
    assert "00:00" not in newest.text_content()
    for page in (days, found):
        assert "12 Feb 2020" in page.text_content() or "12 February 2020" in page.text_content()
        assert "00:00" not in page.text_content()
    for page in (seen, *lists):
        assert "undated, seen 20 Nov 2026" in page.text_content()


def test_a_story_shows_its_first_and_last_date() -> None:
    first = an_article(published=MORNING)
    later = an_article(published=MORNING + dt.timedelta(hours=1))
    next_day = an_article(published=MORNING + dt.timedelta(days=1), published_precision="day")
    shown = [[words for _, words in time_span(a_story(*some))] for some in (
        (first,), (first, later), (first, later, next_day)
    )]  # fmt: skip
    assert shown == [
        [moment(MORNING)],
        [moment(MORNING), time_of_day(MORNING + dt.timedelta(hours=1))],
        ["20 Nov 2026", "21 Nov 2026"],
    ]


def test_copies_are_folded_under_their_original_and_named_in_its_trail() -> None:
    story, merged = the_ferry()
    copies = tuple(
        Reprint(
            article=id_, outlet=outlet, url=None, time=None, minutes_later=later, is_whole=later is not None
        )
        for id_, outlet, later in (("ferrycopy", "Eastgate Gazette", 35), ("x", "Y", None))
    )
    first = msgspec.structs.replace(merged.timeline[1], copies=copies, copy_count=7)
    excerpt = an_article(outlet="Y", role="excerpt", copy_of="ferrywire", published=None)
    page = _ferry_page({"articles": (*story.articles, excerpt)}, timeline=(merged.timeline[0], first))
    (folded,) = page.xpath("//details[@class='copies']")
    assert folded.xpath("summary/text()") == ["7 reprints"]
    reported = [" ".join(item.text_content().split()) for item in folded.xpath(".//li")]
    assert reported == ["Eastgate Gazette 35 minutes later", "Y excerpt", "and 5 more"]
    (copied,) = page.xpath("//section[@aria-labelledby='copied']")
    assert "the whole text, 35 minutes later" in copied.text_content()
    assert "an excerpt, unknown time" in copied.text_content()


@pytest.mark.slow
def test_articles_of_unknown_outlet_are_distinguished_by_title_and_lead_to_their_place() -> None:
    story, merged = the_ferry()
    nameless = tuple(msgspec.structs.replace(article, outlet=None, url=None) for article in story.articles)
    lead = msgspec.structs.replace(merged.lead, outlet=None) if merged.lead else None
    page = _ferry_page({"articles": nameless}, lead=lead)
    who = page.xpath("//div[@class='lead']//a")[0]
    assert (who.get("href"), who.text_content()) == ("#a-ferrypost", "“Ferry with 212 on board …”")


def test_a_long_timeline_unfolds_by_whole_days() -> None:
    _, merged = the_ferry()
    days = [(f"Day {n}", [merged.timeline[0]] * moments) for n, moments in enumerate((20, 3, 9, 1))]
    assert days_shown(days) == 3
    assert days_shown(days[:2]) == 2
    assert days_shown([]) == 0


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0, "in the same minute"), (1, "1 minute later"), (119, "119 minutes later"), (120, "2 hours later"),
        (-2879, "48 hours earlier"), (-2880, "2 days earlier"),
    ],
)  # fmt: skip
def test_spans_are_said_in_the_largest_unit_of_which_there_are_two(minutes: int, words: str) -> None:
    assert later(minutes) == words


def test_saved_queries_and_feeds_are_led_to() -> None:
    reader = WrittenStories()
    reader.put(*the_ferry())
    query = SavedQuery(title="From the <isles>", query="ferry").named("isles")
    with _client(reader, queries=(query,)) as client:
        page = html.fromstring(client.get("/?saved=isles").text)
        feeds = {link: client.get(link) for link in page.xpath("//link[@rel='alternate']/@href")}
    (link,) = page.xpath("//nav[@class='sections']/a[@aria-current='true']")
    assert (link.get("href"), link.text_content()) == ("/?saved=isles", "From the <isles>")
    found = {one.get("href"): one.get("type") for one in page.xpath("//link[@rel='alternate']")}
    assert {link: answer.headers["content-type"].partition(";")[0] for link, answer in feeds.items()} == found
    assert found["/feeds/stories.atom"] == found["/feeds/isles.atom"] == "application/atom+xml"


def test_many_facts_are_folded() -> None:
    page = _ferry_page(facts=tuple(Fact(said=(_said(f"Fact {n}."),), outlets=1, of=5) for n in range(20)))
    (folded,) = page.xpath("//section[@aria-labelledby='facts']/details")
    assert folded.get("open") is None
    opened = len(page.xpath("//div[@class='lead']/p"))
    assert opened == 5
    assert len(folded.xpath(".//li")) == 20 + 1 - opened
    assert folded.xpath(".//details[@class='more']/summary/text()") == ["4 more facts"]


def test_what_one_report_says_stands_under_its_outlet_once_with_its_reprints() -> None:
    articles = [
        an_article(id="a", outlet="O", wire="NPA"),
        an_article(id="b", outlet="O"),
        an_article(id="c", outlet="P", role="copy", copy_of="a"),
        an_article(id="d", outlet="Q", role="excerpt", copy_of="a"),
    ]
    (alone,) = only_by_outlet([_said(text, id_, "O") for text, id_ in ("1a", "2b", "3a")], articles)
    assert (alone.outlet, alone.sentences) == ("O", [("a", ["1", "3"]), ("b", ["2"])])
    assert (alone.reprints, alone.agency) == (1, "NPA")
    unknown = [_said(one, one, None) for one in "ab"]
    assert len(only_by_outlet(unknown, [an_article(id=one, outlet=None) for one in "ab"])) == 2


def test_a_story_of_one_report_shows_its_excerpt_and_no_comparison() -> None:
    story, _ = the_ferry()
    of_one = {"report_count": 1, "outlet_count": 1, "article_count": 1, "articles": story.articles[:1]}
    page = _ferry_page(of_one, facts=())
    assert "Only one report says" not in page.text_content()
    shown = page.find_class("lead")[0].text_content().split()
    assert shown == f"{story.summary} The Harbour Post".split()


def test_the_lead_is_not_repeated_among_the_facts() -> None:
    _, merged = the_ferry()
    assert merged.lead is not None
    same = _said("The same in other words.", "ferryisle", "Island Weekly")
    backed = Fact(said=(merged.lead, same), outlets=2, of=4)
    page = _ferry_page(facts=(backed, *merged.facts), timeline=(), only=())
    (lead,) = page.find_class("lead")
    assert "2 of 4 outlets" in lead.text_content()
    (folded,) = page.xpath("//section[@aria-labelledby='facts']")
    assert same.text in folded.text_content()
    assert page.text_content().count(merged.lead.text) == 2, "above, and in the full text"


def test_what_agrees_and_what_shares_its_words_is_said() -> None:
    early, late = _said("Two were hurt.", "ferrypost", "A"), _said("Five were hurt.", "ferrywire", "B")
    same = AgreedFigure(words="212 passengers", said=(early, late), outlets=2, of=5)
    fact = Fact(said=(late, early), outlets=2, of=5, same_words=((0, 1),))
    page = _ferry_page(facts=(fact,), agreed=(same,))
    (agreed,) = page.xpath("//section[@aria-labelledby='agreed']")
    assert "212 passengers 2 of 5 outlets" in agreed.text_content()
    assert "the same words in 2 outlets" in page.find_class("lead")[0].text_content()
    assert not page.find_class("warning")


def test_the_same_words_are_of_as_many_outlets_as_have_a_key() -> None:
    named = ("Star", "star.example"), ("Star", "star.test"), ("Sun", "sun.test"), ("The Sun", "sun.test")
    articles = tuple(an_article(outlet=name, outlet_key=key) for name, key in named)
    said = tuple(_said("Five were hurt.", one.id, one.outlet) for one in articles)
    fact = Fact(said=said, outlets=1, of=3, same_words=((0, 1, 2, 3),))
    page = _ferry_page({"articles": articles}, lead=None, facts=(fact,))
    assert "the same words in 3 outlets" in page.text_content()


def test_a_sentence_says_its_language() -> None:
    story, _ = the_ferry()
    german = msgspec.structs.replace(story.articles[0], language="de")
    page = _ferry_page({"articles": (german, *story.articles[1:])})
    lead, fact, *_ = page.find_class("lead")[0]
    assert (lead.get("lang"), lead.get("dir")) == ("de", "auto")
    assert fact.get("lang") == "en"


@pytest.mark.parametrize(("outlets", "end"), [(6, "O4, O5"), (7, "O4 and 2 more")])
def test_a_sixth_outlet_is_named_rather_than_counted(outlets: int, end: str) -> None:
    reader = WrittenStories()
    reader.put(a_story(*(an_article(outlet=f"O{n}") for n in range(outlets)), report_count=outlets))
    (page,) = _pages(reader, "/")
    assert page.find_class("outlets")[0].text_content().endswith(end)


def test_sources_tell_folders_from_feeds_in_the_words_of_the_command_line() -> None:
    reader = WrittenStories()
    folder = SourceView(id="a", name="samples", kind="folder", state="ok")
    reader.set_sources(folder, SourceView(id="b", name="tide", state="new"))
    (page,) = _pages(reader, "/sources")
    assert [mark.text_content() for mark in page.find_class("mark")] == ["folder", "ok", "new"]


def test_moments_of_unknown_day_come_under_their_own_heading() -> None:
    _, merged = the_ferry()
    assert [(title, len(items)) for title, items in timeline_days(merged)] == [
        ("Thursday, 19 November 2026", 3),
        ("Unknown day", 1),
    ]


def test_times_are_shown_in_utc() -> None:
    tokyo = dt.datetime(2026, 3, 1, 8, 5, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    assert moment(tokyo) == "28 Feb 2026, 23:05"
    assert day(tokyo) == "Saturday, 28 February 2026"
    assert iso(tokyo) == "2026-02-28T23:05:00Z"
    assert iso(dt.date(2026, 3, 1)) == "2026-03-01"


@pytest.mark.parametrize(
    ("articles", "reports", "shown"),
    [(1, 1, "x"), (4, 4, "xxxx"), (5, 1, "x...."), (1200, 1, "x" + "." * 11)],
)
def test_marks_show_own_reports_first_and_never_too_many(articles: int, reports: int, shown: str) -> None:
    story = a_story(article_count=articles, report_count=reports)
    assert "".join("x" if own else "." for own in pips(story)) == shown


@pytest.mark.parametrize("marks", [(), ((0, 3),), ((0, 3), (2, 5)), ((4, 99),), ((3, 1),), ((-2, 4),)])
def test_a_snippet_keeps_all_its_text_whatever_its_marks(marks: tuple[tuple[int, int], ...]) -> None:
    hit = SearchHit(
        article="a", story="s", story_title="", title="", outlet=None, url=None, effective_at=MORNING,
        snippet="one two", marks=marks,
    )  # fmt: skip
    assert "".join(text for text, _ in pieces(hit)) == "one two"
