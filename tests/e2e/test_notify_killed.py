"""The real daemon, killed while it notifies and while digests are made and sent: nothing is missing.

A service that took a notification just before the kill takes it again: its API has no ids that would show
it. A mail comes again under its Message-ID. Nothing else comes twice.
"""

import json
import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from aggregator.store.engine.database import Database
from aggregator.store.tables import article, change, outbox
from tests.conftest import Postgres
from tests.e2e.test_webhooks_killed import HASTY, SEED, Trial, unlike_any_other
from tests.support.daemon_process import PROGRAM
from tests.support.kill_records import invented
from tests.support.loopback import Request, Response
from tests.support.mail_server import MailServer, plain_text
from tests.support.receiver import Receiver
from tests.support.rows import queried

READERS = ["anna@b.example", "ben@b.example"]


def place(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / 'stories.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.make()


def rows_of(trial: Trial, statement: Any) -> list[Any]:
    return list(queried(trial.database, statement))


def is_quiet(trial: Trial, recipient: str) -> bool:
    """All changes were looked at, and nothing waits."""
    stats = json.loads(
        next(iter(trial.daemon.command("notify", "list", "--format", "jsonl").stdout.splitlines()))
    )
    changes = rows_of(trial, select(change.c.change_no))
    announced = rows_of(trial, select(outbox.c.change).where(outbox.c.webhook == recipient))
    return not trial.daemon.waiting() and stats.get("waiting", 0) == 0 and len(announced) >= len(changes) > 0


def notify_through(trial: Trial, rng: random.Random, articles: int, kills: int) -> None:
    records = [unlike_any_other(rng, number) for number in range(articles)]
    share = -(-articles // (kills + 1))

    def answer(_request: Request) -> Response:
        bad = rng.choice([Response(500), Response(429), Response(raw=b"")])
        return Response(200, body="{}") if rng.random() < 0.7 else bad

    trial.receiver.answer = answer
    for start in range(0, articles, share):
        trial.daemon.start()
        trial.drop(records[start : start + share])
        if start + share < articles:
            trial.wait_for_requests(rng.randint(1, 3), seconds=15.0)
            time.sleep(rng.uniform(0.0, 0.8))  # a notification takes half a second
            trial.kill()
    trial.receiver.answer = lambda _request: Response(200, body="{}")
    noted = select(outbox.c.change).where(outbox.c.webhook == "notify:phone")
    trial.daemon.wait_for(lambda: len(rows_of(trial, noted)) == articles, "all to be placed")
    trial.wait_as_long_as_more_come(lambda: is_quiet(trial, "notify:phone"))
    assert trial.daemon.stop() == 0
    done = rows_of(
        trial,
        select(article.c.title)
        .join(change, change.c.article == article.c.id)
        .join(outbox, outbox.c.change == change.c.change_no)
        .where(outbox.c.webhook == "notify:phone", outbox.c.state == "done"),
    )
    expected = Counter(row.title for row in done)
    taken = Counter(
        json.loads(one.body)["message"].splitlines()[1].split(": ", 1)[1] for one in trial.receiver.taken
    )
    assert sum(expected.values()) == articles, "one for each story"
    assert expected - taken == Counter(), "nothing is missing"
    again = taken - expected
    print(f"seed {SEED}: {articles} notifications, {kills} kills, {sum(again.values())} taken twice")
    assert sum(again.values()) <= kills
    assert set(again) <= set(expected)
    assert "qX7topic" not in (trial.daemon.folder / "daemon.log").read_text(encoding="utf-8")


def notified(folder: Path, receiver: Receiver, database: str) -> Trial:
    address = receiver.url("").replace("http://", "ntfy://") + "/qX7topic"
    settings = [{"name": "phone", "address": address, "each": "report", "messages_an_hour": 1000}]
    return Trial(folder, receiver, database, notify=settings)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_story_is_notified_though_the_daemon_is_killed_often(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Receiver(signed=False) as receiver:
        trial = notified(tmp_path, receiver, place(kind, tmp_path, request))
        try:
            notify_through(trial, random.Random(SEED), 84, kills=20)
        finally:
            trial.daemon.kill()


# --- digests -----------------------------------------------------------------------------------------------


def digested(folder: Path, receiver: Receiver, database: str, server: MailServer, **more: Any) -> Trial:
    mail = {"to": READERS, "sender": "news@a.example", "server": "127.0.0.1", "port": server.port}
    settings = {"every": "weekly", "stories": 100, "security": "none"} | mail | more
    return Trial(folder, receiver, database, digest=settings)


def spans(trial: Trial, reader: str) -> list[tuple[int, int]]:
    """The change numbers of the digests: of each the first one and the last."""
    ends = [
        row.change
        for row in rows_of(
            trial,
            select(outbox.c.change).where(outbox.c.webhook == f"digest:{reader}").order_by(outbox.c.change),
        )
    ]
    return list(zip([0, *ends], ends, strict=False))


def digest_through(trial: Trial, server: MailServer, rng: random.Random, articles: int, kills: int) -> None:
    records = [one | {"published": None} for one in invented(articles // 2)]
    records += [unlike_any_other(rng, number) for number in range(articles - len(records))]
    rng.shuffle(records)
    share = -(-articles // (kills + 1))
    server.answer = lambda: "250 taken" if rng.random() < 0.6 else "451 later"
    for start in range(0, articles, share):
        trial.daemon.start()
        trial.drop(records[start : start + share])
        # Not for a change: all of them may be copies.
        trial.daemon.wait_for(lambda: trial.daemon.lines("event=source_polled"), "articles")
        trial.daemon.wait_for(lambda: not trial.daemon.waiting(), "places")
        making = subprocess.Popen(
            [*PROGRAM, "digest"],
            cwd=trial.daemon.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if start + share < articles:
            time.sleep(rng.uniform(0.3, 2.0))
            if rng.random() < 0.5:
                making.kill()
            trial.kill()
        making.wait()
    assert trial.daemon.command("digest").returncode == 0
    server.answer = lambda: "250 taken"
    trial.daemon.wait_for(
        lambda: (
            not rows_of(trial, select(outbox.c.id).where(outbox.c.state == "waiting", outbox.c.story == ""))
        ),
        "all mail to be sent",
    )
    assert trial.daemon.stop() == 0
    ids = [
        row.id
        for row in rows_of(
            trial, select(outbox.c.id).where(outbox.c.webhook.in_([f"digest:{one}" for one in READERS]))
        )
    ]
    assert Counter(one.split("@")[0].strip("<") for one in server.ids()).keys() == set(ids), (
        "nothing is missing"
    )
    again = len(server.ids()) - len(ids)
    print(f"seed {SEED}: {len(ids)} mails, {kills} kills, {again} taken twice")
    assert again <= 2 * kills
    last = max(trial.changes())
    for reader in READERS:
        assert spans(trial, reader) == spans(trial, ""), "all readers have the same digests"
    assert spans(trial, "")[-1][1] == last, "up to the newest change"


def test_every_digest_is_made_and_sent_once_though_all_is_killed(tmp_path: Path) -> None:
    with Receiver(signed=False) as receiver, MailServer() as server:
        trial = digested(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server)
        try:
            digest_through(trial, server, random.Random(SEED), 24, kills=5)
        finally:
            trial.daemon.kill()


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_digest_is_made_and_sent_once_though_all_is_killed_often(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Receiver(signed=False) as receiver, MailServer() as server:
        trial = digested(tmp_path, receiver, place(kind, tmp_path, request), server)
        try:
            digest_through(trial, server, random.Random(SEED), 84, kills=20)
        finally:
            trial.daemon.kill()


def test_the_daemon_makes_a_digest_at_its_time_and_not_again(tmp_path: Path) -> None:
    """The articles are dated back by a week, so that a digest is due: nobody waits for tomorrow."""
    with Receiver(signed=False) as receiver, MailServer() as server:
        trial = digested(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server)
        with trial.daemon as daemon:
            rng = random.Random(SEED)
            trial.drop([unlike_any_other(rng, number) for number in range(3)])
            daemon.wait_for(lambda: len(trial.changes()) == 3, "three stories")
            assert daemon.stop() == 0
        database = Database(trial.database)
        week = 8 * 86_400
        with database.write() as connection:
            for row in connection.execute(select(change.c.change_no, change.c.at)).all():
                earlier = row.at.fromtimestamp(row.at.timestamp() - week, row.at.tzinfo)
                connection.execute(
                    update(change).where(change.c.change_no == row.change_no).values(at=earlier)
                )
        database.close()
        for _ in range(2):
            with trial.daemon as daemon:
                server.wait(lambda: len(server.taken) == 2)
                page = daemon.get("/digest").text
                assert page.count('<h2 dir="auto"') == 3
                assert "New digest" not in page
                assert daemon.stop() == 0
        assert {str(mail["To"]) for mail in server.taken} == set(READERS)
        assert plain_text(server.taken[0]).startswith("3 stories with the most new independent reports")
        printed = trial.daemon.command("digest", "--dry-run")
        assert "Nothing is new" in printed.stderr


def test_what_the_commands_say(tmp_path: Path) -> None:
    with Receiver(signed=False) as receiver, MailServer() as server:
        receiver.answer = lambda _request: Response(200, body="{}")
        trial = digested(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server)
        secret = tmp_path / "ntfy.secret"
        secret.write_text(receiver.url("").replace("http://", "ntfy://") + "/qX7topic\n")
        settings = {
            "sources": [{"folder": "articles"}],
            "notify": [{"name": "phone", "address_file": "ntfy.secret"}],
            "digest": {"every": "daily", "to": READERS, "sender": "news@a.example", "server": "127.0.0.1",
                       "port": server.port, "security": "none"},
            "tuning": HASTY,
        }  # fmt: skip
        trial.daemon.configure(settings)
        assert "notify phone accepted it: 200" in trial.daemon.command("notify", "test", "phone").stderr
        assert "accepted it: 250" in trial.daemon.command("notify", "test", READERS[0]).stderr
        unknown = trial.daemon.command("notify", "test", "nobody")
        assert (unknown.returncode, "anna@b.example, ben@b.example, phone" in unknown.stderr) == (2, True)
        with trial.daemon as daemon:
            trial.drop([unlike_any_other(random.Random(SEED), 1)])
            receiver.wait(lambda: len(receiver.taken) == 2)
            dry = daemon.command("digest", "--dry-run")
            assert dry.stdout.startswith(
                "To: anna@b.example\nTo: ben@b.example\nSubject: Stories: Digest of "
            )
            assert "1. " in dry.stdout
            time.sleep(0.2)
            assert len(server.taken) == 1, "the test alone"
            listed = [
                json.loads(line)
                for line in daemon.command("notify", "list", "--format", "jsonl").stdout.splitlines()
            ]
            assert [(one["name"], one["state"]) for one in listed] == [
                ("digest:anna@b.example", "ok"), ("digest:ben@b.example", "ok"), ("phone", "ok"),
            ]  # fmt: skip
            assert "No webhooks" in daemon.command("webhooks", "list").stderr
            assert daemon.command("notify", "resume", "phone").stderr == "phone: no deliveries are waiting\n"
            shown = daemon.command("config", "show").stdout
            assert "qX7topic" not in shown + daemon.log()
