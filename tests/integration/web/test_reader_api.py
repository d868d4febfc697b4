"""The Google Reader API over real HTTP, on both databases, as clients of phones use it."""

import base64
import html
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.config.story_query import SavedQuery
from aggregator.store import api_tokens
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.read.marks import mark_rows, read_marks
from aggregator.store.tables import read_mark, reader, story
from aggregator.web.reader_api.ids import STORIES
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.loopback import LoopbackServer, Response
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import (
    LIST,
    READ,
    STARRED,
    ReaderClient,
    libgreader_client,
    signed_in,
)
from tests.support.rows import overheard, queried, read_by, whole_scans, written_by
from tests.support.story_checks import by_title, correct, members, mistake, undo
from tests.support.tables import mapping, numbered, rows

FEED = "https://ports.example/feed"


def numbers(database: Database, *ids: str) -> list[str]:
    """The decimal ids of items."""
    rows = {
        row.id: row.story_no
        for row in queried(database, select(story.c.id, story.c.story_no))
    }
    return [str(rows[one]) for one in ids]


def report(small_room: Newsroom, title: str, text: str, outlet: str) -> None:
    """A polled article."""
    entry = record(outlet, title, title, text, published=small_room.clock())
    small_room.writer.accept(entry, bump_by_clock=True)
    small_room.writer.place()


# --- signing in --------------------------------------------------------------------------------------------


@pytest.mark.later
def test_the_first_sign_in_adds_the_reader_and_no_token_is_needed_twice(
    small_room: Newsroom,
) -> None:
    secret = small_room.token("phone", "read")
    first = ReaderClient(small_room.client.base_url, " Ada  Lovelace", secret)
    second = ReaderClient(
        small_room.client.base_url, "ada lovelace", small_room.token("tablet", "admin")
    )
    assert first.get("user-info") == second.get("user-info")
    assert first.get("user-info")["userName"] == "ada lovelace"
    assert len(first.token) == 57
    first.mark(first.ids()[0], add=READ)
    assert second.unread() == first.unread() == first.ids()[1:], (
        "what is read belongs to the reader"
    )
    other = ReaderClient(small_room.client.base_url, "Grace", secret)
    assert other.unread() == other.ids()
    names = (
        queried(small_room.database, select(reader.c.name).order_by(reader.c.name))
        .scalars()
        .all()
    )
    assert names == ["ada lovelace", "grace"]


def test_a_sign_in_may_be_answered_as_json(small_room: Newsroom) -> None:
    form = {
        "Email": "ada",
        "Passwd": small_room.token("phone", "read"),
        "output": "json",
    }
    answer = small_room.client.post("/accounts/ClientLogin", data=form).json()
    assert answer["Auth"] == answer["SID"] == f"ada/{form['Passwd']}"


@pytest.mark.later
@pytest.mark.parametrize("password", ["", "hunter2", "agg_wrong"])
def test_strangers_need_a_token_that_may_read(
    small_room: Newsroom, password: str
) -> None:
    form = {"Email": "ada", "Passwd": password}
    refused = small_room.client.post(
        "/accounts/ClientLogin", data=form, headers=STRANGER
    )
    assert (refused.status_code, refused.text) == (401, "Error=BadAuthentication\n")
    form["Passwd"] = small_room.token("wire", "push")
    assert (
        small_room.client.post(
            "/accounts/ClientLogin", data=form, headers=STRANGER
        ).status_code
        == 401
    )
    assert queried(small_room.database, select(reader.c.name)).first() is None


def test_the_owner_on_this_machine_needs_no_token_unless_a_page_of_another_site_asks(
    small_room: Newsroom,
) -> None:
    here = ReaderClient(small_room.client.base_url, "ada", "anything")
    assert here.unread()
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        form = {"Email": "ada", "Passwd": "anything"}
        assert (
            small_room.client.post(
                "/accounts/ClientLogin", data=form, headers=headers
            ).status_code
            == 401
        )
        assert (
            here.http.get("/reader/api/0/user-info", headers=headers).status_code == 401
        )


def test_a_page_of_another_site_cannot_use_what_a_browser_adds_by_itself(
    small_room: Newsroom,
) -> None:
    secret = small_room.token("desk", "read")
    basic = base64.b64encode(f"anna:{secret}".encode()).decode()
    foreign = {
        "Sec-Fetch-Site": "cross-site",
        "Origin": "https://evil.example",
        **STRANGER,
    }
    form = {"Email": "intruder", "Passwd": "anything"}
    for given in (
        {"Cookie": f"aggregator_token={secret}"},
        {"Authorization": f"Basic {basic}"},
    ):
        answer = small_room.client.post(
            "/accounts/ClientLogin", data=form, headers=foreign | given
        )
        assert answer.status_code == 401
    assert queried(small_room.database, select(reader.c.name)).first() is None


def test_a_name_that_no_reader_can_have_is_unknown(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    secret = phone.auth.rpartition("/")[2]
    headers = {"Authorization": f"GoogleLogin auth=a%00da/{secret}"}
    assert (
        small_room.client.get("/reader/api/0/user-info", headers=headers).status_code
        == 401
    )


def test_a_token_in_the_path_signs_nobody_in_and_changes_nothing(
    small_room: Newsroom,
) -> None:
    in_path = f"/t/{small_room.token('phone', 'admin')}"
    answer = small_room.client.post(
        f"{in_path}/accounts/ClientLogin",
        data={"Email": "ada", "Passwd": "x"},
        headers=STRANGER,
    )
    assert answer.status_code == 401
    assert queried(small_room.database, select(reader.c.name)).all() == []
    ada = signed_in(small_room)
    form = {"i": ada.ids()[0], "a": READ}
    for given, status in (("ada/-", 401), (ada.auth, 200)):
        headers = {"Authorization": f"GoogleLogin auth={given}"} | STRANGER
        answer = small_room.client.post(
            f"{in_path}/reader/api/0/edit-tag", data=form, headers=headers
        )
        assert answer.status_code == status
    assert ada.unread() == ada.ids()[1:]


def test_fluent_reader_is_of_another_origin_and_sends_no_edit_token(
    small_room: Newsroom,
) -> None:
    """yang991178/fluent-reader, greader.ts at 324c8c32e97611af37e763654946cd92d586cd71."""
    asked = small_room.client.options(
        "/reader/api/0/user-info", headers={"Origin": "null", **STRANGER}
    )
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    fluent = signed_in(small_room, Origin="null", **{"Sec-Fetch-Site": "cross-site"})
    assert len(fluent.get("stream/contents", n=5)["items"]) == 5
    answer = fluent.http.post(
        "/reader/api/0/edit-tag", data={"i": fluent.ids()[0], "a": READ}
    )
    assert answer.text == "OK"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert len(fluent.unread()) == len(fluent.ids()) - 1


def test_every_other_call_needs_the_reader(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    tries = {
        "": 401,
        "GoogleLogin auth=ada": 401,
        "GoogleLogin auth=ada/agg_wrong": 401,
        f"GoogleLogin auth=nobody/{phone.auth.partition('/')[2]}": 401,
        f"Bearer {phone.auth.partition('/')[2]}": 401,
        f"GoogleLogin auth={phone.auth}": 200,
    }
    for header, status in tries.items():
        answer = small_room.client.get(
            "/reader/api/0/user-info", headers={"Authorization": header} | STRANGER
        )
        assert answer.status_code == status, header
        assert (answer.headers.get("X-Reader-Google-Bad-Token") == "true") == (
            status == 401
        )
        assert (answer.headers.get("Google-Bad-Token") == "true") == (status == 401)
    written_by(small_room.database, api_tokens.revoke, "phone of Ada", NOON)
    assert phone.http.get("/reader/api/0/user-info").status_code == 401


def test_a_link_marks_nothing(phone: ReaderClient) -> None:
    assert (
        phone.http.get(
            "/reader/api/0/edit-tag", params={"i": "1", "a": READ}
        ).status_code
        == 405
    )
    assert phone.unread() == phone.ids()


def test_bodies_and_calls_that_cannot_be_are_refused(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    large = {"Email": "a" * 5000, "Passwd": "x"}
    assert (
        small_room.client.post("/accounts/ClientLogin", data=large).status_code == 413
    )
    assert (
        small_room.client.post(
            "/accounts/ClientLogin", data={"Email": "", "Passwd": "x"}
        ).status_code
        == 400
    )
    assert (
        small_room.client.get("/accounts/ClientLogin?Email=a&Passwd=b").status_code
        == 405
    )
    for call, status in {
        "subscription/quickadd": 405,
        "subscription/import": 404,
        "stream/contents/feed/unknown": 404,
        "stream/items/ids?s=user/-/label/unknown": 404,
        "stream/items/ids?c=nonsense": 400,
        "stream/items/ids?n=x&ot=x&nt=99999999999999999999": 200,
    }.items():
        assert phone.http.get(f"/reader/api/0/{call}").status_code == status, call
    form = {
        "T": phone.token,
        "i": ["nonsense", "-5", "9" * 19, "tag:google.com,2005:reader/item/zz"],
        "a": READ,
    }
    assert phone.http.post("/reader/api/0/edit-tag", data=form).text == "OK"


# --- reading -----------------------------------------------------------------------------------------------


def test_pages_follow_each_other_and_hold_every_story_once(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    stories = small_room.read_json("/api/v1/stories?limit=100")["stories"]
    whole = numbers(small_room.database, *(one["id"] for one in stories))
    assert len(whole) > 20
    assert phone.ids() == phone.ids(n=3) == phone.unread(n=7) == whole
    page = phone.get("stream/contents/" + LIST, n=2)
    again = phone.get("stream/contents/" + LIST, n=2, c=page["continuation"])
    shown = [one["id"] for one in page["items"] + again["items"]]
    assert shown == [
        f"tag:google.com,2005:reader/item/{int(one):016x}" for one in whole[:4]
    ]


@pytest.mark.later
@pytest.mark.parametrize("full_text", ["owner", "never"])
def test_an_item_has_the_whole_texts_if_they_may_be_read(
    database: Database, full_text: str
) -> None:
    with Newsroom(database, full_text=full_text).fill() as opened:
        ids = by_title(database, "Levee", "Dockers")
        items = signed_in(opened).contents(*numbers(database, *ids))
        flood, strike = (
            html.unescape(items[one]["summary"]["content"])
            for one in numbers(database, *ids)
        )
        shown = opened.reading.text(ids[0])
        assert shown is not None
        texts = {one.text for one in (*shown.lead, *shown.openings, *shown.quotations)}
        is_whole = full_text == "owner"
        assert shown.openings
        assert len(texts) > 1
        assert all(one in flood for one in texts) == is_whole
        assert all(one in strike for one in STRIKE.split("\n")) == is_whole, (
            "the text of the only report"
        )
        assert all(
            "Sennick Echo" in one and "Full story" in one for one in (strike, flood)
        )
        feed = opened.read_json("/feeds/stories.json", opened.token("feeds", "read"))[
            "items"
        ]
        assert (
            STRIKE.split("\n")[-1] in "".join(one["content_html"] for one in feed)
        ) == is_whole


def test_an_item_is_that_of_the_feed_whatever_form_its_id_has(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    (bridge,) = by_title(small_room.database, "Hollin Bridge")
    (number,) = numbers(small_room.database, bridge)
    (item,) = phone.contents(number).values()
    feed = small_room.read_json("/feeds/stories.json")["items"]
    (entry,) = [one for one in feed if one["id"].endswith(bridge)]
    assert item["title"] == entry["title"]
    assert item["canonical"][0]["href"] == entry["url"]
    assert item["timestampUsec"][:10] == str(item["published"])
    assert {LIST, "user/-/label/bridges"} <= set(item["categories"])
    for form in (number, f"{int(number):016x}"):
        answer = phone.http.post(
            "/reader/api/0/stream/items/contents", data={"i": form}
        )
        assert answer.json()["items"] == [item]


@pytest.mark.later
def test_every_call_may_be_a_form(phone: ReaderClient) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        *(
            (call, {})
            for call in ("user-info", "subscription/list", "tag/list", "unread-count")
        ),
        ("stream/items/ids", {"s": LIST, "n": 100}),
        (f"stream/contents/{STORIES}", {"n": 3, "ot": 1}),
    ]
    for call, fields in calls:
        by_query = phone.get(call, **fields)
        form = {"output": "json"} | fields
        by_form = phone.http.post(f"/reader/api/0/{call}", data=form).json()
        for one in (by_query, by_form):
            one.pop("updated", None)  # the time of the answer
        assert by_query == by_form != {}, call


def test_the_prefix_of_freshrss_leads_nowhere_else(small_room: Newsroom) -> None:
    for path in ("", "/", "/search", "/api/v1/stories", "x/reader/api/0/user-info"):
        assert small_room.get(f"/api/greader.php{path}").status_code == 404, path


def test_short_hexadecimal_ids_mark_the_stories_that_they_name(
    phone: ReaderClient,
) -> None:
    """As FeedFlow sends them; 0000000000000010 is the story 16. The address may say what to mark."""
    said = {"T": phone.token, "i": [f"{number:016x}" for number in (10, 16)], "a": READ}
    assert phone.http.post("/reader/api/0/edit-tag", params=said).text == "OK"
    assert {*phone.ids()} - {*phone.unread()} == {"10", "16"}


def test_times_bound_a_list(phone: ReaderClient) -> None:
    refs = phone.get("stream/items/ids", s=LIST, n=1000)["itemRefs"]
    seconds = sorted({int(one["timestampUsec"]) // 1_000_000 for one in refs})
    middle = seconds[len(seconds) // 2]
    later = phone.ids(ot=middle)
    assert later == [
        one["id"] for one in refs if int(one["timestampUsec"]) >= middle * 1_000_000
    ]
    assert later + phone.ids(nt=middle) == phone.ids()
    assert phone.ids(nt=99_999_999_999) == phone.ids()  # in the year 5138


def test_all_is_read_up_to_a_moment_and_takes_no_row(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    refs = phone.get("stream/items/ids", s=LIST, n=1000)["itemRefs"]
    ids, times = (
        [one["id"] for one in refs],
        [int(one["timestampUsec"]) for one in refs],
    )
    phone.mark(ids[0], ids[-1], add=READ)
    phone.mark(ids[-2], add=STARRED)
    until = times[len(times) // 2]
    phone.mark_all(ts=until)
    left = [
        one
        for one, time in zip(ids, times, strict=True)
        if time // 10**6 > until // 10**6
    ]
    assert phone.unread() == left[1:]
    assert len(queried(small_room.database, select(read_mark)).all()) == 2, (
        "one later story, one star"
    )
    phone.mark(ids[-1], remove=READ)
    assert phone.unread(n=4) == [*left[1:], ids[-1]], (
        "an old one that is kept as unread"
    )
    phone.mark_all(ts=times[-1] // 10**6)
    assert phone.unread() == left[1:], "in seconds, too"
    phone.mark_all()
    assert phone.unread() == []
    assert phone.ids(STARRED) == [ids[-2]]
    assert phone.count() == 0


@pytest.mark.later
def test_sources_are_subscriptions_and_folders_and_queries_are_labels(
    database: Database,
) -> None:
    with Newsroom(
        database, queries=(SavedQuery(query="levee").named("levees"),)
    ) as opened:
        feed = feed_source(f"{FEED}?key=k3y", folder="Ports & ships", title="Ports")
        written_by(database, source_rows.add, feed)
        opened.writer.take(
            record(
                feed.id,
                "1",
                "Dockers strike in Sennick",
                STRIKE,
                outlet="Port News",
            ),
            record(
                "Arrel Courier",
                "1",
                "Levee on the Arrel breaks in Pennmouth",
                FLOOD,
            ),
            record(
                feed.id,
                "2",
                "Pennmouth under water",
                FLOOD_ELSEWHERE,
                outlet="Port News",
            ),
        )
        opened.writer.pipeline.index_text(lambda: False)
        phone = signed_in(opened)
        flood, strike = phone.ids()
        ports, rest = phone.get("subscription/list")["subscriptions"]
        label = "user/-/label/Ports & ships"
        assert ports["categories"] == [
            {"id": label, "label": "Ports & ships", "type": "folder"}
        ]
        assert (ports["id"], ports["title"], ports["url"]) == (
            f"feed/{feed.id}",
            "Ports",
            f"{FEED}?key=***#{feed.id}",
        )
        items = phone.contents(flood, strike)
        assert [items[one]["origin"]["streamId"] for one in (flood, strike)] == [
            rest["id"],
            ports["id"],
        ]
        assert label in items[flood]["categories"], (
            "an article of it is from the folder"
        )
        assert phone.ids(label) == [flood, strike]
        assert phone.ids(ports["id"]) == [strike]
        assert phone.ids(rest["id"]) == phone.ids("user/1/label/levees") == [flood]
        assert [one["id"] for one in phone.get("tag/list")["tags"]] == [
            STARRED,
            label,
            "user/-/label/levees",
        ]
        phone.mark(flood, add=STARRED)
        phone.mark_all(ports["id"])
        assert phone.unread() == [flood]
        assert (
            phone.count(label),
            phone.count(rest["id"]),
            phone.count(ports["id"]),
        ) == (1, 1, 0)
        phone.mark_all("user/-/label/levees")
        assert phone.unread() == []


def test_a_folder_may_end_with_a_slash(database: Database) -> None:
    with Newsroom(database) as opened:
        feed = feed_source(FEED, folder="Ports/")
        written_by(database, source_rows.add, feed)
        opened.writer.take(record(feed.id, "1", "Dockers strike in Sennick", STRIKE))
        phone = signed_in(opened)
        assert len(phone.ids()) == 1
        for call in (
            "stream/contents/user/-/label/Ports/",
            "stream/contents/",
            "stream/contents",
        ):
            assert len(phone.get(call)["items"]) == 1, call


# --- changing subscriptions --------------------------------------------------------------------------------

RSS = "<rss><channel><title>Courier</title><item><title>Levee breaks</title></item></channel></rss>"


def subscribed(phone: ReaderClient) -> dict[str, tuple[str, list[str]]]:
    """Titles and folders of the subscriptions, but for the last one, by id."""
    *found, _ = phone.get("subscription/list")["subscriptions"]
    return {
        one["id"]: (one["title"], [each["label"] for each in one["categories"]])
        for one in found
    }


def quick_add(phone: ReaderClient, typed: str) -> Any:
    answer = phone.http.post(
        "/reader/api/0/subscription/quickadd",
        data={"T": phone.token, "quickadd": typed},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def edit(phone: ReaderClient, **form: Any) -> tuple[int, str]:
    answer = phone.http.post(
        "/reader/api/0/subscription/edit", data={"T": phone.token} | form
    )
    return answer.status_code, answer.text.strip()


@pytest.mark.later
@pytest.mark.parametrize("path", ["", "/api/greader.php"])
def test_a_subscription_is_added_renamed_moved_and_removed(
    database: Database, server: LoopbackServer, path: str
) -> None:
    server.routes |= {
        "/": Response(body='<a href="/f/feed">Feed</a>', content_type="text/html"),
        "/f/feed": Response(body=RSS, content_type="application/rss+xml"),
        "/other": Response(
            body=RSS.replace("Courier", "Echo"), content_type="application/rss+xml"
        ),
    }
    with Newsroom(database) as opened:
        phone = signed_in(opened, scope="admin", path=path)
        typed = server.url("/")
        added = quick_add(phone, typed)
        id_ = added["streamId"]
        assert added == {
            "numResults": 1,
            "query": typed,
            "streamId": id_,
            "streamName": "Courier",
        }
        assert subscribed(phone) == {id_: ("Courier", [])}
        opened.writer.take(record(id_.removeprefix("feed/"), "1", "Strike", STRIKE))
        assert phone.ids(id_) == phone.ids()
        again = quick_add(phone, f"feed/{server.url('/f/feed')}")
        assert (again["numResults"], "is a source already" in again["error"]) == (
            0,
            True,
        )

        label = "user/-/label/Ports & ships"
        assert edit(phone, ac="edit", s=id_, t="My\nCourier ", a=label) == (200, "OK")
        assert subscribed(phone) == {id_: ("My Courier", ["Ports & ships"])}
        assert phone.ids("user/1/label/Ports & ships") == phone.ids()
        assert edit(phone, ac="edit", s=id_, r="user/-/label/Other", t="") == (
            200,
            "OK",
        )
        assert edit(phone, ac="edit", s=id_, r=label, a="user/1/label/News") == (
            200,
            "OK",
        )
        assert subscribed(phone) == {id_: ("My Courier", ["News"])}
        assert edit(phone, ac="edit", s=id_, r="user/-/label/News") == (200, "OK")
        assert subscribed(phone) == {id_: ("My Courier", [])}

        other = f"feed/{server.url('/other')}"
        assert edit(
            phone, ac="subscribe", s=other, t="Sennick", a="user/-/label/News"
        ) == (200, "OK")
        assert sorted(subscribed(phone).values()) == [
            ("My Courier", []),
            ("Sennick", ["News"]),
        ]
        assert edit(phone, ac="unsubscribe", s=id_) == (200, "OK")
        assert list(subscribed(phone).values()) == [("Sennick", ["News"])]
        assert phone.ids(STORIES) == phone.ids() != [], "its stories stay"


def test_subscriptions_are_changed_with_a_token_of_scope_admin(
    small_room: Newsroom, server: LoopbackServer
) -> None:
    server.routes["/f"] = Response(body=RSS, content_type="application/rss+xml")
    feed = feed_source(FEED)
    written_by(small_room.database, source_rows.add, feed)
    reading, owner = (
        signed_in(small_room),
        ReaderClient(small_room.client.base_url, "ada", "anything"),
    )
    calls = {
        "quickadd": {"quickadd": server.url("/f")},
        "edit": {"ac": "unsubscribe", "s": f"feed/{feed.id}"},
    }
    for call, form in calls.items():
        for client, status, words in (
            (reading, 403, "--scope admin"),
            (owner, 401, "--scope admin"),
        ):
            answer = client.http.post(f"/reader/api/0/subscription/{call}", data=form)
            assert (answer.status_code, words in answer.text) == (status, True)
            assert answer.headers["content-type"].startswith("text/plain")
        admin = signed_in(small_room, "Grace", "admin")
        assert (
            admin.http.get(
                f"/reader/api/0/subscription/{call}", params=form
            ).status_code
            == 405
        )
        written_by(small_room.database, api_tokens.revoke, "phone of Grace", NOON)
        assert (
            admin.http.post(f"/reader/api/0/subscription/{call}", data=form).status_code
            == 401
        )
    assert [
        one.id for one in read_by(small_room.database, source_rows.all_sources)
    ] == [feed.id]
    assert server.requests == []


@pytest.mark.later
def test_changes_of_subscriptions_that_cannot_be_are_refused(
    small_room: Newsroom, server: LoopbackServer
) -> None:
    server.routes |= {
        "/away": Response(302, {"Location": "http://169.254.169.254/latest"}),
        "/none": Response(body="<p>Nothing</p>", content_type="text/html"),
    }
    phone = signed_in(small_room, scope="admin")
    for typed, words in {
        server.url("/away"): "not on the public internet",
        server.url("/none"): "no feed was found",
        **mapping("reader_api", "refused feeds"),
        "https://x.example/" + "a" * 500_000: "at most 2048 characters",
    }.items():
        refused = quick_add(phone, typed)
        assert (refused["numResults"], words in refused["error"]) == (0, True), refused
        assert "hunter2" not in refused["error"]
        assert edit(phone, ac="subscribe", s=f"feed/{typed}")[0] == 400
    listed, own = feed_source(FEED, origin="config"), feed_source(f"{FEED}2")
    written_by(small_room.database, source_rows.add, listed, own)
    known = f"feed/{own.id}"
    tries: list[tuple[int, dict[str, Any]]] = [
        *((400, {"s": known, **more}) for more in rows("reader_api", "refused changes")),
        (400, {"ac": "edit", "s": [known, f"feed/{listed.id}"]}),
        (400, {"ac": "edit", "s": f"feed/{listed.id}", "t": "Name"}),
        (400, {"ac": "unsubscribe", "s": f"feed/{listed.id}"}),
        *((404, {"ac": "edit", "s": one}) for one in ("", STORIES, LIST, "feed/\x00", "feed/" + "a" * 9999)),
        (200, {"ac": "edit", "s": known, "t": "\x00" + "t" * 100_000, "a": "user/-/label/" + "f" * 100_000}),
    ]  # fmt: skip
    for status, form in tries:
        assert edit(phone, **form)[0] == status, form
    assert {len(title) for title, _ in subscribed(phone).values()} == {len(FEED), 199}
    many = {"quickadd": numbered("https://%n.example", 20_000)}
    assert (
        phone.http.post("/reader/api/0/subscription/quickadd", data=many).status_code
        == 400
    )


# --- bumps, merges, other databases ------------------------------------------------------------------------


def test_a_bump_makes_a_story_unread(database: Database) -> None:
    with Newsroom(database) as room:
        report(room, "Levee on the Arrel breaks in Pennmouth", FLOOD, "Arrel Courier")
        report(room, "Dockers strike in Sennick", STRIKE, "Sennick Echo")
        phone = signed_in(room)
        _, flood = phone.unread()
        phone.mark(flood, add=STARRED)
        phone.mark_all()
        report(room, "Levee on the Arrel breaks", FLOOD, "Sennick Echo")
        assert phone.unread() == [], "a copy is no bump"
        report(room, "Pennmouth under water", FLOOD_ELSEWHERE, "Calmouth Post")
        assert phone.unread() == phone.ids(STARRED) == [flood]
        assert phone.ids()[0] == flood
        phone.mark(flood, add=READ)
        assert phone.unread() == []


@pytest.mark.later
@pytest.mark.parametrize("read", ["both", "one", "other"])
def test_a_merge_is_read_only_if_both_were(
    small_room: Newsroom, phone: ReaderClient, read: str
) -> None:
    ids = by_title(small_room.database, "Hollin Bridge", "goat cheese")
    bridge, goat = numbers(small_room.database, *ids)
    read_ids = {"both": [bridge, goat], "one": [bridge], "other": [goat]}[read]
    phone.mark(*read_ids, add=READ)
    phone.mark(goat, add=STARRED)
    correct(small_room.database, "merge", *ids)
    assert goat not in phone.ids()
    assert (bridge in phone.unread()) == (read != "both")
    assert phone.ids(STARRED) == [bridge]
    assert list(phone.contents(goat)) == [bridge], "the old number leads to the story"
    phone.mark(goat, add=READ)
    assert bridge not in phone.unread()


@pytest.mark.later
@pytest.mark.parametrize("read", ["both", "watermark", "kept", "new"])
def test_a_merge_by_itself_is_read_only_if_both_were(
    small_room: Newsroom, phone: ReaderClient, read: str
) -> None:
    (bridge,) = by_title(small_room.database, "Hollin Bridge")
    leaving = tuple(members(small_room.database, bridge)[:2])
    kept, new = numbers(
        small_room.database,
        *mistake(small_room.database, "split", bridge, articles=leaving)[:2],
    )
    phone.unread()
    small_room.clock.time = NOON + 20 * DAY
    if read == "watermark":
        phone.mark_all()
    phone.mark(
        *{"both": [kept, new], "watermark": [], "kept": [kept], "new": [new]}[read],
        add=READ,
    )
    rig = Rig(small_room.database, Clock(days=9))
    rig.take(
        record("Late", "1", "Dock workers strike in Sennick", STRIKE, published=None)
    )
    assert new not in phone.ids(), "the second look has merged them"
    assert (kept in phone.unread()) == (read in ("kept", "new"))


def test_merges_that_were_undone_leave_both_as_they_were(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    ids = by_title(small_room.database, "Hollin Bridge", "goat cheese")
    bridge, goat = numbers(small_room.database, *ids)
    phone.mark(bridge, add=READ)
    correct(small_room.database, "merge", *ids)
    assert bridge in phone.unread()
    undo(small_room.database)
    assert {bridge, goat} <= set(phone.unread()), "undoing bumps both"


# --- limits ------------------------------------------------------------------------------------------------


def test_marks_and_readers_are_bounded(
    small_room: Newsroom, phone: ReaderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = phone.ids()
    for name, value in {
        "MOST_MARKS": 6,
        "MOST_KEPT": 2,
        "MOST_READERS": 1,
        "FIRST_UNREAD": 5,
    }.items():
        owner = mark_rows if hasattr(mark_rows, name) else read_marks
        monkeypatch.setattr(owner, name, value)
    phone.mark(*ids[:6], add=READ)
    assert phone.unread() == ids[6:]
    phone.mark(ids[8], add=READ)
    assert phone.unread() == [], "older ones count as read"
    assert len(queried(small_room.database, select(read_mark)).all()) <= 4
    phone.mark(*ids[:2], add=STARRED)
    form = {"i": ids[2], "a": STARRED}
    assert phone.http.post("/reader/api/0/edit-tag", data=form).status_code == 400
    assert phone.ids(STARRED) == ids[:2]
    refused = small_room.client.post(
        "/accounts/ClientLogin", data={"Email": "grace", "Passwd": "x"}
    )
    assert refused.status_code == 400
    monkeypatch.setattr(read_marks, "MOST_READERS", 2)
    other = signed_in(small_room, "Grace")
    assert other.unread() == ids[:5], "a new reader begins with the newest"


def test_a_token_that_adds_many_readers_keeps_nobody_else_out(
    small_room: Newsroom,
) -> None:
    greedy = small_room.token("greedy", "read")

    def sign_in(name: str, token: str) -> int:
        form = {"Email": name, "Passwd": token}
        return small_room.client.post("/accounts/ClientLogin", data=form).status_code

    added = read_marks.MOST_READERS_OF_TOKEN
    assert {sign_in(f"reader {number}", greedy) for number in range(added)} == {200}
    assert sign_in("one more", greedy) == 400
    assert sign_in("reader 0", greedy) == 200, "readers that exist may come again"
    assert sign_in("grace", small_room.token("family", "read")) == 200


def test_no_list_reads_a_whole_table(small_room: Newsroom, phone: ReaderClient) -> None:
    if not small_room.database.is_sqlite:
        pytest.skip("the planner of a server reads small tables whole")
    phone.mark(*phone.unread()[:3], add=READ)
    phone.get("unread-count")
    phone.ids(STARRED)
    phone.mark_all()
    correct(
        small_room.database,
        "merge",
        *by_title(small_room.database, "Hollin Bridge", "goat cheese"),
    )
    with overheard(small_room.database, "SELECT") as sent:
        phone.unread()
    assert sent
    scans = whole_scans(small_room.database, sent)
    assert [
        one
        for one in scans
        if any(name in one for name in ("story", "article", "change"))
    ] == []


def test_a_published_library_reads_marks_and_counts(
    small_room: Newsroom, phone: ReaderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = str(small_room.client.base_url).rstrip("/")
    client = libgreader_client(
        base, "ada", small_room.token("laptop", "read"), monkeypatch
    )
    assert client.getUserInfo()["userName"] == "ada"
    assert client.buildSubscriptionList()
    (feed,) = client.getSubscriptionList()
    assert feed.unread == len(phone.unread())
    feed.loadItems(excludeRead=True, loadLimit=5)
    feed.loadMoreItems(excludeRead=True, loadLimit=5)
    assert [one.id for one in feed.getItems()] == [
        f"tag:google.com,2005:reader/item/{int(one):016x}"
        for one in phone.unread()[:10]
    ]
    first = feed.getItems()[0]
    assert first.markRead()
    assert first.star()
    assert phone.ids(STARRED) == phone.ids(READ) == [phone.ids()[0]]
    assert feed.markAllRead()
    assert phone.unread() == []
