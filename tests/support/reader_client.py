"""A client of the Google Reader API that asks as two published clients do.

NetNewsWire (Ranchero-Software/NetNewsWire, ReaderAPICaller.swift, 011fc92c4bbfbc9a805f168d73823aba04579908):
`Auth` is the second of two parts of a line that `=` separates; ids of contents are hexadecimal without
leading zeros, those of marks have 16 digits; `T` is fetched once. Read You (ReadYouApp/ReadYou,
GoogleReaderAPI.kt, 342a0064d4d57a6fe49b79760e718c88bdc50f00): pages until `continuation` is missing, decimal
ids, and an item is shown only if its `origin` is a subscription.
"""

from typing import Any

import httpx
import libgreader
import pytest
from libgreader.auth import ClientAuthMethod
from libgreader.url import ReaderUrl

from aggregator.store.api_tokens import Scope
from tests.support.loopback import http_client
from tests.support.newsroom import Newsroom

LIST = "user/-/state/com.google/reading-list"
READ = "user/-/state/com.google/read"
STARRED = "user/-/state/com.google/starred"
_LONG = "tag:google.com,2005:reader/item/"


class ReaderClient:
    """One signed-in client. Ids are decimal, as both keep them."""

    def __init__(
        self, base_url: httpx.URL, name: str, password: str, **headers: str
    ) -> None:
        self.http = http_client(base_url=base_url, headers=headers)
        answer = self.http.post(
            "/accounts/ClientLogin", data={"Email": name, "Passwd": password}
        )
        assert answer.status_code == 200, answer.text
        parts = [line.split("=") for line in answer.text.split("\n") if line]
        self.auth = dict(part for part in parts if len(part) == 2)["Auth"]
        self.http.headers["Authorization"] = f"GoogleLogin auth={self.auth}"
        self.token = self.http.get("/reader/api/0/token").text

    def get(self, call: str, **query: Any) -> Any:
        """The JSON of a call."""
        answer = self.http.get(
            f"/reader/api/0/{call}", params={"output": "json"} | query
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, stream: str = LIST, *, n: int = 1000, **query: Any) -> list[str]:
        """All ids of a stream, by as many pages as it takes."""
        found: list[str] = []
        while True:
            page = self.get("stream/items/ids", s=stream, n=n, **query)
            assert len(page["itemRefs"]) <= n
            found += [one["id"] for one in page["itemRefs"]]
            if not page.get("continuation"):
                return found
            query["c"] = page["continuation"]

    def unread(self, stream: str = LIST, **query: Any) -> list[str]:
        return self.ids(stream, xt=READ, **query)

    def contents(self, *ids: str) -> dict[str, Any]:
        """Items with their texts, by their decimal ids."""
        form = {
            "T": self.token,
            "output": "json",
            "i": [f"{_LONG}{int(one):x}" for one in ids],
        }
        answer = self.http.post("/reader/api/0/stream/items/contents", data=form)
        assert answer.status_code == 200, answer.text
        subscriptions = {
            one["id"] for one in self.get("subscription/list")["subscriptions"]
        }
        items = answer.json()["items"]
        assert {one["origin"]["streamId"] for one in items} <= subscriptions, (
            "else they are not shown"
        )
        return {str(int(one["id"].removeprefix(_LONG), 16)): one for one in items}

    def mark(
        self, *ids: str, add: str | None = None, remove: str | None = None
    ) -> None:
        form = {"T": self.token, "i": [f"{_LONG}{int(one):016x}" for one in ids]}
        form |= ({"a": add} if add else {}) | ({"r": remove} if remove else {})
        assert self.http.post("/reader/api/0/edit-tag", data=form).text == "OK"

    def post(self, call: str, **form: Any) -> tuple[int, str]:
        """The status and the text of a call that changes something."""
        answer = self.http.post(f"/reader/api/0/{call}", data={"T": self.token} | form)
        return answer.status_code, answer.text.strip()

    def mark_all(self, stream: str = LIST, **form: Any) -> None:
        answer = self.http.post(
            "/reader/api/0/mark-all-as-read", data={"T": self.token, "s": stream} | form
        )
        assert answer.text == "OK"

    def count(self, stream: str = LIST) -> int:
        counts = {
            one["id"]: one["count"] for one in self.get("unread-count")["unreadcounts"]
        }
        return int(counts.get(stream, 0))


def signed_in(
    room: Newsroom,
    name: str = "Ada",
    scope: Scope = "read",
    path: str = "",
    **headers: str,
) -> ReaderClient:
    """A client of a newsroom's server, with a token of its own."""
    url = room.client.base_url.copy_with(path=f"{path}/")
    return ReaderClient(
        url, name, room.token(f"phone of {name}{path}", scope), **headers
    )


def libgreader_client(
    base: str, name: str, password: str, patch: pytest.MonkeyPatch
) -> Any:
    """libgreader 0.7.1, with the address of this server in place of Google's."""
    for key, value in vars(ReaderUrl).items():
        if isinstance(value, str) and value.startswith("https://www.google.com"):
            patch.setattr(ReaderUrl, key, value.replace("https://www.google.com", base))
    patch.setattr(ClientAuthMethod, "CLIENT_URL", f"{base}/accounts/ClientLogin")
    return libgreader.GoogleReader(ClientAuthMethod(name, password))
