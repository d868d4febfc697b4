"""The real daemon, killed while it sends and while clients follow it.

Nothing is missing. What was accepted just before the kill may come again, under its id: a delivery of a
webhook, a mail.
"""

import json
import subprocess
import time
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from aggregator.store.tables import article, change, outbox, story, story_log
from tests.support.daemon_process import PROGRAM
from tests.support.killed_daemon import (
    KilledDaemon,
    mixed,
    unlike_any_other,
    wait_a_while,
)
from tests.support.loopback import Request, Response, free_port, http_client
from tests.support.mail_server import MailServer, plain_text
from tests.support.reader_client import READ, STARRED, ReaderClient
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import counted, executed, queried, value
from tests.support.seeds import drawn

pytestmark = pytest.mark.later

READERS = ["anna@b.example", "ben@b.example"]


def often_or_seldom(thin: tuple[int, ...], whole: tuple[int, ...]) -> list[Any]:
    """Numbers of articles, kills and restarts: few on SQLite, and, for hours, many on both databases."""
    many = (
        pytest.param(one, *whole, marks=pytest.mark.torture)
        for one in ("sqlite", "postgres")
    )
    return [("sqlite", *thin), *many]


# --- webhooks ----------------------------------------------------------------------------------------------


class Moody:
    """Answers as its mood is: mostly well, now and then as receivers do on a bad day."""

    def __init__(self, rng: Random, bad_share: float) -> None:
        self._rng = rng
        self._bad_share = bad_share
        self.is_well = False
        self.bad = 0  # answers

    def __call__(self, _request: Request) -> Response:
        if self.is_well or self._rng.random() >= self._bad_share:
            return Response(204)
        self.bad += 1
        return self._rng.choice(
            [
                Response(500),
                Response(503, {"Retry-After": "1"}),
                Response(429, {"Retry-After": "1"}),
                Response(302, {"Location": "/elsewhere"}),
                Response(raw=b""),  # hangs up
                Response(400, delay_seconds=1.5),  # longer than it is waited for
            ]
        )


def arrived(daemon: KilledDaemon) -> dict[int, set[str]]:
    """The ids under which each change was taken."""
    ids: dict[int, set[str]] = defaultdict(set)
    for request in list(daemon.receiver.taken):
        ids[json.loads(request.body)["data"]["change"]["n"]].add(
            request.headers["webhook-id"]
        )
    return ids


def is_all_there(daemon: KilledDaemon) -> bool:
    changes = daemon.changes()
    return (
        bool(changes) and not daemon.waiting() and set(arrived(daemon)) >= set(changes)
    )


def run_through(daemon: KilledDaemon, articles: int, kills: int, restarts: int) -> None:
    """Articles come, the daemon dies `kills` times while it sends, the receiver is away `restarts` times."""
    rng, receiver = drawn("webhooks", articles), daemon.receiver
    receiver.answer = moody = Moody(rng, 0.5)
    for number in daemon.killed_while_it_reads(mixed(rng, articles), kills):
        enough = len(receiver.came) + rng.randint(0, 4)
        wait_a_while(lambda: len(receiver.came) >= enough, seconds=10.0)  # noqa: B023 - called at once
        time.sleep(rng.uniform(0.0, 0.3))
        if number < restarts:
            daemon.kill()
            receiver.restart(rng.uniform(0.1, 0.5))
    daemon.wait_for(lambda: moody.bad >= 3 + kills or is_all_there(daemon), "a bad day")
    moody.is_well = True
    daemon.wait_as_long_as_more_come(lambda: is_all_there(daemon))
    assert daemon.stop() == 0


def look_at(daemon: KilledDaemon) -> None:
    receiver, numbers, ids_of = daemon.receiver, daemon.changes(), arrived(daemon)
    assert set(ids_of) == set(numbers), "every change, and nothing that is none"
    assert all(len(ids) == 1 for ids in ids_of.values()), "one id each"
    assert len({id_ for ids in ids_of.values() for id_ in ids}) == len(numbers), (
        "and no id twice"
    )
    tries = defaultdict(list)
    assert receiver.false == [], "every signature right, and fresh"
    for request in receiver.came:
        body = json.loads(request.body)
        # The story is told as it is at the time of each try (docs/sending.md); what is announced is the same.
        data = body["data"]
        assert data.pop("url").endswith(f"/stories/{data.pop('story')['id']}")
        assert data.pop("articles_left_out") == 0
        tries[request.headers["webhook-id"]].append(body)
    for first, *others in tries.values():
        assert all(other == first for other in others), "the same change at every try"
    again = len(receiver.taken) - len(numbers)
    print(f"{len(numbers)} changes, {len(receiver.came)} requests, {again} taken twice")
    assert SECRET not in (daemon.folder / "daemon.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("database_url", "articles", "kills", "restarts"),
    often_or_seldom((24, 2, 1), (300, 20, 5)),
    indirect=["database_url"],
)
def test_every_change_arrives_though_the_daemon_is_killed(
    database_url: str, articles: int, kills: int, restarts: int, tmp_path: Path
) -> None:
    with (
        Receiver() as receiver,
        KilledDaemon(tmp_path, receiver, database_url) as daemon,
    ):
        run_through(daemon, articles, kills, restarts)
        look_at(daemon)


# --- notifications and digests -----------------------------------------------------------------------------


def digested(
    folder: Path, receiver: Receiver, database: str, server: MailServer
) -> KilledDaemon:
    settings = {
        "every": "weekly",
        "stories": 100,
        "to": READERS,
        "address": server.address,
    }
    return KilledDaemon(folder, receiver, database, digest=settings)


def spans(daemon: KilledDaemon, reader: str) -> list[tuple[int, int]]:
    """The change numbers of the digests: of each the first one and the last."""
    of_reader = select(outbox.c.change).where(outbox.c.webhook == f"digest:{reader}")
    ends = queried(daemon.database, of_reader.order_by(outbox.c.change)).scalars().all()
    return list(zip([0, *ends], ends, strict=False))


def digest_through(
    daemon: KilledDaemon, server: MailServer, articles: int, kills: int
) -> None:
    rng, nothing = drawn("digest", articles), subprocess.DEVNULL
    server.answer = lambda: "250 taken" if rng.random() < 0.6 else "451 later"
    for _ in daemon.killed_while_it_reads(mixed(rng, articles), kills):
        # Not for a change: all of them may be copies.
        daemon.wait_for_line("event=source_polled")
        daemon.wait_for(lambda: not daemon.waiting(), "places")
        making = subprocess.Popen(
            [*PROGRAM, "digest"], cwd=daemon.folder, stdout=nothing, stderr=nothing
        )
        time.sleep(rng.uniform(0.3, 2.0))
        if rng.random() < 0.5:
            making.kill()
        daemon.kill()
        making.wait()
    daemon.wait_for(
        lambda: daemon.lines("event=source_polled") and not daemon.waiting(), "places"
    )
    assert daemon.command("digest").returncode == 0
    server.answer = lambda: "250 taken"
    is_waiting = (outbox.c.state == "waiting", outbox.c.story == "")
    daemon.wait_for(
        lambda: not counted(daemon.database, outbox, *is_waiting), "all mail to be sent"
    )
    assert daemon.stop() == 0
    of_readers = outbox.c.webhook.in_([f"digest:{one}" for one in READERS])
    ids = (
        queried(daemon.database, select(outbox.c.id).where(of_readers)).scalars().all()
    )
    assert set(server.ids()) == set(ids), "nothing is missing"
    again = len(server.ids()) - len(ids)
    print(f"{len(ids)} mails, {kills} kills, {again} taken twice")
    assert again <= 2 * kills
    last = max(daemon.changes())
    for reader in READERS:
        assert spans(daemon, reader) == spans(daemon, ""), (
            "all readers have the same digests"
        )
    assert spans(daemon, "")[-1][1] == last, "up to the newest change"


@pytest.mark.parametrize(
    ("database_url", "articles", "kills"),
    often_or_seldom((24, 5), (84, 20)),
    indirect=["database_url"],
)
def test_every_digest_is_made_and_sent_once_though_all_is_killed(
    database_url: str, articles: int, kills: int, tmp_path: Path
) -> None:
    with (
        Receiver(signed=False) as receiver,
        MailServer() as server,
        digested(tmp_path, receiver, database_url, server) as daemon,
    ):
        digest_through(daemon, server, articles, kills)


def test_the_daemon_makes_a_digest_at_its_time_and_not_again(tmp_path: Path) -> None:
    """The articles are dated back by a week, so that a digest is due: nobody waits for tomorrow."""
    with Receiver(signed=False) as receiver, MailServer() as server:
        daemon = digested(
            tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server
        )
        with daemon:
            daemon.start()
            rng = drawn("due")
            daemon.drop([unlike_any_other(rng, number) for number in range(3)])
            daemon.wait_for(lambda: len(daemon.changes()) == 3, "three stories")
            assert daemon.stop() == 0
        for row in queried(daemon.database, select(change.c.change_no, change.c.at)):
            earlier = update(change).where(change.c.change_no == row.change_no)
            executed(daemon.database, earlier.values(at=row.at - timedelta(days=8)))
        for _ in range(2):
            with daemon:
                daemon.start()
                server.wait(lambda: len(server.taken) == 2)
                page = daemon.get("/digest").text
                assert page.count('<h2 dir="auto"') == 3
                assert "New digest" not in page
                assert daemon.stop() == 0
        assert {str(mail["To"]) for mail in server.taken} == set(READERS)
        assert plain_text(server.taken[0]).startswith(
            "3 stories with the most new independent reports"
        )
        assert "Nothing is new" in daemon.command("digest", "--dry-run").stderr


def test_what_the_commands_say(tmp_path: Path) -> None:
    with Receiver(signed=False) as receiver, MailServer() as server:
        receiver.answer = lambda _request: Response(200, body="{}")
        daemon = digested(
            tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server
        )
        secret = tmp_path / "ntfy.secret"
        secret.write_text(
            receiver.url("").replace("http://", "ntfy://") + "/qX7topic\n"
        )
        settings = {
            "sources": [{"folder": "articles"}],
            "notify": [{"name": "phone", "address_file": "ntfy.secret"}],
            "digest": {"every": "daily", "to": READERS, "address": server.address},
        }  # fmt: skip
        daemon.configure(settings)
        assert (
            "notify phone accepted it: 200"
            in daemon.command("notify", "test", "phone").stderr
        )
        assert "accepted it: 200" in daemon.command("notify", "test", READERS[0]).stderr
        unknown = daemon.command("notify", "test", "nobody")
        assert (
            unknown.returncode,
            "anna@b.example, ben@b.example, phone" in unknown.stderr,
        ) == (2, True)
        with daemon:
            daemon.start()
            daemon.drop([unlike_any_other(drawn("said"), 1)])
            receiver.wait(lambda: len(receiver.taken) == 2)
            dry = daemon.command("digest", "--dry-run")
            assert dry.stdout.startswith(
                "To: anna@b.example\nTo: ben@b.example\nSubject: Stories: Digest of "
            )
            assert "1. " in dry.stdout
            assert len(server.taken) == 1, "the test alone"
            listed = [
                json.loads(line)
                for line in daemon.command(
                    "notify", "list", "--format", "jsonl"
                ).stdout.splitlines()
            ]
            assert [(one["name"], one["state"]) for one in listed] == [
                ("digest:anna@b.example", "ok"), ("digest:ben@b.example", "ok"), ("phone", "ok"),
            ]  # fmt: skip
            assert "No webhooks" in daemon.command("webhooks", "list").stderr
            assert (
                daemon.command("notify", "resume", "phone").stderr
                == "phone: no deliveries are waiting\n"
            )
            shown = daemon.command("config", "show").stdout
            assert "qX7topic" not in shown + daemon.log()


# --- clients that keep a copy ------------------------------------------------------------------------------


class Copy:
    """What a client knows of the stories by their changes."""

    def __init__(self, address: str) -> None:
        self._http = http_client(base_url=address)
        self._next = 0
        self.updated: dict[str, str] = {}
        self.numbers: list[int] = []
        self.created: Counter[str] = Counter()

    def follow(self) -> bool:
        """Ask once; whether something was new."""
        query = {"since": self._next, "limit": 7}
        answer = (
            self._http.get("/api/v1/changes", params=query).raise_for_status().json()
        )
        for one in answer["changes"]:
            self.numbers.append(one["n"])
            self.created[one["story"]] += one["kind"] == "created"
            self.updated.pop(one["story"], None)
            if one["updated"] is not None:
                self.updated[one["story"]] = one["updated"]
        self._next = answer["next"]
        return bool(answer["changes"])


class Phone:
    """A reader who reads everything and stars each third item, each once."""

    def __init__(self, address: str) -> None:
        self._client = ReaderClient(httpx.URL(address), "anna", "anything")
        self.items: set[str] = set()  # taken with their texts
        # The time of the bump when its mark was answered
        self.marked: dict[str, int] = {}
        self.starred: set[str] = set()
        self.again: list[tuple[str, int, int]] = []

    def follow(self) -> bool:
        """Read what is unread; whether there was any."""
        page = self._client.get(
            "stream/items/ids", s="user/-/state/com.google/reading-list", xt=READ, n=5
        )
        times = {one["id"]: int(one["timestampUsec"]) for one in page["itemRefs"]}
        self.again += [
            (id_, self.marked[id_], at)
            for id_, at in times.items()
            if at <= self.marked.get(id_, 0)
        ]
        if new := times.keys() - self.items:
            self.items |= self._client.contents(*new).keys()
        for id_ in sorted(times):
            if int(id_) % 3 == 0:
                self._client.mark(id_, add=STARRED)
                self.starred.add(id_)
        if times:
            self._client.mark(*times, add=READ)
            self.marked |= times
        return bool(times)

    def states(self) -> tuple[set[str], set[str], set[str]]:
        """All items, the read ones, and the starred ones."""
        client = self._client
        return (
            set(client.ids(n=50)),
            set(client.ids(READ, n=50)),
            set(client.ids(STARRED, n=50)),
        )


def follow(client: Copy | Phone, until: Event) -> None:
    while not until.is_set():
        try:
            if not client.follow():
                until.wait(0.05)
        except (httpx.HTTPError, AssertionError, ValueError):
            until.wait(0.05)  # the daemon is away, or was killed within the answer


def sync_through(daemon: KilledDaemon, address: str, articles: int, kills: int) -> None:
    rng = drawn("sync", articles)
    records = mixed(rng, articles)
    daemon.start()
    copy, phone, is_over = Copy(address), Phone(address), Event()
    threads = [Thread(target=follow, args=(one, is_over)) for one in (copy, phone)]
    for thread in threads:
        thread.start()
    heard = lambda: len(copy.numbers) + len(phone.marked)  # noqa: E731
    try:
        for _ in daemon.killed_while_it_reads(records, kills):
            before = heard()
            wait_a_while(lambda: heard() != before, seconds=10.0)  # noqa: B023 - called at once
            time.sleep(rng.uniform(0.0, 0.3))
        titles = {one["title"] for one in records if one["id"].startswith("own ")}
        has_all = lambda: (  # noqa: E731
            titles <= {*queried(daemon.database, select(article.c.title)).scalars()}
        )
        daemon.wait_for(lambda: has_all() and not daemon.waiting(), "all to be placed")
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    while copy.follow() or phone.follow():
        pass
    rows = queried(daemon.database, select(story)).all()
    live = {str(row.story_no) for row in rows if row.redirect_to is None}
    listed = {one["id"]: one["updated"] for one in daemon.stories()}
    assert copy.updated == listed, "the copy has every story, as it is"
    assert copy.numbers == sorted(set(copy.numbers)), "no change twice"
    last = value(daemon.database, func.max(story_log.c.log_no))
    assert copy.numbers[-1] == last
    assert max(copy.created.values()) == 1
    everything, read, starred = phone.states()
    assert everything == read == live
    assert everything <= phone.items, "no item is read that the client has not seen"
    ids = {row.id: str(row.story_no) for row in rows}
    into = {ids[row.id]: ids[row.redirect_to] for row in rows if row.redirect_to}
    assert starred == {into.get(one, one) for one in phone.starred}, "each star is kept"
    # Merged with an unread one
    again = [one for one in phone.again if one[0] not in into.values()]
    assert again == [], "what was read comes again only with a bump"
    print(f"{kills} kills, {len(copy.numbers)} changes, {len(phone.items)} items")
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("database_url", "articles", "kills"),
    often_or_seldom((24, 2), (168, 20)),
    indirect=["database_url"],
)
def test_a_client_that_follows_misses_nothing_and_gets_nothing_twice(
    database_url: str, articles: int, kills: int, tmp_path: Path
) -> None:
    port = free_port()
    with (
        Receiver(signed=False) as receiver,
        KilledDaemon(tmp_path, receiver, database_url, server={"port": port}) as daemon,
    ):
        sync_through(daemon, f"http://127.0.0.1:{port}", articles, kills)
