"""The pages hold what was reported and nothing that strangers could run."""

import datetime as dt

import httpx
import msgspec
import pytest
from lxml import html

from aggregator.model import ArticleView, Attributed, Fact, MergedStory, StoryView, TimelineItem
from aggregator.publish.pages import grouped_by_article, timeline_days
from aggregator.publish.rendering import counted, day, iso, moment, pieces, pips
from aggregator.publish.serve import Server
from aggregator.publish.settings import PublishSettings
from aggregator.shelf import SearchHit, SourceView
from tests.memory_shelf import MemoryShelf, a_story, an_article, the_ferry

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "{{ 7*7 }}{% raw %}",
    "<style>*{display:none}</style>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example><input name=q>",
    "-->]]><iframe src=//evil.example>",
]
ADDRESSES = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "https://user@evil.example/",
    "vbscript:x",
    '"onclick="alert(1)',
]


def _pages(shelf: MemoryShelf, *paths: str) -> list[html.HtmlElement]:
    server = Server(shelf, PublishSettings(port=0))
    url = server.start()
    try:
        answers = [httpx.get(url + path, trust_env=False) for path in paths]
    finally:
        server.stop()
    assert [answer.status_code for answer in answers] == [200] * len(paths)
    return [html.fromstring(answer.text) for answer in answers]


def _hostile_story(story_id: str, evil: str, address: str) -> tuple[StoryView, MergedStory]:
    article: ArticleView = an_article(
        id=f"evil{story_id}",
        title=evil,
        outlet=evil,
        url=address,
        lead=evil,
        text=f"{evil}\n{evil}",
        wire=evil,
        language=evil,
        author=evil,
        copy_of=None,
    )
    said = Attributed(text=evil, article=article.id, outlet=evil)
    moment_of_it = TimelineItem(kind="told", text=evil, article=article.id, outlet=evil)
    merged = MergedStory(
        title=evil,
        lead=said,
        facts=(Fact(said=(said, said), outlets=2, of=2),),
        only=(said,),
        disagreements=(),
        timeline=(moment_of_it,),
        beside=((said, said),),
    )
    return a_story(article, id=story_id, title=evil, summary=evil, language=evil), merged


OWN_TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "body",
        "header",
        "main",
        "footer",
        "nav",
        "section",
        "article",
    ),
    *("h1", "h2", "h3", "p", "a", "ul", "ol", "li", "span", "strong", "i", "time", "div", "form", "label"),
    *("input", "details", "summary", "blockquote", "bdi", "mark", "pre", "code"),
}


def test_nothing_of_strangers_runs_on_any_page() -> None:
    shelf = MemoryShelf()
    for number, evil in enumerate(HOSTILE):
        shelf.put(*_hostile_story(f"hostile{number}", evil, ADDRESSES[number % len(ADDRESSES)]))
    shelf.set_sources(
        *(SourceView(id=e, name=e, url=ADDRESSES[0], home=ADDRESSES[0], folder=e) for e in HOSTILE)
    )
    stories = [f"/stories/hostile{number}" for number in range(len(HOSTILE))]
    for page in _pages(shelf, "/", "/search?q=alert", "/sources", *stories):
        elements = [element for element in page.iter() if isinstance(element.tag, str)]
        assert {element.tag for element in elements} <= OWN_TAGS
        names = {name for element in elements for name in element.attrib}
        assert not [name for name in names if name.startswith("on") or name in ("style", "src", "autofocus")]
        targets = page.xpath("//@href | //@action")
        assert all(target.startswith(("/", "#")) for target in targets), targets


def test_links_to_outlets_give_nothing_away() -> None:
    shelf = MemoryShelf()
    shelf.put(*the_ferry())
    (page,) = _pages(shelf, "/stories/lindferry")
    outward = page.xpath("//a[starts-with(@href, 'http')]")
    assert {link.get("href") for link in outward} >= {"https://courier.example/news/ferry"}
    assert all({"noopener", "noreferrer"} <= set(link.get("rel", "").split()) for link in outward)


def test_a_story_page_marks_reprints_agencies_and_live_blogs() -> None:
    shelf = MemoryShelf()
    shelf.put(*the_ferry())
    (page,) = _pages(shelf, "/stories/lindferry")
    marks = {
        li.get("id"): [m.text_content() for m in li.find_class("mark")] for li in page.xpath("//li[@id]")
    }
    assert marks == {
        "a-ferrypost": [],
        "a-ferrywire": ["agency: NPA"],
        "a-ferrycopy": ["reprint of Northern Courier", "agency: NPA"],
        "a-ferryisle": [],
        "a-ferrylive": ["live blog or briefing"],
    }


def test_a_page_has_a_heading_of_first_rank_and_no_id_twice() -> None:
    shelf = MemoryShelf()
    shelf.put(*the_ferry())
    for page in _pages(shelf, "/", "/stories/lindferry", "/search", "/search?q=ferry", "/sources"):
        assert len(page.xpath("//h1")) == 1
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))
        assert page.xpath("//@lang")[0] == "en"


def test_a_story_without_a_merged_text_still_reads() -> None:
    shelf = MemoryShelf()
    bare = an_article(outlet=None, url=None, title="", published=None, lead="", language=None)
    shelf.put(a_story(bare, id="bare", title="", summary="", language=None))
    front, story = _pages(shelf, "/", "/stories/bare")
    assert "Untitled" in front.text_content()
    assert "Unknown outlet" in story.text_content()
    assert "time not known" in story.text_content()


def test_many_facts_are_folded() -> None:
    story, merged = the_ferry()
    facts = tuple(
        Fact(said=(Attributed(text=f"Fact {n}.", article="ferrypost", outlet="X"),), outlets=1, of=5)
        for n in range(15)
    )
    shelf = MemoryShelf()
    shelf.put(story, msgspec.structs.replace(merged, facts=facts))
    (page,) = _pages(shelf, "/stories/lindferry")
    assert page.xpath("//details[@class='more']/summary/text()") == ["3 further facts"]
    assert len(page.xpath("//details[@class='more']//li")) == 3


def test_sentences_of_one_article_stand_together() -> None:
    said = [Attributed(text=text, article=article, outlet="O") for text, article in ("1a", "2b", "3a")]
    assert grouped_by_article(said) == [("O", "a", ["1", "3"]), ("O", "b", ["2"])]


def test_moments_of_unknown_day_come_under_their_own_heading() -> None:
    _, merged = the_ferry()
    assert [(title, len(items)) for title, items in timeline_days(merged)] == [
        ("Thursday, 19 November 2026", 4),
        ("Day not known", 1),
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


def test_numbers_are_said_in_words() -> None:
    assert [counted(n, "story", "stories") for n in (0, 1, 1204)] == ["0 stories", "1 story", "1,204 stories"]


@pytest.mark.parametrize("marks", [(), ((0, 3),), ((0, 3), (2, 5)), ((4, 99),), ((3, 1),), ((-2, 4),)])
def test_a_snippet_keeps_all_its_text_whatever_its_marks(marks: tuple[tuple[int, int], ...]) -> None:
    hit = SearchHit(
        article="a",
        story="s",
        story_title="",
        title="",
        outlet=None,
        url=None,
        effective=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        snippet="one two",
        marks=marks,
    )
    assert "".join(text for text, _ in pieces(hit)) == "one two"
