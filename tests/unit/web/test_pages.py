"""The pages hold what was reported and nothing that strangers could run."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from lxml import html
from msgspec.structs import replace
from starlette.testclient import TestClient

from aggregator.config.story_query import SavedQuery
from aggregator.model.read_model import SourceView
from aggregator.model.story import Passage, Quotation, StoryText, StoryView
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.jinja import day, environment, iso, moment, time_of_day
from aggregator.web.pages.story_page import report_groups
from aggregator.web.web_app import create_app
from tests.support.services import all_services
from tests.support.tables import each_row, numbered
from tests.support.tame_pages import HOSTILE, assert_tame
from tests.support.written_stories import (
    MORNING,
    WrittenStories,
    a_story,
    an_article,
    the_ferry,
)

_EVIL = ("https://user@evil.example/", "vbscript:x", '"onclick="alert(1)')
ADDRESSES = ["javascript:alert(1)", "data:text/html,<script>alert(1)</script>", *_EVIL]


def _client(reader: WrittenStories, **chosen: Any) -> TestClient:
    """The owner's browser."""
    app = create_app(reader, PublishSettings(**chosen), all_services(reader.database))
    return TestClient(app, "http://127.0.0.1:8080", client=("127.0.0.1", 50000))


def _pages(reader: WrittenStories, *paths: str) -> list[html.HtmlElement]:
    with _client(reader) as client:
        answers = [client.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return [html.fromstring(answer.text) for answer in answers]


def _ferry_page(story: dict[str, Any] | None = None, **shown: Any) -> html.HtmlElement:
    """The page of the ferry's story, or of one with other values, likewise of what it shows."""
    whole, text = the_ferry()
    reader = WrittenStories()
    reader.put(
        replace(whole, **story or {}),
        replace(text, **shown),
    )
    return _pages(reader, "/stories/lindferry")[0]


def _lines(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _hostile_story(
    story_id: str, evil: str, address: str
) -> tuple[StoryView, StoryText]:
    words = dict.fromkeys(
        ("title", "outlet", "lead", "wire", "language", "author"), evil
    )
    of_first = {"id": f"evil{story_id}", "text": f"{evil}\n{evil}"}
    first = an_article(**of_first, url=address, **words)
    second = an_article(id=f"bad{story_id}", url=address, **words)
    text = StoryText(
        title=evil,
        lead=(Passage(text=evil, article_id=first.id),),
        openings=(Passage(text=evil, article_id=second.id),),
        quotations=(
            Quotation(speaker=evil, text=evil, article_ids=(first.id, second.id)),
        ),
    )
    counts = {"article_count": 9, "report_count": 9}
    of_story = {"id": story_id, "title": evil, "summary": evil, "language": evil}
    return a_story(first, second, **of_story, **counts), text


@pytest.mark.later
def test_nothing_of_strangers_runs_on_any_page() -> None:
    reader = WrittenStories()
    for number, evil in enumerate(HOSTILE):
        reader.put(
            *_hostile_story(
                f"hostile{number}", evil, ADDRESSES[number % len(ADDRESSES)]
            )
        )
    reader.set_sources(
        *(
            SourceView(id=e, name=e, url=ADDRESSES[0], site_url=ADDRESSES[0], folder=e)
            for e in HOSTILE
        ),
        SourceView(
            id="Evil",
            name=HOSTILE[0],
            url=ADDRESSES[0],
            site_url=ADDRESSES[1],
            folder=HOSTILE[1],
        ),
    )
    for evil in HOSTILE:
        words = dict.fromkeys(("title", "lead", "text", "author", "language"), evil)
        reader.put(
            a_story(
                an_article(outlet="Evil", url=ADDRESSES[0], **words), title=evil[::-1]
            )
        )
    stories = numbered("/stories/hostile%n", len(HOSTILE))
    lists = (
        "/", "/?view=newest", "/?query=alert&outlet=%22%3E%3Cscript%3E", "/search?q=alert", "/sources",
        "/sources/Evil",
    )  # fmt: skip
    for page in _pages(reader, *lists, "/sign-in?story=%22%3E%3Cscript%3E", *stories):
        assert_tame(page)


@pytest.mark.later
def test_links_to_outlets_give_nothing_away() -> None:
    outward = _ferry_page().xpath("//a[starts-with(@href, 'http')]")
    assert {link.get("href") for link in outward} >= {
        "https://courier.example/news/ferry"
    }
    assert all(
        {"noopener", "noreferrer"} <= set(link.get("rel", "").split())
        for link in outward
    )


@pytest.mark.later
def test_a_story_page_marks_reprints_agencies_and_live_blogs() -> None:
    page = _ferry_page()
    items = {li.get("id"): li.find_class("mark") for li in page.xpath("//li[@id]")}
    marks = {
        id_: [mark.text_content() for mark in of_it] for id_, of_it in items.items()
    }
    unmarked = {"a-ferrycopy": [], "a-ferrylive": []}
    assert marks == {
        "a-ferryisle": ["newest"],
        "a-ferrypost": ["first to report"],
        "a-ferrywire": ["agency: NPA"],
        **unmarked,
    }
    (original,) = page.xpath("//li[@id='a-ferrycopy']/ancestor::li/@id")
    assert original == "a-ferrywire"
    assert page.xpath(
        "//h3[.='Live blogs and roundups']/following-sibling::ol[1]/li/@id"
    ) == ["a-ferrylive"]


def test_a_story_of_which_little_is_known_still_reads() -> None:
    reader = WrittenStories()
    bare = an_article(
        outlet=None, url=None, title="", published=None, lead="", language=None
    )
    reader.put(a_story(bare, id="bare", title="", summary="", language=None))
    reader.put(a_story(an_article(lead=""), id="old", texts_gone=True))
    front, story, old = _pages(reader, "/", "/stories/bare", "/stories/old")
    assert "kept no more" not in story.text_content()
    assert "The texts of these articles were deleted" in old.text_content()
    assert "Untitled" in front.text_content()
    assert "Unknown outlet" in story.text_content()
    assert story.text_content().count("undated, seen 20 Nov 2026") == 1
    assert "undated, seen 20 Nov 2026" in front.text_content()


def test_a_date_without_a_time_is_shown_as_a_day_and_the_time_of_a_poll_as_no_date() -> (
    None
):
    reader = WrittenStories()
    midnight = datetime.fromisoformat("2020-02-12T00:00Z")
    text = "The ferry ran aground."
    of_day = an_article(
        published=midnight, published_precision="day", text=text, lead=text
    )
    reader.put(a_story(of_day, id="day"))
    polled = an_article(published=MORNING, published_origin="poll")
    reader.put(a_story(polled, id="polled"))
    paths = ("/stories/day", "/search?q=ferry", "/stories/polled", "/", "/?view=newest")
    days, found, seen, *lists = _pages(reader, *paths)
    (_, newest) = lists
    assert "00:00" not in newest.text_content()
    for page in (days, found):
        assert (
            "12 Feb 2020" in page.text_content()
            or "12 February 2020" in page.text_content()
        )
        assert "00:00" not in page.text_content()
    for page in (seen, *lists):
        assert "undated, seen 20 Nov 2026" in page.text_content()


def test_a_story_shows_its_first_and_last_date() -> None:
    first = an_article(published=MORNING)
    later = an_article(published=MORNING + timedelta(hours=1))
    next_day = an_article(
        published=MORNING + timedelta(days=1), published_precision="day"
    )
    macros: Any = environment().get_template("parts.html").module
    shown = []
    for some in ((first,), (first, later), (first, later, next_day)):
        span = html.fromstring(f"<p>{macros.time_span(a_story(*some))}</p>")
        shown.append([time.text for time in span.iter("time")])
    assert shown == [
        [moment(MORNING)],
        [moment(MORNING), time_of_day(MORNING + timedelta(hours=1))],
        ["20 Nov 2026", "21 Nov 2026"],
    ]


@pytest.mark.later
def test_articles_of_unknown_outlet_are_distinguished_by_title_and_lead_to_their_place() -> (
    None
):
    story, _ = the_ferry()
    unknown = {"outlet": None, "outlet_key": None, "url": None}
    nameless = tuple(replace(article, **unknown) for article in story.articles)
    who = _ferry_page({"articles": nameless}).xpath("//div[@class='lead']//a")[0]
    assert (who.get("href"), who.text_content()) == (
        "#a-ferrypost",
        "“Ferry with 212 on board …”",
    )


@pytest.mark.later
def test_saved_queries_and_feeds_are_led_to() -> None:
    reader = WrittenStories()
    reader.put(*the_ferry())
    query = SavedQuery(title="From the <isles>", query="ferry").named("isles")
    with _client(reader, queries=(query,)) as client:
        page = html.fromstring(client.get("/?saved=isles").text)
        feeds = {
            link: client.get(link)
            for link in page.xpath("//link[@rel='alternate']/@href")
        }
    (link,) = page.xpath("//nav[@class='sections']/a[@aria-current='true']")
    assert (link.get("href"), link.text_content()) == (
        "/?saved=isles",
        "From the <isles>",
    )
    found = {
        one.get("href"): one.get("type")
        for one in page.xpath("//link[@rel='alternate']")
    }
    assert {
        link: answer.headers["content-type"].partition(";")[0]
        for link, answer in feeds.items()
    } == found
    assert (
        found["/feeds/stories.atom"]
        == found["/feeds/isles.atom"]
        == "application/atom+xml"
    )


@pytest.mark.later
def test_every_sentence_says_its_language() -> None:
    story, _ = the_ferry()
    of = {"ferrypost": "de", "ferrywire": "fr", "ferryisle": "nl"}
    articles = (replace(one, language=of.get(one.id, "en")) for one in story.articles)
    page = _ferry_page({"articles": tuple(articles)})
    sentences = page.xpath(
        "//div[@class='lead']/p | //p[@class='opening'] | //blockquote"
    )
    shown = [(one.get("lang"), one.get("dir")) for one in sentences]
    assert shown == [(tag, "auto") for tag in ("de", "de", "nl", "fr", "nl")]


def test_a_story_shows_the_lead_of_one_report_and_what_each_other_says_first() -> None:
    story, text = the_ferry()
    page = _ferry_page()
    (lead,) = page.find_class("lead")
    shown = [_lines(paragraph) for paragraph in lead]
    assert shown == [
        text.lead[0].text,
        f"{text.lead[1].text} The Harbour Post 19 Nov, 21:10",
    ]
    assert "5 articles · 5 outlets · 3 independent reports" in _lines(
        page.find_class("count-line")[0]
    )
    openings = {
        one.getparent().get("id"): _lines(one) for one in page.find_class("opening")
    }
    assert openings == {
        f"a-{id_}": text.opening_of(id_) for id_ in ("ferryisle", "ferrywire")
    }
    (island,) = page.xpath("//li[@id='a-ferryisle']")
    told = [_lines(island.find_class(name)[0]) for name in ("outlet", "title", "when")]
    assert told == [
        "Island Weekly",
        f"{story.articles[3].title} why here?",
        "19 Nov, 23:20 newest",
    ]
    assert island.xpath(".//p[@class='title']//a/@href") == [
        "https://island-weekly.example/aurelia",
        "/explain/ferryisle",
    ]


def test_reprints_are_folded_under_the_report_that_they_copy() -> None:
    story, _ = the_ferry()
    excerpt = an_article(
        id="part", outlet="Y", role="excerpt", copy_of="ferrywire", published=None
    )
    page = _ferry_page({"articles": (*story.articles, excerpt)})
    (folded,) = page.xpath("//li[@id='a-ferrywire']/details")
    assert folded.get("open") is None
    assert _lines(folded.find("summary")) == "2 reprints: Eastgate Gazette, Y"
    assert folded.xpath(".//li/@id") == ["a-ferrycopy", "a-part"]
    assert "excerpt" in _lines(folded.xpath(".//li[@id='a-part']")[0])


def test_opinions_and_live_blogs_stand_apart_from_the_reports() -> None:
    story, _ = the_ferry()
    column = an_article(
        id="column", outlet="The Commons", title="Slow ferries", kind="opinion"
    )
    page = _ferry_page({"articles": (*story.articles, column)})
    headings = page.xpath("//section[@aria-labelledby='reports']/h3")
    listed = {one.text: one.getnext().xpath("li/@id") for one in headings}
    assert listed == {
        "Opinion and background": ["a-column"],
        "Live blogs and roundups": ["a-ferrylive"],
    }


@pytest.mark.later
def test_a_source_without_standing_is_folded_beside_others_as_outlet_and_title() -> (
    None
):
    known = an_article(id="known", outlet="Gazette", title="Dam siren")
    strangers = [
        an_article(id=f"s{n}", outlet=f"Stranger {n}", title=f"Siren {n}")
        for n in range(3)
    ]
    told = [replace(stranger, is_little_known=True) for stranger in strangers]
    told[0] = replace(told[0], counts_as_report=False)
    text = StoryText(title="Dam siren")
    (reports, folded) = report_groups([known, *told], text, None)
    assert [line.article.id for line in reports.lines] == ["known"]
    assert folded.is_folded
    assert {line.article.id for line in folded.lines} == {"s0", "s1", "s2"}
    (reports,) = report_groups(told, text, None)
    assert len(reports.lines) == 3
    assert not reports.is_folded


def test_opinions_alone_are_counted_as_opinions() -> None:
    column = an_article(id="one", title="The trap", kind="opinion")
    letter = an_article(id="two", outlet="Gazette", title="A trap", kind="opinion")
    assert a_story(column, letter).counted_as == "opinion"
    report = an_article(id="three", outlet="Herald", title="Trap")
    assert a_story(column, report).counted_as == "independent report"


def test_a_quotation_names_its_speaker_and_links_to_where_it_stands() -> None:
    _, text = the_ferry()
    (section,) = _ferry_page().xpath("//section[@aria-labelledby='quotations']")
    (quotation,) = section.iter("blockquote")
    assert _lines(quotation.find("p")) == text.quotations[0].text
    assert (
        _lines(quotation.find("footer")) == "Marta Dahl, 19 Nov 2026, in Island Weekly"
    )
    assert quotation.xpath(".//a/@href") == ["https://island-weekly.example/aurelia"]
    assert not _ferry_page(quotations=()).xpath(
        "//section[@aria-labelledby='quotations']"
    )


def _single(**given: Any) -> tuple[StoryView, StoryText]:
    """A story of one article whose text has more than its lead."""
    lines = numbered("Line %n of what the pilots of Lind told the board.", 4)
    post = an_article(
        id="only", text="\n".join(lines), lead=lines[0], author="Ines Karlow", **given
    )
    return a_story(post, id="single"), StoryText(
        title=post.title,
        lead=tuple(Passage(text=line, article_id="only") for line in lines[:3]),
    )


@pytest.mark.later
def test_a_story_of_one_article_is_that_article_for_its_owner() -> None:
    reader = WrittenStories()
    reader.put(*_single())
    (page,) = _pages(reader, "/stories/single")
    (text,) = page.find_class("text")
    assert len(text) == 4
    assert not page.xpath("//article//details[.//*[@class='text']]"), (
        "nothing is to be unfolded"
    )
    assert (
        _lines(page.find_class("source")[0])
        == "The Harbour Post 20 Nov, 06:30 Ines Karlow Original why here?"
    )
    assert page.xpath("//p[@class='source']//a/@href")[0].startswith(
        "https://harbour-post.example/"
    )
    shown = page.xpath("//article")[0].text_content()
    for words in (
        "1 article",
        "independent report",
        "Reports",
        "Full texts",
        "First sentences",
    ):
        assert words not in shown
    assert page.xpath("//@id").count("a-only") == 1


@pytest.mark.later
def test_others_read_the_excerpt_of_a_story_of_one_article_and_its_link() -> None:
    reader = WrittenStories()
    reader.put(*_single())
    app = create_app(
        reader, PublishSettings(excerpt_words=30), all_services(reader.database)
    )
    with TestClient(
        app, "http://127.0.0.1:8080", client=("203.0.113.9", 40_000)
    ) as client:
        page = html.fromstring(client.get("/stories/single").text)
    (lead,) = page.find_class("lead")
    assert _lines(lead).startswith("Line 0 of what the pilots of Lind told the board.")
    assert "Line 2" not in page.text_content()
    link, why = page.xpath("//li[@id='a-only']//a/@href")
    assert link.startswith("https://harbour-post.example/")
    assert why == "/explain/only"
    assert "1 article" not in page.text_content()


@pytest.mark.later
def test_a_text_that_others_reprint_is_shown_at_once_and_its_reprints_below() -> None:
    story, text = _single()
    of_copy = {
        "role": "copy",
        "copy_of": "only",
        "published": MORNING + timedelta(hours=1),
    }
    copy = an_article(id="copy", outlet="Eastgate Gazette", **of_copy)
    reader = WrittenStories()
    reader.put(a_story(*story.articles, copy, id="single"), text)
    (page,) = _pages(reader, "/stories/single")
    assert len(page.find_class("text")[0]) == 4
    assert "2 articles · 2 outlets · 1 independent report" in page.text_content()
    assert page.xpath("//li[@id='a-only']/details//li/@id") == ["a-copy"]
    assert page.xpath("//@id").count("a-only") == 1


@pytest.mark.later
@pytest.mark.parametrize(("outlets", "end"), [(6, "O4, O5"), (7, "O4 and 2 more")])
def test_a_sixth_outlet_is_named_rather_than_counted(outlets: int, end: str) -> None:
    reader = WrittenStories()
    reader.put(
        a_story(
            *(an_article(outlet=f"O{n}") for n in range(outlets)), report_count=outlets
        )
    )
    (page,) = _pages(reader, "/")
    assert page.find_class("outlets")[0].text_content().endswith(end)


def test_sources_tell_folders_from_feeds_in_the_words_of_the_command_line() -> None:
    reader = WrittenStories()
    folder = SourceView(id="a", name="samples", kind="folder", state="ok")
    reader.set_sources(folder, SourceView(id="b", name="tide", state="new"))
    (page,) = _pages(reader, "/sources")
    assert [mark.text_content() for mark in page.find_class("mark")] == [
        "folder",
        "ok",
        "new",
    ]


def test_times_are_shown_in_utc() -> None:
    tokyo = datetime(2026, 3, 1, 8, 5, tzinfo=timezone(timedelta(hours=9)))
    assert moment(tokyo) == "28 Feb 2026, 23:05"
    assert day(tokyo) == "Saturday, 28 February 2026"
    assert iso(tokyo) == "2026-02-28T23:05:00Z"
    assert iso(date(2026, 3, 1)) == "2026-03-01"


@each_row(
    "pages",
    "marks show own reports first and never too many",
    "articles",
    "reports",
    "shown",
)
def test_marks_show_own_reports_first_and_never_too_many(
    articles: int, reports: int, shown: str
) -> None:
    story = a_story(article_count=articles, report_count=reports)
    macros: Any = environment().get_template("parts.html").module
    (dots,) = re.findall("[●○]+", macros.dots(story))
    assert dots.replace("●", "x").replace("○", ".") == shown
