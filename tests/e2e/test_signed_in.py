"""The person with the token, in a real browser on a real database: sign in, merge, undo, part, ask why.

The writer of stories is real too: it answers what the forms left for it, as the daemon does.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from lxml import html
from playwright.sync_api import Browser, expect

from aggregator.config.story_query import StoryFilter
from aggregator.store.engine.database import Database
from tests.support.articles import render_all
from tests.support.browser import DESK, PHONE, Visit
from tests.support.fresh import opened_at, sqlite_at
from tests.support.newsroom import Newsroom
from tests.support.story_checks import fill
from tests.support.tame_pages import HOSTILE, assert_tame

pytestmark = pytest.mark.later


class Writing(Newsroom):
    """A newsroom with 63 invented articles, whose writer does at once what he is asked, unless he is busy."""

    def __init__(self, database: Database) -> None:
        self.is_busy = False
        super().__init__(database, tuning={"editor": {"response_wait_seconds": 1.0}})
        self.address = str(self.client.base_url).rstrip("/")

    def asked(self) -> None:
        if not self.is_busy:
            self.writer.pipeline.run_commands()

    def titles(self) -> dict[str, str]:
        """Of all stories, by id."""
        return {
            one.id: one.title
            for one in self.reading.stories(StoryFilter(limit=500)).stories
        }

    def partition(self) -> set[frozenset[str]]:
        """Which articles are together."""
        stories = self.reading.stories(StoryFilter(limit=500)).stories
        return {
            frozenset(article.id for article in story.articles) for story in stories
        }


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database as each test finds it."""
    file = tmp_path_factory.mktemp("told") / "newsroom.db"
    with sqlite_at(file) as database:
        fill(database)
        render_all(database)
    return file


@pytest.fixture
def newsroom(reported: Path, tmp_path: Path) -> Iterator[Writing]:
    with (
        opened_at(shutil.copy(reported, tmp_path)) as database,
        Writing(database) as made,
    ):
        yield made


@pytest.fixture
def visit(browser: Browser, newsroom: Writing) -> Iterator[Visit]:
    context = browser.new_context(viewport=DESK)
    yield Visit(context.new_page(), newsroom.address)
    context.close()


def _sign_in(visit: Visit, secret: str) -> None:
    visit.click("Sign in", "link")
    visit.page.get_by_label("Token").fill(secret)
    visit.click("Sign in")


def test_sign_in_merge_two_undo_and_sign_out(visit: Visit, newsroom: Writing) -> None:
    page, before = visit.page, newsroom.partition()
    (one, _), (other, title) = [*newsroom.titles().items()][:2]
    visit.go(f"/stories/{one}")
    # To the owner
    visit.expect_shown("heading", "Correct this story")
    _sign_in(visit, newsroom.token("read-push-admin", "read", "push", "admin"))
    visit.go(f"/stories/{one}")
    page.get_by_text("Merge with another story").click()
    visit.keep("correct-light")
    visit.assert_accessible()
    page.get_by_label("other story").fill(f"{newsroom.address}/stories/{other}")
    visit.click("Merge …")
    visit.expect_title("Merge these stories?")
    visit.expect_text("main", title)
    visit.keep("confirm-light")
    visit.assert_accessible()
    assert newsroom.partition() == before, "nothing is done before it is confirmed"
    visit.click("Merge")
    page.wait_for_url("**/stories/*?done=1")
    assert len(newsroom.partition()) == len(before) - 1
    visit.expect_text("status", "Correction 1 was made")
    visit.keep("merged-light")
    visit.assert_accessible()
    visit.click("Undo")
    page.wait_for_url("**/stories/*?undone=1")
    assert newsroom.partition() == before
    visit.click("Corrections", "link")
    visit.expect_text("main", "undone")
    visit.keep("corrections-light")
    visit.assert_accessible()
    visit.click("Sign out")
    visit.expect_shown("link", "Sign in")
    visit.go(f"/stories/{one}")
    # To the owner
    visit.expect_shown("heading", "Correct this story")
    visit.assert_quiet()


def test_parting_and_moving_articles(visit: Visit, newsroom: Writing) -> None:
    page, reading = visit.page, newsroom.reading
    stories = reading.stories(StoryFilter(min_reports=3, limit=50)).stories
    story, target = stories[0], stories[1]
    leaving = next(article for article in story.articles if article.role == "report")
    visit.go("/")
    _sign_in(visit, newsroom.token("admin", "admin"))
    visit.go(f"/stories/{story.id}")
    page.get_by_text("Remove articles about another event").click()
    page.locator(f"input[value='{leaving.id}']").check()
    visit.click("Split into a new story")
    visit.expect_text("main", leaving.title)
    visit.click("Split")
    page.wait_for_url("**?done=1")
    left = reading.stories_by_id((story.id,))[0]
    assert leaving.id not in {article.id for article in left.articles}
    moving = next(article for article in left.articles if article.role == "report")
    page.get_by_text("Remove articles about another event").click()
    page.locator(f"input[value='{moving.id}']").check()
    page.get_by_label("move one article to this story").fill(target.id)
    visit.click("Move …")
    visit.click("Move")
    page.wait_for_url("**?done=2")
    assert moving.id in {
        article.id for article in reading.stories_by_id((target.id,))[0].articles
    }
    visit.assert_quiet()


def test_what_cannot_be_done_is_said_and_what_takes_longer_waits(
    visit: Visit, newsroom: Writing
) -> None:
    page = visit.page
    (one, _), (other, _) = [*newsroom.titles().items()][:2]
    visit.go("/")
    _sign_in(visit, newsroom.token("admin", "admin"))
    for typed, words in (
        (one, "are one story already"),
        ("nosuch", "there is no story"),
        ("a b", "is not the id"),
    ):
        visit.go(f"/stories/{one}")
        page.get_by_text("Merge with another story").click()
        page.get_by_label("other story").fill(typed)
        visit.click("Merge …")
        visit.expect_text("main", words)
    visit.complaints.clear()  # the browser notes answers of 409
    newsroom.is_busy = True
    visit.go(f"/stories/{one}")
    page.get_by_text("Merge with another story").click()
    page.get_by_label("other story").fill(other)
    visit.click("Merge …")
    visit.click("Merge")
    visit.expect_title("The correction is waiting")
    newsroom.is_busy = False
    newsroom.asked()
    visit.assert_quiet()


def test_why_an_article_is_where_it_is(visit: Visit, newsroom: Writing) -> None:
    page = visit.page
    story = max(
        newsroom.reading.stories(StoryFilter(limit=500)).stories,
        key=lambda one: one.report_count,
    )
    explained = newsroom.reading.explained_article
    joined = next(
        article
        for article in story.articles[1:]
        if explained(article.id).evidence.score is not None
    )
    visit.go(f"/stories/{story.id}")
    page.locator(f"#a-{joined.id}").get_by_role("link", name="why here?").click()
    visit.expect_title(joined.title)
    shown = f"{explained(joined.id).evidence.score:+.2f}".replace("-", "−")
    expect(page.get_by_role("table").first).to_contain_text(shown)
    width = "e => e.getBoundingClientRect().width"
    assert page.locator("i.bar").first.evaluate(width) > 0
    page.get_by_role("region", name="Compare with another article").get_by_role(
        "link"
    ).first.click()
    visit.expect_shown("heading", "Compared with another article")
    visit.keep("explain-light")
    visit.assert_accessible()
    page.set_viewport_size(PHONE)
    visit.assert_fits_its_width()
    visit.keep("explain-phone")
    visit.assert_quiet()


# --- without a browser -------------------------------------------------------------------------------------


def _form_value(client: httpx.Client) -> str:
    page = html.fromstring(client.get("/").text)
    return str(page.xpath("//input[@name='form']/@value")[0])


def test_forms_are_for_the_holder_of_an_admin_token_with_a_form_of_his_own(
    newsroom: Writing,
) -> None:
    before = newsroom.partition()
    one, other = [*newsroom.titles()][:2]
    fields = {"kind": "merge", "story": one, "other": other, "sure": "yes"}
    client = newsroom.client
    assert client.post("/correct", data=fields).status_code == 403, "no token"
    reader = client.post(
        "/sign-in", data={"token": newsroom.token("read-push", "read", "push")}
    )
    assert reader.status_code == 303
    value = _form_value(client)
    assert client.post("/correct", data=fields | {"form": value}).status_code == 403, (
        "no admin"
    )
    assert client.get("/corrections").headers["location"] == "/sign-in"
    client.post("/sign-in", data={"token": newsroom.token("admin", "admin")})
    assert client.post("/correct", data=fields).status_code == 403, "no form of ours"
    assert client.post("/correct", data=fields | {"form": value}).status_code == 403, (
        "another's form"
    )
    assert client.post("/corrections/1/undo", data={"form": value}).status_code == 403
    foreign = {"Origin": "https://evil.example"}
    own = fields | {"form": _form_value(client)}
    assert client.post("/correct", data=own, headers=foreign).status_code == 403
    assert client.get("/correct").status_code == 405
    assert newsroom.partition() == before
    assert client.post("/correct", data=own).status_code == 303
    assert len(newsroom.partition()) == len(before) - 1


def test_signing_in_keeps_the_token_from_scripts_and_leads_nowhere_foreign(
    newsroom: Writing,
) -> None:
    secret = newsroom.token("admin", "admin")
    client = newsroom.client
    wrong = client.post("/sign-in", data={"token": "no such token"})
    assert wrong.status_code == 403
    assert "set-cookie" not in wrong.headers
    for story in ("//evil.example", "https://evil.example", "../x", "a\r\nb", ""):
        answer = client.post("/sign-in", data={"token": secret, "story": story})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    right = client.post("/sign-in", data={"token": f" {secret} ", "story": "abc"})
    assert right.headers["location"] == "/stories/abc"
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    pages = [
        client.get(path)
        for path in ("/", "/sign-in", "/corrections", "/nosuch", "/?min_reports=x")
    ]
    assert not any(secret in page.text for page in pages)
    assert all(
        page.headers.get("etag") is None or secret not in page.headers["etag"]
        for page in pages
    )


def test_a_token_in_the_address_stays_in_links_and_opens_no_form(
    newsroom: Writing,
) -> None:
    secret = newsroom.token("read-admin", "read", "admin")
    prefix = f"/t/{secret}"
    story = next(iter(newsroom.titles()))
    client = newsroom.client
    for path in (
        "/",
        "/?view=newest",
        f"/stories/{story}",
        "/search?q=the",
        "/sources",
    ):
        page = html.fromstring(client.get(prefix + path).text)
        own = [
            link
            for link in page.xpath("//@href | //@action")
            if not link.startswith(("#", "http"))
        ]
        assert own
        assert all(link.startswith((prefix + "/", "/static/")) for link in own), own
        assert page.xpath("//form[@method='post']") == []
    lost = client.get(prefix + "/nosuch")
    assert lost.status_code == 404
    assert secret not in lost.text


def test_nothing_that_a_form_brings_becomes_markup(newsroom: Writing) -> None:
    client = newsroom.client
    client.post("/sign-in", data={"token": newsroom.token("admin", "admin")})
    own, story = _form_value(client), next(iter(newsroom.titles()))
    for evil in HOSTILE:
        asked = [
            client.post(
                "/correct",
                data={"form": own, "kind": "merge", "story": story, "address": evil},
            ),
            client.post(
                "/correct",
                data={"form": own, "kind": evil, "story": evil, "article": evil},
            ),
            client.get("/explain/x", params={"other": evil}),
            client.get(f"/stories/{story}", params={"done": evil, "undone": evil}),
            client.get("/sign-in", params={"story": evil}),
            client.post("/correct", content=evil.encode()),
        ]
        assert all(answer.status_code < 500 for answer in asked)
        for answer in asked:
            assert_tame(html.fromstring(answer.text))


def test_a_form_that_is_too_long_or_is_none_is_refused(newsroom: Writing) -> None:
    client = newsroom.client
    assert client.post("/sign-in", content=b"token=" + b"x" * 70_000).status_code == 413
    assert (
        client.post("/sign-in", content="token=ü".encode("latin-1")).status_code == 409
    )
    assert (
        client.post("/sign-in", content=b"&".join([b"a=1"] * 3000)).status_code == 409
    )
