"""The web server as others meet it: real requests to a real server with invented stories."""

import gzip
import json
from collections.abc import Iterator

import feedparser
import httpx
import pytest
from lxml import html
from msgspec.structs import replace

from aggregator.config.story_query import StoryFilter
from aggregator.model.errors import NotWritableError
from aggregator.model.read_model import SourceView, StoryPage
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.list_query import ListQuery
from aggregator.web.server import Server
from tests.support.loopback import Closing
from tests.support.services import all_services
from tests.support.tables import each_row, rows
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.written_stories import (
    WrittenStories,
    filled_reader,
    full_reader,
    the_ferry,
)

STRANGER = {"X-Forwarded-For": "203.0.113.9"}
ROUTES = rows("app", "routes")


class Serving(Closing):
    """A server with its shelf and a client that follows nothing."""

    def __init__(self, reader: WrittenStories, **chosen: object) -> None:
        self.reader = reader
        self.server = Server(
            reader,
            PublishSettings(**{"port": 0} | chosen),
            all_services(reader.database),
        )
        self.client = httpx.Client(
            base_url=self.server.start(), trust_env=False, timeout=PATIENCE_SECONDS
        )

    def get(self, path: str, **given: str) -> httpx.Response:
        headers = {name.replace("_", "-"): value for name, value in given.items()}
        return self.client.get(path, headers=headers)

    def close(self) -> None:
        self.client.close()
        self.server.stop()


@pytest.fixture(scope="module")
def full() -> Iterator[Serving]:
    with Serving(full_reader(), full_text="owner", excerpt_words=40) as serving:
        yield serving


@pytest.fixture
def empty() -> Iterator[Serving]:
    with Serving(WrittenStories()) as serving:
        yield serving


@pytest.mark.later
@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_carries_the_security_headers(full: Serving, path: str) -> None:
    headers = full.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert "server" not in headers


@pytest.mark.later
@pytest.mark.parametrize("path", ROUTES)
def test_head_is_get_without_the_body(full: Serving, path: str) -> None:
    got, head = full.get(path), full.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers.get("etag") == got.headers.get("etag")
    assert head.headers.get("content-type") == got.headers.get("content-type")


@pytest.mark.later
@pytest.mark.parametrize(
    "path", ["/", "/stories/lindferry", "/feeds/stories.rss", "/api/v1/stories"]
)
def test_what_a_reader_has_is_not_sent_again_until_it_changes(path: str) -> None:
    with Serving(filled_reader()) as serving:
        tag = serving.get(path).headers["etag"]
        again = serving.get(path, If_None_Match=f'"other", {tag}')
        assert (again.status_code, again.content, again.headers["etag"]) == (
            304,
            b"",
            tag,
        )
        story, text = the_ferry()
        serving.reader.put(replace(story, title="Another headline"), text)
        assert serving.get(path, If_None_Match=tag).status_code == 200


def test_owner_and_stranger_never_share_an_answer(full: Serving) -> None:
    tag = full.get("/stories/lindferry").headers["etag"]
    unknown_entry = full.get("/stories/lindferry", If_None_Match=tag, **STRANGER)
    assert unknown_entry.status_code == 200
    assert unknown_entry.headers["etag"] != tag
    assert "private" in unknown_entry.headers["cache-control"]


def test_long_answers_are_compressed_for_those_who_can(full: Serving) -> None:
    with full.client.stream(
        "GET", "/feeds/stories.rss", headers={"Accept-Encoding": "gzip"}
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert (
        gzip.decompress(raw)
        == full.get("/feeds/stories.rss", Accept_Encoding="identity").content
    )


@pytest.mark.parametrize("path", ["/stories/oldferry", "/api/v1/stories/oldferry"])
def test_a_merged_story_leads_to_its_home(full: Serving, path: str) -> None:
    answer = full.get(path)
    assert (answer.status_code, answer.headers["location"]) == (
        301,
        path.replace("oldferry", "lindferry"),
    )
    assert "no-cache" in answer.headers["cache-control"], (
        "an undo gives the old id back"
    )


@pytest.mark.parametrize(
    "story_id",
    ["nosuch", "9" * 300, "%00", "a%0d%0ab", "..%2f..", "%E2%80%AE", "%ff%fe", "a b"],
)
def test_pages_of_no_story_are_not_found(full: Serving, story_id: str) -> None:
    answer = full.get(f"/stories/{story_id}")
    assert answer.status_code == 404
    assert "Page not found" in answer.text


@pytest.mark.later
def test_a_request_for_the_public_name_is_no_owners() -> None:
    named = {"public_url": "https://news.example", "owner_on_loopback": True}
    with Serving(full_reader(), excerpt_words=20, **named) as serving:
        assert "Full text" in serving.get("/stories/lindferry").text
        public = serving.get("/stories/lindferry", Host="news.example")
        assert public.status_code == 200
        assert "Full text" not in public.text


@pytest.mark.later
@each_row("app", "full text can be for all or for no one", "rule", "owner", "stranger")
def test_full_text_can_be_for_all_or_for_no_one(
    rule: str, owner: bool, stranger: bool
) -> None:
    with Serving(full_reader(), full_text=rule) as serving:
        assert ("Full text" in serving.get("/stories/lindferry").text) is owner
        assert (
            "Full text" in serving.get("/stories/lindferry", **STRANGER).text
        ) is stranger


def test_a_search_that_cannot_be_read_is_explained(full: Serving) -> None:
    assert "give at least one word" in full.get("/search?q=-").text


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[::1", "a@b"],
)
def test_a_foreign_name_in_host_is_refused(full: Serving, host: str) -> None:
    assert full.get("/", Host=host).status_code in (400, 421)
    assert "passengers" not in full.get("/", Host=host).text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8080", "192.168.1.5"]
)
def test_names_of_this_machine_and_numbers_are_served(full: Serving, host: str) -> None:
    assert full.get("/", Host=host).status_code == 200


@pytest.mark.later
def test_the_first_run_says_what_to_type(empty: Serving) -> None:
    assert "aggregator sources add" in empty.get("/").text
    assert "aggregator ingest --samples" in empty.get("/").text
    empty.reader.set_sources(SourceView(id="s", name="One"))
    assert "are being polled" in empty.get("/").text
    assert feedparser.parse(empty.get("/feeds/stories.rss").content).bozo is False


def test_a_wrong_address_and_a_forgotten_story_have_plain_messages(
    full: Serving,
) -> None:
    wrong = full.get("/?min_reports=x")
    assert (wrong.status_code, "Invalid address" in wrong.text) == (400, True)
    assert "what it led to no longer exists" in full.get("/stories/nosuchstory").text


def test_a_choice_that_fits_nothing_is_no_first_run(full: Serving) -> None:
    for view in ("", "&view=newest"):
        assert "No story matches" in full.get(f"/?min_reports=900{view}").text


def test_hostile_words_in_an_address_come_back_as_text(full: Serving) -> None:
    page = html.fromstring(full.get("/search").text)
    assert page.xpath("//input[@name='q']/@value") == [""]
    answer = full.client.get(
        "/search", params={"q": '"><script>alert(1)</script>\x00\u202e'}
    )
    tree = html.fromstring(answer.text)
    assert [script.get("src") for script in tree.xpath("//script")] == [
        "/static/pages.js"
    ]
    assert "\u202e" not in answer.text


@pytest.mark.later
def test_pages_may_be_indexed_only_when_switched_on() -> None:
    with Serving(full_reader(), index=True) as serving:
        page = serving.get("/")
        assert "noindex" not in page.text
        assert "x-robots-tag" not in page.headers


class BrokenReader(WrittenStories):
    """A shelf whose database went away, or whose program is wrong."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def stories(self, wanted: StoryFilter) -> StoryPage:
        raise self._error


def test_a_database_that_does_not_answer_is_said_in_words() -> None:
    error = NotWritableError("the database does not answer; is Postgres running?")
    with Serving(BrokenReader(error)) as serving:
        page, api = serving.get("/?view=newest"), serving.get("/api/v1/stories")
        assert (page.status_code, api.status_code) == (503, 503)
        assert page.headers["Retry-After"] == api.headers["Retry-After"] == "5"
        assert "is Postgres running?" in page.text
        assert api.json()["detail"] == str(error)


@pytest.mark.slow
def test_a_fault_of_ours_shows_no_insides_and_keeps_the_headers() -> None:
    with Serving(BrokenReader(RuntimeError("inside: password=1234"))) as serving:
        for path in ("/?view=newest", "/api/v1/stories"):
            answer = serving.get(path)
            assert answer.status_code == 500
            assert "1234" not in answer.text
            assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_description_of_the_api_names_every_filter(full: Serving) -> None:
    api = json.loads(full.get("/api/v1/openapi.json").text)
    names = [
        parameter["name"]
        for parameter in api["paths"]["/api/v1/stories"]["get"]["parameters"]
    ]
    assert set(names) == set(ListQuery.model_fields) - {"saved"}, (
        "that one where there are saved queries"
    )
    assert "/stories/{id}" not in api["paths"]


def test_docs_are_the_page_of_the_api(full: Serving) -> None:
    assert full.get("/docs").text == full.get("/api").text
