"""Notifications by Apprise against a real server on loopback: what is sent, when, and where to never."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import update

from aggregator.config.delivery_settings import signing_key
from aggregator.config.story_query import SavedQuery
from aggregator.config.webhook_settings import Notification, Webhook
from aggregator.deliver.apprise import AppriseRunner
from aggregator.deliver.apprise_process import Notice
from aggregator.model.errors import DatabaseBusyError, TooManyFilesError
from aggregator.store.deliveries import outbox
from aggregator.store.engine.database import Database
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import webhook
from tests.support.articles import (
    FLOOD,
    flood,
    flood_copied,
    flood_elsewhere,
    record,
    strike,
)
from tests.support.killed_daemon import unlike_any_other
from tests.support.loopback import LoopbackServer, Request, Response, redirect
from tests.support.outgoing import LOOPBACK, Post
from tests.support.programs import run_program
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import read_by
from tests.support.story_checks import correct


class Ntfy:
    """A server with the API of ntfy, as much of it as Apprise uses."""

    def __init__(self) -> None:
        self.taken: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answer = Response(200, body="{}")
        self._server = LoopbackServer({"*": self._take})

    def _take(self, request: Request) -> Response:
        if self.answer.status == 200:
            self.taken.append(json.loads(request.body))
            self.headers.append(dict(request.headers))
        return self.answer

    def url(self, rest: str = "") -> str:
        return f"ntfy://{self._server.url('').removeprefix('http://')}/desk{rest}"

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    made = Ntfy()
    yield made
    made.close()


def phone(
    ntfy: Ntfy, each: str = "story", limit: int = 30, **query: object
) -> Notification:
    saved = SavedQuery(**query).named("q") if query else None  # type: ignore[arg-type]
    kind: Any = each
    return Notification(
        name="notify:phone",
        url=ntfy.url(),
        query=saved,
        each=kind,
        messages_an_hour=limit,
    )


@pytest.mark.later
def test_one_notification_for_each_story_that_matches(
    database: Database, ntfy: Ntfy
) -> None:
    post = Post(database, phone(ntfy, min_reports=2))
    post.deliver(flood(), strike())
    assert ntfy.taken == []
    post.deliver(flood_elsewhere())
    post.deliver(flood_copied())
    (one,) = ntfy.taken
    assert one["topic"] == "desk"
    assert "Pennmouth" in one["title"]
    lines = one["message"].splitlines()
    assert lines[0].startswith("2 independent reports, 2 outlets, ")
    assert lines[1] == "Herald: Pennmouth under water after levee fails"
    assert lines[-1].startswith("Story: https://news.example/stories/")
    assert post.stats().done == 1


def test_none_of_a_story_that_the_owner_muted_in_the_browser(
    database: Database, ntfy: Ntfy
) -> None:
    BrowserMutes(database).add("words", "dock*")
    post = Post(database, phone(ntfy))
    post.deliver(flood(), strike())
    (one,) = ntfy.taken
    assert "Pennmouth" in one["title"]


@pytest.mark.later
def test_one_for_each_report_where_that_is_asked(
    database: Database, ntfy: Ntfy
) -> None:
    post = Post(database, phone(ntfy, "report"))
    post.rig.take(flood(), strike())
    post.deliver(flood_elsewhere(), flood_copied())
    assert [one["message"].splitlines()[1].split(":")[0] for one in ntfy.taken] == [
        "Gazette",
        "Herald",
        "Herald",
    ]


@pytest.mark.later
def test_a_merged_story_is_not_announced_again(database: Database, ntfy: Ntfy) -> None:
    post = Post(database, phone(ntfy))
    post.deliver(flood(), strike())
    assert len(ntfy.taken) == 2
    rows = read_by(database, outbox.announced_stories, "notify:phone", _ids(database))
    assert rows == set(_ids(database))
    correct(database, "merge", *_ids(database))
    post.deliver(flood_elsewhere())
    assert len(ntfy.taken) == 2


@pytest.mark.later
def test_a_title_calls_nobody(database: Database, ntfy: Ntfy) -> None:
    """Discord, Mattermost and others call all members at the text "@everyone"."""
    post = Post(database, phone(ntfy))
    post.deliver(
        record(
            "@channel",
            "1",
            "@everyone Levee breaks <@&12> at 3 @ noon",
            FLOOD,
        )
    )
    (one,) = ntfy.taken
    assert "@everyone" not in one["title"] + one["message"]
    assert "@channel" not in one["message"]
    assert (
        one["title"].replace("\u2060", "")
        == "@everyone Levee breaks <@&12> at 3 @ noon"
    )
    assert one["title"].count("\u2060") == 2


def _ids(database: Database) -> list[str]:
    from aggregator.config.story_query import StoryFilter

    return [one.id for one in StoryReader(database).stories(StoryFilter()).stories]


@pytest.mark.later
def test_a_failure_is_stored_without_the_address_and_repeated(
    database: Database, ntfy: Ntfy
) -> None:
    ntfy.answer = Response(403, body="no")
    post = Post(database, phone(ntfy))
    post.deliver(flood())
    post.clock.time += timedelta(minutes=10)
    post.run()
    (problem,) = post.problems()
    assert problem.startswith("notify phone: failing since ")
    assert problem.endswith(": http 403")
    ntfy.answer = Response(200, body="{}")
    post.clock.time += timedelta(minutes=10)
    post.run()
    assert len(ntfy.taken) == 1
    assert post.problems() == ()


@pytest.mark.later
def test_what_is_above_the_limit_of_an_hour_comes_together(
    database: Database, ntfy: Ntfy
) -> None:
    post = Post(database, phone(ntfy, limit=2))
    rng = Random(1)

    def take(*numbers: int) -> None:
        news = [unlike_any_other(rng, number) for number in numbers]
        post.deliver(
            *(record("Echo", one["id"], one["title"], one["text"]) for one in news)
        )

    ntfy.answer = Response(500)
    take(*range(14))
    ntfy.answer = Response(200, body="{}")
    post.clock.time += timedelta(minutes=10)
    post.run()
    assert [one["title"] for one in ntfy.taken][1:] == ["13 stories"]
    lines = ntfy.taken[1]["message"].splitlines()
    assert [line[:29] for line in lines[1:20:2]] == [
        "https://news.example/stories/"
    ] * 10
    assert lines[20:] == ["and 3 more: https://news.example/"]
    assert len(set(lines[1::2])) == 10
    take(14)
    take(15)
    assert (len(ntfy.taken), post.stats().done, post.stats().waiting) == (2, 14, 2)
    post.clock.time += timedelta(minutes=61)
    post.run()
    assert len(ntfy.taken) == 4, "two messages again, one for each"
    assert (post.stats().done, post.stats().given_up) == (16, 0)


@pytest.mark.later
def test_a_result_that_the_database_did_not_store_is_stored_later(
    database: Database, ntfy: Ntfy
) -> None:
    impatient = replace(database.tuning, lock_seconds=0.3)
    post = Post(Database(database.url, impatient), phone(ntfy))
    post.run()
    post.rig.take(flood())
    assert post.filling.step()
    with database.write() as other:
        other.execute(update(webhook).values(problem="locked by another program"))
        with pytest.raises(DatabaseBusyError):
            post.sendings[0].step()
    assert len(ntfy.taken) == 1
    post.run()
    assert (len(ntfy.taken), post.stats().done) == (1, 1)
    post.database.close()


# --- what Apprise may reach --------------------------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433"],
)
def test_no_private_address_is_reached_unless_it_is_allowed(
    ntfy: Ntfy, host: str
) -> None:
    url = ntfy.url().replace("127.0.0.1", host)
    sent = AppriseRunner((), 15.0).send(url, Notice("Title", "text"))
    assert not sent.is_accepted
    assert ntfy.taken == []
    assert "topic" not in sent.problem


def test_a_redirect_into_a_private_network_is_refused(ntfy: Ntfy) -> None:
    """Only the network of the second server is closed: the first one is reached, its redirect is not."""
    with LoopbackServer() as inside:
        came: list[Request] = []

        def take(request: Request) -> Response:
            came.append(request)
            return Response(200, body="{}")

        inside.routes["*"] = take
        ntfy.answer = redirect(inside.url("/").replace("127.0.0.1", "127.0.0.2"), 307)
        sent = AppriseRunner(("127.0.0.1/32",), 15.0).send(
            ntfy.url(), Notice("Title", "text")
        )
        assert (sent.is_accepted, came) == (False, [])
        assert "127.0.0.2 is not on the public internet" in sent.problem


def test_mail_of_apprise_is_guarded_too() -> None:
    sent = AppriseRunner((), 15.0).send(
        "mailto://user:pass@127.0.0.1:9?from=a@b.example&to=c@d.example",
        Notice("T", "t"),
    )
    assert "127.0.0.1 is not on the public internet" in sent.problem


def test_an_unknown_service_is_told() -> None:
    sent = AppriseRunner(LOOPBACK, 15.0).send(
        "nosuch://127.0.0.1/x", Notice("Title", "text")
    )
    assert sent.problem == "Apprise does not know this address"


@pytest.mark.later
def test_without_files_or_processes_it_is_tried_again(
    ntfy: Ntfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = AppriseRunner(LOOPBACK, 15.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as highest:  # noqa: PTH123 - its number is the next free one
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, hard))
        try:
            with pytest.raises(TooManyFilesError):
                runner.send(ntfy.url(), Notice("Title", "text"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with monkeypatch.context() as gone:
        gone.setattr(sys, "executable", "/nowhere/python")
        assert runner.send(ntfy.url(), Notice("Title", "text")).problem.startswith(
            "Apprise cannot be started: "
        )
    assert runner.send(ntfy.url(), Notice("Title", "text")).is_accepted


def test_a_service_that_hangs_is_given_up_and_a_stop_ends_it(ntfy: Ntfy) -> None:
    ntfy.answer = Response(200, body="{}", delay_seconds=3.0)
    runner = AppriseRunner(LOOPBACK, -14.5)  # half a second for all
    assert "not sent within" in runner.send(ntfy.url(), Notice("Title", "text")).problem
    runner.close()
    assert runner.send(ntfy.url(), Notice("Title", "text")).is_stopped


@pytest.mark.later
def test_proxies_of_the_environment_are_not_used(
    ntfy: Ntfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (
        AppriseRunner(LOOPBACK, 15.0)
        .send(ntfy.url(), Notice("Title", "text"))
        .is_accepted
    )


@pytest.mark.later
def test_nothing_of_it_is_loaded_where_it_is_not_used(tmp_path: Path) -> None:
    code = (
        "import sys; from aggregator.config.settings import Config; "
        "from aggregator.daemon import runtime; from aggregator.deliver import dispatcher; "
        "dispatcher.webhook_settings.recipients_from(Config()); "
        "print([one for one in ('apprise', 'requests') if one in sys.modules])"
    )
    ran = run_program([sys.executable, "-c", code], cwd=tmp_path)
    assert (ran.stdout.strip(), ran.stderr) == ("[]", "")


# --- headers of webhooks -----------------------------------------------------------------------------------


def test_a_webhook_has_headers_of_its_own(database: Database) -> None:
    with Receiver() as receiver:
        hook = Webhook(
            name="desk",
            url=receiver.url(),
            key=signing_key(SECRET),
            headers=(("Authorization", "Bearer x"),),
        )
        post = Post(database, hook)
        post.clock.time = datetime.now(UTC)
        post.deliver(flood(published=post.clock.time))
        assert receiver.false == []
        assert receiver.taken[0].headers["authorization"] == "Bearer x"
        assert receiver.taken[0].headers["content-type"] == "application/json"
