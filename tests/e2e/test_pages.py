"""The pages in a real browser: they load nothing foreign, say nothing on the console, and lead on.

Screenshots go to tests/output (ignored by git): look at them after a change of templates or styles.
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from lxml import html
from msgspec.structs import replace
from playwright.sync_api import (
    Browser,
    expect,
)

from aggregator.model.story import (
    Passage,
    StorylineView,
    StoryName,
    StoryText,
    StoryView,
)
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.server import Server
from tests.support.browser import DESK, PHONE, Visit
from tests.support.services import all_services
from tests.support.tables import mapping
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.written_stories import (
    MORNING,
    WrittenStories,
    a_story,
    an_article,
    filled_reader,
    the_ferry,
)

SECTIONS = ("Reports", "Quotations", "Story so far", "Full texts")
# Above the folded sections, by articles: what a reader sees before choosing to read on
SCREENS = {
    "desk": ({"width": 1280, "height": 900}, {7: 2, 20: 4}),
    "phone": ({"width": 390, "height": 844}, {7: 4, 20: 6}),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    reader = filled_reader()
    ferry, text = the_ferry()
    line = StorylineView(
        id=ferry.id,
        title=ferry.title,
        story_count=2,
        day_outlet_count=3,
        day_report_count=3,
        head=ferry.id,
        updated=MORNING,
        stories=(),
    )
    budget = reader.story("budget")
    assert isinstance(budget, StoryView)
    reader.put(replace(budget, storyline=line))
    ferry = replace(ferry, storyline=line)
    names = (StoryName(name="Marta Dahl", outlets=2),)
    pilots = an_article(
        title="The port looks for pilots", effective_at=MORNING - timedelta(days=4)
    )
    reader.put(a_story(pilots, topics=("Shipping",)))  # a topic of one story has no tab
    reader.put(replace(ferry, topics=("Shipping",), names=names), text)
    services = all_services(reader.database, lambda: MORNING)
    server = Server(reader, PublishSettings(port=0, title="Morning stories"), services)
    yield server.start()
    server.stop()


@pytest.fixture(scope="module")
def long_stories() -> Iterator[str]:
    reader = WrittenStories()
    for number in (7, 20):
        reader.put(*_story_of(number))
    server = Server(reader, PublishSettings(port=0), all_services(reader.database))
    yield server.start()
    server.stop()


def _story_of(number: int) -> tuple[StoryView, StoryText]:
    """A story of so many articles with long titles, two copies, an opinion, and a long opening of each."""
    articles = [
        an_article(
            id=f"of{number}n{n}",
            outlet=f"The Harbour Post of District {n}",
            title=f"Ministers of {n} provinces agree after eleven hours on a quota for herring and mackerel",
            published=MORNING - timedelta(days=3, hours=-n),
            copy_of=f"of{number}n0" if n in (1, 2) else None,
            role="copy" if n in (1, 2) else "report",
            kind="opinion" if n == 3 else "report",
            text=_LONG,
        )
        for n in range(number)
    ]
    title = "Ministers agree on the quota for herring and mackerel, 2–1, on 12 October 2026, after a long night"
    story = a_story(*articles, id=f"of{number}", title=title)
    lead = tuple(Passage(text=_LONG, article_id=articles[0].id) for _ in range(3))
    openings = tuple(
        Passage(text=f"{n}: {_LONG}", article_id=articles[n].id)
        for n in range(4, number)
    )
    return story, StoryText(title=title, lead=lead, openings=openings)


_LONG = (
    "The ministers of the coastal provinces agreed early on Friday, after eleven hours of talks, to let "
    "boats land 41,000 tonnes of herring and 12,500 tonnes of mackerel next year."
)


BOTH_SCHEMES = pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)


@pytest.fixture
def visit(
    browser: Browser, address: str, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    scheme = getattr(request, "param", "light")
    context = browser.new_context(viewport=DESK, color_scheme=scheme)
    yield Visit(context.new_page(), address)
    context.close()


def _scheme(visit: Visit) -> str:
    dark = visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    return "dark" if dark else "light"


@pytest.mark.later
def test_from_the_front_page_to_a_story_and_its_parts(visit: Visit) -> None:
    visit.go("/")
    visit.keep(f"front-{_scheme(visit)}")
    headline = "Ferry with 212 on board runs aground off Lind island in fog"
    visit.click(headline, "link")
    assert visit.page.get_by_role("heading", level=1).inner_text() == headline
    assert (
        "5 articles · 5 outlets · 3 independent reports"
        in visit.page.get_by_role("main").inner_text()
    )
    for section in SECTIONS:
        assert visit.page.get_by_role("region", name=section).is_visible()
    visit.keep(f"story-{_scheme(visit)}")
    _unfold_full_text(visit)
    visit.assert_quiet()


def _unfold_full_text(visit: Visit) -> None:
    visit.click("Full texts", "heading")
    visit.page.get_by_text("Full text: The Harbour Post").click()
    told = visit.page.get_by_text("struck the Brandt shoal an hour later")
    assert told.last.is_visible()


@pytest.mark.later
@pytest.mark.parametrize("screen", SCREENS)
def test_what_a_story_is_about_and_its_reports_fit_few_screens(
    browser: Browser, long_stories: str, screen: str
) -> None:
    size, allowed = SCREENS[screen]
    context = browser.new_context(viewport=size)
    visit = Visit(context.new_page(), long_stories)
    for articles, screens in allowed.items():
        visit.go(f"/stories/of{articles}")
        visit.keep(f"of{articles}-{screen}")
        top = visit.page.evaluate(
            "document.querySelector('.folded').getBoundingClientRect().top"
        )
        assert top <= screens * size["height"], (
            f"{articles} articles end at {top} pixels"
        )
        assert not visit.page.locator(".folded details[open]").count()
        visit.assert_fits_its_width()
        for score in visit.page.locator("h1 .nb").all():
            box = score.evaluate("e => e.getClientRects().length")
            assert box == 1, "a figure stays on one line"
    context.close()


@pytest.mark.later
def test_a_walk_from_the_front_page_and_back(visit: Visit) -> None:
    """Open, tab, filter, the later story, back, search."""
    page = visit.page
    visit.go("/")
    page.get_by_role("navigation", name="Which stories").get_by_role(
        "link", name="3+ reports"
    ).click()
    expect(page).to_have_title("Morning stories: 3+ reports")
    page.get_by_role("navigation", name="Sections").get_by_role(
        "link", name="Shipping"
    ).click()
    expect(page).to_have_title("Morning stories: Shipping, 3+ reports")
    assert page.locator(".story").count() == 1
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Language").select_option("English")
    visit.click("Show")
    expect(page).to_have_title("Morning stories: Shipping, English, 3+ reports")
    page.get_by_role("link", name="Ferry with 212").first.click()
    page.locator("a[rel=next]", has_text="Eastgate council passes budget").click()
    page.wait_for_url("**/stories/budget")
    page.go_back()
    page.get_by_role("searchbox", name="Search articles").fill("scrape")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=scrape")
    visit.assert_quiet()


@pytest.mark.later
def test_a_phone_shows_everything_without_scrolling_sideways(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(
        viewport=PHONE, device_scale_factor=2, is_mobile=True, has_touch=True
    )
    visit = Visit(context.new_page(), address)
    for name, path in (
        ("front", "/"),
        ("story", "/stories/lindferry"),
        ("search", "/search?q=ferry"),
        ("misspelt", "/search?q=feryy"),
        ("sources", "/sources"),
        ("source", "/sources/The-Harbour-Post"),
        ("newest", "/?view=newest&min_reports=1"),
        ("sign-in", "/sign-in"),
    ):
        visit.go(path)
        visit.keep(f"{name}-phone")
        visit.assert_fits_its_width()
    visit.assert_quiet()
    context.close()


@pytest.mark.later
def test_searching_by_keyboard_finds_an_article(visit: Visit) -> None:
    visit.go("/")
    visit.page.keyboard.press("Tab")
    assert (
        visit.page.evaluate("document.activeElement.textContent")
        == "Skip to the content"
    )
    visit.page.get_by_role("searchbox").focus()
    visit.page.keyboard.type("long scrape")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/search?q=long+scrape")
    assert visit.page.locator("mark").all_inner_texts() == ["long", "scrape"]
    visit.keep(f"search-{_scheme(visit)}")
    visit.page.get_by_role("main").get_by_role("link", name="Island Weekly").click()
    visit.page.wait_for_url("**/stories/lindferry#a-ferryisle")
    visit.assert_quiet()


PAGES = mapping("e2e_pages", "pages")


@pytest.mark.later
@BOTH_SCHEMES
def test_a_screen_reader_meets_no_serious_problem(visit: Visit) -> None:
    is_dark = _scheme(visit) == "dark"
    for name in (
        ("front", "story", "search", "misspelt", "sign-in") if is_dark else PAGES
    ):
        visit.go(PAGES[name])
        visit.keep(f"{name}-{_scheme(visit)}")
        visit.page.evaluate(
            "document.querySelectorAll('details').forEach(one => one.open = true)"
        )
        visit.assert_accessible()
    visit.assert_quiet()


def test_headings_go_down_one_step_at_a_time(address: str) -> None:
    for path in PAGES.values():
        page = html.fromstring(
            httpx.get(address + path, trust_env=False, timeout=PATIENCE_SECONDS).text
        )
        ranks = [
            int(heading.tag[1]) for heading in page.xpath("//h1 | //h2 | //h3 | //h4")
        ]
        assert ranks[0] == 1, path
        assert all(after <= before + 1 for before, after in pairwise(ranks)), (
            path,
            ranks,
        )


def test_keys_lead_from_story_to_story_and_into_the_search_field(visit: Visit) -> None:
    """j, k and /; in a field they are letters."""
    visit.go("/")
    links = visit.page.locator(".story h2 a, .story h3 a")
    for key, place in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        visit.page.keyboard.press(key)
        assert links.nth(place).evaluate("e => e === document.activeElement"), (
            key,
            place,
        )
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("jk/")
    assert visit.page.get_by_role("searchbox").first.input_value() == "jk/"
    visit.assert_quiet()


@pytest.mark.later
def test_without_scripts_filters_paging_and_unfolding_work(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(viewport=DESK, java_script_enabled=False)
    visit = Visit(context.new_page(), address)
    visit.go("/?limit=3")
    visit.click("More stories", "link")
    assert visit.page.get_by_role("heading", name="Potters").is_visible()
    visit.page.get_by_text("Filter", exact=True).click()
    visit.page.get_by_label("Reports").select_option("two or more")
    visit.click("Show")
    titles = visit.page.locator(".story h2, .story h3").all_inner_texts()
    # The earlier story of the storyline is a line below it.
    assert [title.split()[0] for title in titles] == ["Eastgate"]
    visit.click("Ferry with 212", "link")
    _unfold_full_text(visit)
    visit.assert_quiet()
    context.close()


@pytest.mark.later
def test_times_are_those_of_the_reader_and_without_scripts_utc(
    browser: Browser, long_stories: str
) -> None:
    shown = []
    for is_scripted in (True, False):
        context = browser.new_context(
            viewport=DESK, timezone_id="Asia/Tokyo", java_script_enabled=is_scripted
        )
        page = context.new_page()
        page.goto(f"{long_stories}/stories/of7")
        shown.append(
            (
                page.locator(".reports time").first.inner_text(),
                page.locator("#zone").inner_text(),
            )
        )
        context.close()
    assert shown == [
        ("17 Nov, 21:30", "Times are those of your time zone, Asia/Tokyo."),
        ("17 Nov, 12:30", "All times are UTC."),
    ]


@pytest.mark.later
def test_the_keys_are_listed(visit: Visit) -> None:
    page = visit.page
    visit.go("/")
    page.keyboard.press("?")
    visit.expect_shown("dialog", "Keys")
    visit.assert_accessible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    visit.assert_quiet()


@pytest.mark.later
@BOTH_SCHEMES
def test_every_text_has_enough_contrast(visit: Visit) -> None:
    """WCAG AA asks for 4.5; measured on the colours that the browser computed."""
    visit.go("/stories/lindferry")
    worst = visit.page.evaluate(_WORST_CONTRAST)
    assert worst["ratio"] >= 4.5, worst


_WORST_CONTRAST = """() => {
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  let worst = {ratio: 99, text: ""};
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = {ratio, text: e.textContent.trim().slice(0, 40)};
  }
  return worst;
}"""
