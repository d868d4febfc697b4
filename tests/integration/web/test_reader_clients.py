"""A day with each client of phones and terminals, request by request, on both databases.

NetNewsWire: ReaderAPICaller.swift. Read You: GoogleReaderAPI.kt. Capy Reader: GoogleReader.kt of
jocmp/capyreader at 05899296fe6cf52526cc677b808d77ac4897bb16. Newsboat: freshrssapi.cpp at
0511d6f28d0e5c6502ae53a6a4e8cc282e39f8d7. The sources of Reeder and FeedMe are closed: what they ask is taken
from what the servers that they work with document (FreshRSS, The Old Reader, Inoreader).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import NOON
from tests.support.loopback import http_client
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.reader_client import LIST, READ, STARRED
from tests.support.tables import rows

KEPT_UNREAD = "user/-/state/com.google/kept-unread"
_LONG = "tag:google.com,2005:reader/item/"
_CALLS = "/reader/api/0"


class Manner(NamedTuple):
    """How a client asks where clients differ."""

    name: str
    path: str = "/api/greader.php"
    signs_in: dict[str, str] = {}  # noqa: RUF012 - further fields; a tuple has no other default
    by_query: bool = False  # it signs in by the address
    begins_with: Sequence[str] = ()  # calls before the first list
    lists: str = "stream/items/ids"
    page: int = 5  # items of a page, fewer than it asks for in earnest
    id_of_contents: str = "{}"
    id_of_mark: str = "{}"
    marks: dict[str, Any] = {}  # noqa: RUF012 - further fields of `edit-tag`
    says_kept_unread: bool = False  # the opposite of read, beside it
    unit_of_ts: int | None = 1_000_000  # of `ts` in a second; None: it sends none


MANNERS = [Manner(**row) for row in rows("reader_clients", "manners")]


class Walk:
    """One client at work."""

    def __init__(self, room: Newsroom, manner: Manner) -> None:
        self._manner = manner
        self._http = http_client(base_url=room.client.base_url, headers=STRANGER)
        given = {
            "Email": "Ada",
            "Passwd": room.token(manner.name, "read"),
        } | manner.signs_in
        address = f"{manner.path}/accounts/ClientLogin"
        if manner.by_query:
            answer = self._http.post(address, params=given)
        else:
            answer = self._http.post(address, data=given)
        (auth,) = (
            line for line in answer.text.splitlines() if line.startswith("Auth=")
        )
        self._http.headers["Authorization"] = (
            f"GoogleLogin auth={auth.removeprefix('Auth=')}"
        )
        self._token = self._http.get(f"{manner.path}{_CALLS}/token").text

    def get(self, call: str, **query: Any) -> Any:
        given = {"output": "json"} | query
        return self._answer(
            self._http.get(f"{self._manner.path}{_CALLS}/{call}", params=given)
        ).json()

    def post(self, call: str, **form: Any) -> httpx.Response:
        given = {"T": self._token} | form
        return self._answer(
            self._http.post(f"{self._manner.path}{_CALLS}/{call}", data=given)
        )

    @staticmethod
    def _answer(response: httpx.Response) -> httpx.Response:
        assert response.status_code == 200, response.text
        return response

    def numbers(self, stream: str = LIST, **query: Any) -> list[int]:
        """All items of a stream, page by page."""
        manner, numbers = self._manner, []
        call, given = manner.lists, {"n": manner.page, "s": stream}
        if call.endswith("/"):
            call, given = f"{call}{quote(stream, safe='')}", {"n": manner.page}
        while True:
            page = self.get(call, **given, **query)
            numbers += [int(item["id"]) for item in page.get("itemRefs", ())]
            numbers += [
                int(item["id"].removeprefix(_LONG), 16)
                for item in page.get("items", ())
            ]
            if "continuation" not in page:
                return numbers
            query["c"] = page["continuation"]

    def contents(self, numbers: list[int]) -> list[Any]:
        ids = [self._manner.id_of_contents.format(number) for number in numbers]
        return list(self.post("stream/items/contents", i=ids).json()["items"])

    def mark(self, numbers: list[int], **states: Any) -> None:
        ids = [self._manner.id_of_mark.format(number) for number in numbers]
        assert (
            self.post("edit-tag", i=ids, **(self._manner.marks | states)).text.strip()
            == "OK"
        )


@pytest.fixture
def room(grouped: Database) -> Iterator[Newsroom]:
    with Newsroom(grouped) as opened:
        opened.clock.time = NOON + timedelta(days=10)
        yield opened


@pytest.mark.later
@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name)
def test_a_client_reads_marks_and_comes_back(room: Newsroom, manner: Manner) -> None:
    client = Walk(room, manner)
    for call in manner.begins_with:
        answer = client.get(call)
        assert answer
        if call.startswith("preference/"):
            assert answer in ({"prefs": []}, {"streamprefs": {}})
    subscriptions = {
        one["id"] for one in client.get("subscription/list")["subscriptions"]
    }

    everything = client.numbers()
    assert len(everything) == len({*everything}) > 20
    assert client.numbers(xt=READ) == everything
    assert client.numbers(xt=READ, ot=int(NOON.timestamp()) + 10**8) == []
    items = client.contents(everything)
    assert {int(item["id"].removeprefix(_LONG), 16) for item in items} == {*everything}
    for item in items:
        assert item["origin"]["streamId"] in subscriptions
        assert item["title"]
        assert item["summary"]["content"]
        assert item["canonical"][0]["href"]
        assert isinstance(item["published"], int)

    first, second, third, *others = everything
    as_read: dict[str, Any] = {"a": READ}
    as_unread: dict[str, Any] = {"r": READ}
    if manner.says_kept_unread:
        as_read["r"] = KEPT_UNREAD
        as_unread["a"] = [KEPT_UNREAD, "user/-/state/com.google/tracking-kept-unread"]
    client.mark([first, second], **as_read)
    client.mark([second], a=STARRED)
    client.mark([third], a="user/-/label/read later")
    assert client.numbers(xt=READ) == [third, *others]
    assert client.numbers(STARRED) == [second]
    assert client.numbers("user/-/label/read later") == [third]
    (labelled,) = client.contents([third])
    assert "user/-/label/read later" in labelled["categories"]
    client.mark([first], **as_unread)
    client.mark([second], r=STARRED)
    assert client.numbers(xt=READ) == [first, third, *others]
    assert client.numbers(STARRED) == []

    stamps = [int(item["timestampUsec"]) for item in client.contents([first])]
    until = (
        {}
        if manner.unit_of_ts is None
        else {"ts": stamps[0] * manner.unit_of_ts // 1_000_000}
    )
    assert client.post("mark-all-as-read", s=LIST, **until).text.strip() == "OK"
    assert client.numbers(xt=READ) == []
    assert client.numbers("user/-/label/read later") == [third], "what is kept stays"
    again = Walk(room, manner._replace(name="again"))
    assert (again.numbers(xt=READ), again.numbers(READ)) == ([], everything)
