"""The real daemon, killed while it notifies and while digests are made and sent: nothing is missing.

A service that took a notification just before the kill takes it again: its API has no ids that would show
it. A mail comes again under its Message-ID. Nothing else comes twice.
"""

import json
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, update

from aggregator.store.engine.database import Database
from aggregator.store.tables import article, change, outbox
from tests.support.daemon_process import PROGRAM
from tests.support.killed_daemon import KilledDaemon, mixed, unlike_any_other, wait_a_while
from tests.support.loopback import Response
from tests.support.mail_server import MailServer, plain_text
from tests.support.receiver import Receiver
from tests.support.rows import counted, queried
from tests.support.seeds import drawn

READERS = ["anna@b.example", "ben@b.example"]


def is_quiet(daemon: KilledDaemon, recipient: str) -> bool:
    """All changes were looked at, and nothing waits."""
    (listed,) = daemon.command("notify", "list", "--format", "jsonl").stdout.splitlines()
    changes = counted(daemon.database, change)
    announced = counted(daemon.database, outbox, outbox.c.webhook == recipient)
    return not daemon.waiting() and not json.loads(listed).get("waiting") and announced >= changes > 0


def notify_through(daemon: KilledDaemon, articles: int, kills: int) -> None:
    rng, receiver = drawn("notify", articles), daemon.receiver
    well = Response(200, body="{}")
    receiver.answer = lambda _: rng.choice([*[well] * 7, Response(500), Response(429), Response(raw=b"")])
    records = [unlike_any_other(rng, number) for number in range(articles)]
    for _ in daemon.killed_while_it_reads(records, kills):
        enough = len(receiver.came) + rng.randint(1, 3)
        wait_a_while(lambda: len(receiver.came) >= enough, seconds=15.0)  # noqa: B023 - called at once
        time.sleep(rng.uniform(0.0, 0.8))  # a notification takes half a second
    receiver.answer = lambda _: well
    is_phone = outbox.c.webhook == "notify:phone"
    daemon.wait_for(lambda: counted(daemon.database, outbox, is_phone) == articles, "all to be placed")
    daemon.wait_as_long_as_more_come(lambda: is_quiet(daemon, "notify:phone"))
    assert daemon.stop() == 0
    done = (
        select(article.c.title)
        .join(change, change.c.article == article.c.id)
        .join(outbox, outbox.c.change == change.c.change_no)
        .where(is_phone, outbox.c.state == "done")
    )
    expected = Counter(queried(daemon.database, done).scalars())
    taken = Counter(
        json.loads(one.body)["message"].splitlines()[1].split(": ", 1)[1] for one in receiver.taken
    )
    assert sum(expected.values()) == articles, "one for each story"
    assert expected - taken == Counter(), "nothing is missing"
    again = taken - expected
    print(f"{articles} notifications, {kills} kills, {sum(again.values())} taken twice")
    assert sum(again.values()) <= kills
    assert set(again) <= set(expected)
    assert "qX7topic" not in (daemon.folder / "daemon.log").read_text(encoding="utf-8")


@pytest.mark.torture
def test_every_story_is_notified_though_the_daemon_is_killed_often(database_url: str, tmp_path: Path) -> None:
    with Receiver(signed=False) as receiver:
        address = receiver.url("").replace("http://", "ntfy://") + "/qX7topic"
        phone = {"name": "phone", "address": address, "each": "report", "messages_an_hour": 1000}
        with KilledDaemon(tmp_path, receiver, database_url, notify=[phone]) as daemon:
            notify_through(daemon, 84, kills=20)


# --- digests -----------------------------------------------------------------------------------------------


def digested(folder: Path, receiver: Receiver, database: str, server: MailServer) -> KilledDaemon:
    settings = {"every": "weekly", "stories": 100, "to": READERS, "address": server.address}
    return KilledDaemon(folder, receiver, database, digest=settings)


def spans(daemon: KilledDaemon, reader: str) -> list[tuple[int, int]]:
    """The change numbers of the digests: of each the first one and the last."""
    of_reader = select(outbox.c.change).where(outbox.c.webhook == f"digest:{reader}")
    ends = queried(daemon.database, of_reader.order_by(outbox.c.change)).scalars().all()
    return list(zip([0, *ends], ends, strict=False))


def digest_through(daemon: KilledDaemon, server: MailServer, articles: int, kills: int) -> None:
    rng, nothing = drawn("digest", articles), subprocess.DEVNULL
    server.answer = lambda: "250 taken" if rng.random() < 0.6 else "451 later"
    for _ in daemon.killed_while_it_reads(mixed(rng, articles), kills):
        # Not for a change: all of them may be copies.
        daemon.wait_for(lambda: daemon.lines("event=source_polled"), "articles")
        daemon.wait_for(lambda: not daemon.waiting(), "places")
        making = subprocess.Popen([*PROGRAM, "digest"], cwd=daemon.folder, stdout=nothing, stderr=nothing)
        time.sleep(rng.uniform(0.3, 2.0))
        if rng.random() < 0.5:
            making.kill()
        daemon.kill()
        making.wait()
    daemon.wait_for(lambda: daemon.lines("event=source_polled") and not daemon.waiting(), "places")
    assert daemon.command("digest").returncode == 0
    server.answer = lambda: "250 taken"
    is_waiting = (outbox.c.state == "waiting", outbox.c.story == "")
    daemon.wait_for(lambda: not counted(daemon.database, outbox, *is_waiting), "all mail to be sent")
    assert daemon.stop() == 0
    of_readers = outbox.c.webhook.in_([f"digest:{one}" for one in READERS])
    ids = queried(daemon.database, select(outbox.c.id).where(of_readers)).scalars().all()
    assert Counter(one.split("@")[0].strip("<") for one in server.ids()).keys() == set(ids), (
        "nothing is missing"
    )
    again = len(server.ids()) - len(ids)
    print(f"{len(ids)} mails, {kills} kills, {again} taken twice")
    assert again <= 2 * kills
    last = max(daemon.changes())
    for reader in READERS:
        assert spans(daemon, reader) == spans(daemon, ""), "all readers have the same digests"
    assert spans(daemon, "")[-1][1] == last, "up to the newest change"


@pytest.mark.later
@pytest.mark.parametrize(
    ("database_url", "articles", "kills"),
    [
        ("sqlite", 24, 5),
        *(pytest.param(one, 84, 20, marks=pytest.mark.torture) for one in ("sqlite", "postgres")),
    ],
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
        daemon = digested(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server)
        with daemon:
            daemon.start()
            rng = drawn("due")
            daemon.drop([unlike_any_other(rng, number) for number in range(3)])
            daemon.wait_for(lambda: len(daemon.changes()) == 3, "three stories")
            assert daemon.stop() == 0
        database = Database(daemon.database)
        week = 8 * 86_400
        with database.write() as connection:
            for row in connection.execute(select(change.c.change_no, change.c.at)).all():
                earlier = row.at.fromtimestamp(row.at.timestamp() - week, row.at.tzinfo)
                connection.execute(
                    update(change).where(change.c.change_no == row.change_no).values(at=earlier)
                )
        database.close()
        for _ in range(2):
            with daemon:
                daemon.start()
                server.wait(lambda: len(server.taken) == 2)
                page = daemon.get("/digest").text
                assert page.count('<h2 dir="auto"') == 3
                assert "New digest" not in page
                assert daemon.stop() == 0
        assert {str(mail["To"]) for mail in server.taken} == set(READERS)
        assert plain_text(server.taken[0]).startswith("3 stories with the most new independent reports")
        printed = daemon.command("digest", "--dry-run")
        assert "Nothing is new" in printed.stderr


def test_what_the_commands_say(tmp_path: Path) -> None:
    with Receiver(signed=False) as receiver, MailServer() as server:
        receiver.answer = lambda _request: Response(200, body="{}")
        daemon = digested(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}", server)
        secret = tmp_path / "ntfy.secret"
        secret.write_text(receiver.url("").replace("http://", "ntfy://") + "/qX7topic\n")
        settings = {
            "sources": [{"folder": "articles"}],
            "notify": [{"name": "phone", "address_file": "ntfy.secret"}],
            "digest": {"every": "daily", "to": READERS, "address": server.address},
        }  # fmt: skip
        daemon.configure(settings)
        assert "notify phone accepted it: 200" in daemon.command("notify", "test", "phone").stderr
        assert "accepted it: 250" in daemon.command("notify", "test", READERS[0]).stderr
        unknown = daemon.command("notify", "test", "nobody")
        assert (unknown.returncode, "anna@b.example, ben@b.example, phone" in unknown.stderr) == (2, True)
        with daemon:
            daemon.start()
            daemon.drop([unlike_any_other(drawn("said"), 1)])
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
