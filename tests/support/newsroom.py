"""A whole newsroom for tests of what goes over HTTP: a database with articles, a server, the one writer."""

from threading import Event, Thread
from typing import Any, Self

import httpx

from aggregator.config.settings import Config, FetchConfig
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.intake.manage.feed_check import FeedReader, SourceServices
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.errors import FetchError
from aggregator.publish.output_settings import PublishSettings
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store import api_tokens
from aggregator.store.api_tokens import Scope
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.editor import EditorService
from aggregator.web.server import Server
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.loopback import Closing
from tests.support.rows import written_by
from tests.support.services import all_services
from tests.support.waiting import PATIENCE_SECONDS

STRANGER = {"X-Forwarded-For": "203.0.113.9"}  # who asks with it is not at this machine


class Newsroom(Closing):
    """A server over a database, with a thread that carries corrections out as the daemon's does."""

    def __init__(
        self, database: Database, *, tuning: dict[str, Any] | None = None, **chosen: Any
    ) -> None:
        self.database = database
        self.clock = Clock()
        self.all_tuning = Tuning(tuning or {})
        self.writer = Rig(database, self.clock, self.all_tuning)
        self._left = Event()
        self._ended = Event()
        rig = EditorService(database, self.all_tuning, self.clock, arrived=self.asked)
        config = Config(
            fetch=FetchConfig(allow_private=("127.0.0.0/8",), host_gap="0s")
        )
        fetching = ClientSettings(allow_private=config.fetch.allow_private)
        self.fetching = Client(
            fetching, Tuning({"net": {"host_gap_seconds": 0.0}}), resolve=_nowhere
        )
        self.reading = StoryReader(database, self.all_tuning, now=self.clock)
        reader = FeedReader(config, self.fetching, InlineExecutor())
        self.services = SourceServices(config, database, reader)
        self.server = Server(
            self.reading,
            PublishSettings.model_validate(
                {"port": 0, "excerpt_words": 40} | chosen, strict=False
            ),
            all_services(
                database, self.clock, self.all_tuning, editor=rig, sources=self.services
            ),
        )
        self.client = httpx.Client(
            base_url=self.server.start(), trust_env=False, timeout=PATIENCE_SECONDS
        )
        self._thread = Thread(target=self._write, daemon=True)

    def start_writing(self) -> Self:
        """From now on corrections are carried out."""
        self._thread.start()
        return self

    def asked(self) -> None:
        """A correction waits for the writer."""
        self._left.set()

    def _write(self) -> None:
        while not self._ended.is_set():
            self._left.wait()
            self._left.clear()
            self.writer.pipeline.run_commands()

    def fill(self) -> Self:
        """A story with two reports and a reprint, and another story."""
        self.writer.take(
            record(
                "Arrel Courier",
                "1",
                "Levee on the Arrel breaks in Pennmouth",
                FLOOD,
            ),
            record(
                "Calmouth Post",
                "2",
                "Pennmouth under water",
                FLOOD_ELSEWHERE,
            ),
            record("Sennick Echo", "3", "Levee on the Arrel breaks", FLOOD),
            record("Sennick Echo", "4", "Dockers strike in Sennick", STRIKE),
        )
        self.writer.pipeline.index_text(lambda: False)
        self.writer.render()
        return self

    def token(self, name: str, *scopes: Scope) -> str:
        """A new token's secret."""
        return written_by(self.database, api_tokens.create, name, scopes, self.clock())[
            1
        ]

    def get(
        self, path: str, secret: str | None = None, **headers: str
    ) -> httpx.Response:
        """With the secret as Bearer."""
        return self.ask("GET", path, secret, **headers)

    def read_json(self, path: str, secret: str | None = None) -> Any:
        """The JSON of an answer."""
        return self.get(path, secret).json()

    def ask(
        self,
        method: str,
        path: str,
        secret: str | None = None,
        *,
        json: Any = None,
        **headers: str,
    ) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if secret is not None:
            given["Authorization"] = f"Bearer {secret}"
        return self.client.request(method, path, json=json, headers=given)

    def post_form(self, path: str, **fields: str) -> httpx.Response:
        """Submit a form as the owner, without following the redirect."""
        page = self.get("/mutes").text
        form = page.partition('name="form" value="')[2].partition('"')[0]
        return self.client.post(path, data={"form": form, **fields})

    def stories(self) -> dict[str, dict[str, Any]]:
        """All stories by their titles."""
        return {
            one["title"]: one for one in self.read_json("/api/v1/stories")["stories"]
        }

    def explained(self, article: str) -> Any:
        """What the command line would say."""
        return explain_article(self.reading, article, None, self.all_tuning)

    def close(self) -> None:
        self._ended.set()
        self._left.set()
        self.client.close()
        self.fetching.close()
        self.server.stop()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_SECONDS)


def _nowhere(name: str, _port: int, _seconds: float) -> list[str]:
    """No name leads anywhere: tests use loopback addresses only."""
    raise FetchError("dns", f"{name}: there is no such name")


def problem_of(answer: httpx.Response, status: int) -> str:
    """What a problem says, once it is checked to be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    reported = answer.json()
    assert reported["status"] == status
    assert reported["type"].startswith("tag:aggregator,2026:problem/")
    return str(reported["detail"])
