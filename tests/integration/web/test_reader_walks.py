"""The requests that published clients of the Google Reader API send, as their sources have them.

newsboat 2.21 (newsboat/newsboat, tag r2.21, src/feedhqapi.cpp and rss/atomparser.cpp) and Liferea 1.14.4
(lwindolf/liferea, tag v1.14.4, src/fl_sources/google_source.c and google_source_feed.c), both in Debian 12.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from sqlalchemy import insert, select

from aggregator.config.story_query import SavedQuery
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.tables import story
from tests.support.articles import FLOOD, STRIKE, record
from tests.support.loopback import http_client
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import LIST, READ, STARRED, ReaderClient
from tests.support.rows import executed, queried, written_by
from tests.support.tables import each_row

ATOM = "{http://www.w3.org/2005/Atom}"
LABEL = "user/-/label/"
SHOWS = (
    "https://pods.example/shows/6f1c2a34-0d5e-4b7a-9c8d-112233445566",
    "https://pods.example/shows/6f1c2a34-0d5e-4b7a-9c8d-665544332211",
    "https://video.example/feeds?channel_id=UC-16niRr50aMSBwiO3Y_x",
)
SECRET = (
    "https://pods.example/f?auth=ab12cd34",
    "https://pods.example/f?auth=ef56ab78",
)


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    """Two stories, each of a source in a folder of its own."""
    with Newsroom(
        database, queries=(SavedQuery(query="bridge").named("bridges"),)
    ) as opened:
        ports, towns = (
            feed_source(SHOWS[0], folder="Ports"),
            feed_source(SHOWS[1], folder="Towns"),
        )
        written_by(database, source_rows.add, ports, towns)
        opened.writer.take(
            record(ports.id, "1", "Dockers strike in Sennick", STRIKE),
            record(towns.id, "1", "Levee breaks in Pennmouth", FLOOD),
        )
        yield opened


def phone(room: Newsroom, scope: Any = "read", **headers: str) -> ReaderClient:
    return ReaderClient(
        room.client.base_url, "Ada L", room.token(f"phone {scope}", scope), **headers
    )


def signed_in(room: Newsroom, form: str, secret: str) -> httpx.Client:
    """A stranger's client after the sign-in that `form` is."""
    client = http_client(base_url=room.client.base_url, headers=STRANGER)
    posted = client.post(
        "/accounts/ClientLogin",
        content=form.format(secret=secret),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    client.headers["X-Auth"] = posted.text.partition("\nAuth=")[2].strip()
    return client


def labels(client: httpx.Client, stream: str) -> dict[str | None, list[str | None]]:
    """Of each entry of a stream, by its id; each has its text."""
    answer = client.get(f"/reader/atom/{stream}")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    entries = [*ElementTree.fromstring(answer.text).iter(f"{ATOM}entry")]
    assert all(entry.findtext(f"{ATOM}content") for entry in entries)
    return {
        entry.findtext(f"{ATOM}id"): [
            each.get("label") for each in entry.iter(f"{ATOM}category")
        ]
        for entry in entries
    }


def test_newsboat_2_21_reads_and_marks(room: Newsroom) -> None:
    client = signed_in(
        room,
        "service=reader&Email=Ada%20L&Passwd={secret}&source=newsboat%2F2.21"
        "&accountType=HOSTED_OR_GOOGLE&continue=http://www.google.com/",
        room.token("laptop", "read"),
    )
    client.headers["Authorization"] = f"GoogleLogin auth={client.headers['X-Auth']}"
    listed = client.get("/reader/api/0/subscription/list?output=json").json()
    known = phone(room)
    found = {}
    for subscription in listed["subscriptions"]:
        found |= labels(client, f"{quote(subscription['id'], safe='')}?n=20")
    assert list(found.values()) == [["reading-list"]] * 2
    first, second = found
    token = client.get("/reader/api/0/token").text
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    marked = client.post(
        "/reader/api/0/edit-tag",
        content=f"i={first}&a={READ}&r=user/-/state/com.google/kept-unread&ac=edit&T={token}",
        headers=form,
    )
    starred = client.post(
        "/reader/api/0/edit-tag",
        content=f"i={second}&a={STARRED}&ac=edit&T={token}",
        headers=form,
    )
    assert marked.text == starred.text == "OK"
    assert labels(client, quote(LIST)) == {
        first: ["reading-list", "read"],
        second: ["reading-list", "starred"],
    }
    stream = listed["subscriptions"][1]["id"]
    done = client.post(
        "/reader/api/0/mark-all-as-read",
        content=f"s={unquote(quote(stream))}&T={token}",
        headers=form,
    )
    assert done.text == "OK"
    assert known.unread() == []
    assert client.get("/reader/atom/feed/unknown").status_code == 404
    assert client.post(f"/reader/atom/{LIST}").status_code == 405


@pytest.mark.parametrize("field", ["T", "auth"])
def test_liferea_1_14_asks_for_texts_with_the_secret_in_the_form_alone(
    room: Newsroom, field: str
) -> None:
    client = signed_in(
        room,
        "service=reader&Email=Ada%20L&Passwd={secret}&source=liferea&continue=http://www.google.com",
        room.token("desk", "read"),
    )
    auth = client.headers["X-Auth"]
    bearer = {"Authorization": f"GoogleLogin auth={auth}"}
    source = client.get("/reader/api/0/subscription/list", headers=bearer).json()
    stream = source["subscriptions"][0]["id"]
    ids = client.get(
        f"/reader/api/0/stream/items/ids?s={quote(stream, safe='')}&client=liferea&n=50&output=json&merge=true",
        headers=bearer,
    ).json()["itemRefs"]
    form = f"output=json&mediaRss=true&{field}={{}}" + "".join(
        f"&i={each['id']}" for each in ids
    )

    def texts(given: str, *, query: str = "") -> httpx.Response:
        return client.post(
            f"/reader/api/0/stream/items/contents{query}",
            content=form.format(given),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )

    (item,) = texts(auth).json()["items"]
    assert item["title"] == "Dockers strike in Sennick"
    nobody = auth.replace("ada", "bob")
    for wrong in ("", "0" * 57, "ada%20l/agg_wrong", "ada%20l/-", nobody):
        assert texts(wrong).status_code == 401, wrong
    assert texts(f"ada%20l/{room.token('wire', 'push')}").status_code == 401
    asked = client.get(f"/reader/api/0/user-info?{field}={auth}")
    assert asked.status_code == 401, "an address is stored in logs"


def test_a_secret_in_the_form_changes_what_its_scope_may(room: Newsroom) -> None:
    for scope, status in (("read", 403), ("admin", 200)):
        client = phone(room, scope)
        form = {
            "T": unquote(client.auth),
            "s": f"{LABEL}Ports",
            "dest": f"{LABEL}Harbours",
        }
        answer = room.client.post(
            "/reader/api/0/rename-tag", data=form, headers=STRANGER
        )
        assert answer.status_code == status


# --- subscriptions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("full_text", ["owner", "never"])
def test_each_subscription_has_an_address_of_its_own(
    database: Database, full_text: str
) -> None:
    with Newsroom(database, full_text=full_text) as room:
        added = {url: feed_source(url, folder="Pods") for url in (*SHOWS, *SECRET)}
        written_by(database, source_rows.add, *added.values())
        shown: dict[str, set[str]] = {}
        for scope in ("read", "admin"):
            client = phone(room, scope)
            listed = client.get("subscription/list")["subscriptions"]
            shown[scope] = {one["url"] for one in listed}
            assert len(shown[scope]) == len(listed)
            exported = client.http.get("/reader/api/0/subscription/export")
            assert exported.headers["content-type"].startswith("text/x-opml")
            outlines = ElementTree.fromstring(exported.text).iter("outline")
            urls = {one.get("xmlUrl") for one in outlines} - {None}
            assert urls < shown[scope]
            assert len(urls) == len(added)
        assert shown["admin"] > set(added)
        # The UUID in the path of a show may be a key.
        assert shown["read"] > {url for url in SHOWS if "channel_id" in url}
        assert not any("ab12cd34" in one or "6f1c2a34" in one for one in shown["read"])


def test_a_folder_is_renamed_and_removed(room: Newsroom) -> None:
    client = phone(room, "admin")

    def folders() -> list[str]:
        tags = client.get("tag/list")["tags"]
        return [one["id"] for one in tags if one.get("type") == "folder"]

    def renamed(name: str, dest: str) -> tuple[int, str]:
        return client.post("rename-tag", s=LABEL + name, dest=LABEL + dest)

    ports = client.ids(f"{LABEL}Ports")
    assert renamed("Ports", "Harbours & ships") == (200, "OK")
    assert folders() == [f"{LABEL}Harbours & ships", f"{LABEL}Towns"]
    assert client.ids(f"{LABEL}Harbours & ships") == ports
    client.mark(*ports, add=f"{LABEL}later")
    for name, dest, words in (
        ("Towns", "later", '"later" is a label of stories; choose another name'),
        ("Towns", "bridges", '"bridges" is a saved query; choose another name'),
        ("bridges", "spans", '"bridges" is a saved query; change it in config.yaml'),
        ("later", "Towns", '"Towns" is a folder of sources; choose another name'),
        ("Towns", "", "the new label of the folder"),
    ):
        status, said = (
            renamed(name, dest)
            if dest
            else client.post("rename-tag", s=LABEL + name, dest="")
        )
        assert (status, words in said) == (400, True), said
    assert renamed("nothing", "something")[0] == 404
    assert renamed("Towns", "Harbours & ships") == (200, "OK"), "the folders are one"
    assert len(client.ids(f"{LABEL}Harbours & ships")) == 2
    assert client.post("disable-tag", s=f"{LABEL}Harbours & ships") == (200, "OK")
    assert folders() == []
    assert client.post("disable-tag", s=f"{LABEL}later") == (200, "OK")
    assert len(client.ids()) == 2
    assert phone(room).post("disable-tag", s=f"{LABEL}Ports")[0] == 404


def test_a_folder_with_a_source_of_the_configuration_stays_whole(
    room: Newsroom,
) -> None:
    listed = feed_source("https://x.example/f", origin="config", folder="Towns")
    written_by(room.database, source_rows.add, listed)
    client = phone(room, "admin")
    for call, form in (("rename-tag", {"dest": f"{LABEL}Cities"}), ("disable-tag", {})):
        status, said = client.post(call, s=f"{LABEL}Towns", **form)
        assert (status, "change its folder there" in said) == (400, True), said
    categories = [
        one["categories"] for one in client.get("subscription/list")["subscriptions"]
    ]
    assert sum(one["label"] == "Towns" for each in categories for one in each) == 2


# --- counts and direction ----------------------------------------------------------------------------------


def test_unread_stories_are_counted_beyond_a_thousand(room: Newsroom) -> None:
    client = phone(room)
    one, *_ = queried(room.database, select(story)).mappings()
    copies = [
        {
            **one,
            "story_no": one["story_no"] + 10 + number,
            "id": f"copy{number}",
            "bumped_at": one["bumped_at"] + timedelta(seconds=number),
        }
        for number in range(1_200)
    ]
    executed(room.database, insert(story), copies)
    counts = client.get("unread-count")
    assert counts["max"] > 1_202
    assert {each["count"] for each in counts["unreadcounts"]} == {1_202, 1_201, 1}
    for stream, count in ((LIST, "1202"), (f"{LABEL}Towns", "1")):
        counted = client.http.get(
            "/reader/api/0/stream/items/count", params={"s": stream}
        )
        assert counted.text == count


@each_row(
    "reader_walks",
    "a text has the direction of its script",
    "title",
    "text",
    "direction",
)
def test_a_text_has_the_direction_of_its_script(
    database: Database, title: str, text: str, direction: str
) -> None:
    with Newsroom(database) as room:
        room.writer.take(record("Scripts Post", "1", title, text))
        (item,) = phone(room).get("stream/contents")["items"]
        assert item["summary"]["direction"] == direction
