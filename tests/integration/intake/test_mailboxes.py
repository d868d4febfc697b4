"""Mailboxes as sources, on both databases: what a poll stores, and what `sources check` and `list` show."""

import os
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.cli.application import main
from aggregator.config.configured_access import configured_access
from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.configured import mutes_of
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.manage.configured_sources import configured_sources
from aggregator.intake.manage.feed_check import check_feeds
from aggregator.intake.manage.feed_lists import export_opml
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.workers.executor import Executor, InlineExecutor, JobFunction
from aggregator.model.errors import ConfigError, WorkError
from aggregator.sources.fetch.client import client_of
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, all_sources
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.tables import article, rejected_input
from tests.support.articles import FLOOD, STRIKE, Clock, Rig
from tests.support.imap_server import PASSWORD, USER, ImapServer, mail
from tests.support.rows import column, queried, read_by, written_by
from tests.support.tables import each_row, numbered

BOX = ((2, STRIKE), (3, "endless"))
HEAD = "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s, interval: 1h}\nwork: {executor: inline}\n"


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer() as server:
        yield server


class Workers(InlineExecutor):
    """Workers that are late with a message that says so; they end with the program."""

    is_closed = False

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        future: Future[bytes] = Future()
        if self.is_closed:
            future.set_exception(WorkError("died", "the workers are stopped"))
        elif b"endless" in job:
            future.set_exception(WorkError("timeout", "no answer within 10 s"))
        else:
            return super().submit(function, job)
        return future


class Desk:
    """One mailbox of a config.yaml on a database."""

    def __init__(self, database: Database, folder: Path, imap: ImapServer) -> None:
        self.database, self.folder, self.imap = database, folder, imap
        self.clock = Clock()
        self.rig = Rig(database, self.clock)
        self.tuning = Tuning()
        (folder / "secret").write_text(PASSWORD + "\n", encoding="utf-8")

    def config(self, more: str = "") -> Config:
        (self.folder / "config.yaml").write_text(
            f"{HEAD}sources:\n  - imap: {self.imap.url()}\n    name: letters\n"
            f"    auth: {{user: {USER}, password_file: secret}}\n{more}",
            encoding="utf-8",
        )
        return load(self.folder / "config.yaml")

    def poll(
        self, config: Config | None = None, executor: Executor | None = None
    ) -> PollResult:
        config = config or self.config()
        client = client_of(config)
        services = PollServices(
            self.database,
            client,
            executor or InlineExecutor(),
            self.tuning,
            self.clock,
            stops=lambda: isinstance(executor, Workers) and executor.is_closed,
            configured=configured_access(config),
        )
        poller = Poller(services, robots=False, pages="auto", mutes=mutes_of(config))
        written_by(self.database, sync_config, configured_sources(config, self.clock()))
        result = source_kind(self.source.kind).poller(poller)(self.source)
        client.close()
        return result

    @property
    def source(self) -> Source:
        return read_by(self.database, all_sources)[0]

    def titles(self) -> list[str]:
        return column(self.database, article.c.title)

    def rejected(self) -> list[tuple[str, str]]:
        chosen = select(rejected_input.c.item, rejected_input.c.reason)
        return [(row.item, row.reason) for row in queried(self.database, chosen)]


@pytest.fixture
def desk(database: Database, tmp_path: Path, imap: ImapServer) -> Desk:
    return Desk(database, tmp_path, imap)


@pytest.mark.later
def test_newsletters_become_articles_once(desk: Desk) -> None:
    desk.imap.add(
        mail(1, FLOOD),
        mail(2, STRIKE, more="Archived-At: <https://harbour.example/l/2>\r\n"),
    )
    assert len(desk.poll().accepted) == 2
    desk.rig.place()
    assert desk.titles() == ["Briefing 1", "Briefing 2"]
    rows = queried(
        desk.database, select(article.c.title, article.c.url, article.c.outlet)
    ).all()
    assert {(row.title, row.url, row.outlet) for row in rows} == {
        ("Briefing 1", None, "news@harbour.example"),
        ("Briefing 2", "https://harbour.example/l/2", "news@harbour.example"),
    }
    assert desk.source.etag == "7/2"
    assert (desk.source.health, desk.source.title, desk.source.entries_new) == (
        "ok",
        "INBOX",
        2,
    )
    assert desk.poll().unchanged
    desk.imap.validity = 8  # the server numbers the folder anew
    again = desk.poll()
    assert (again.accepted, again.known) == ((), 2)


def test_one_subject_every_day_is_several_articles(desk: Desk) -> None:
    desk.imap.add(mail(1, FLOOD, "Daily briefing"))
    desk.poll()
    desk.imap.add(mail(2, STRIKE, "Daily briefing"))
    assert len(desk.poll().accepted) == 1
    desk.rig.place()
    assert desk.titles() == ["Daily briefing"] * 2


def test_what_is_left_is_read_soon_and_refusals_are_listed(desk: Desk) -> None:
    desk.tuning = Tuning({"sources": {"max_entries": 100}})
    desk.poll()
    desk.imap.add(
        *(mail(n, f"{FLOOD} {n}") for n in range(1, 103)), b"\xff" * 30 + b"\r\n"
    )
    result = desk.poll()
    assert len(result.accepted) == 100
    assert (desk.source.next_due_at - desk.clock.time).total_seconds() <= 60
    result = desk.poll()
    assert len(result.accepted) == 2
    assert (desk.source.next_due_at - desk.clock.time).total_seconds() > 1000
    assert desk.rejected() == [
        ("message 103", "this is not a message: it has no header")
    ]
    assert (
        desk.source.health_cause
        == "message 103: this is not a message: it has no header"
    )
    assert (desk.source.entries_new, desk.source.entries_rejected) == (102, 1)


def test_messages_are_parsed_by_workers(desk: Desk) -> None:
    late = "this message could not be read: no answer within 10 s"
    workers = Workers()
    desk.imap.add(mail(1, FLOOD), mail(2, "endless"), mail(3, STRIKE))
    assert len(desk.poll(executor=workers).accepted) == 2
    assert desk.rejected() == [("message 2", late)]
    desk.imap.add(mail(4, FLOOD))
    workers.is_closed = True
    assert not desk.poll(executor=workers).succeeded
    assert (len(desk.rejected()), desk.source.etag) == (1, "7/3"), (
        "a stop refuses nothing"
    )


def test_messages_in_a_folder_are_parsed_by_workers(desk: Desk) -> None:
    letters = desk.folder / "letters"
    letters.mkdir()
    (letters / "1.eml").write_bytes(mail(1, FLOOD))
    (letters / "2.mbox").write_bytes(
        b"".join(
            b"From a@b.example Fri Nov 20 08:00:00 2026\n" + mail(n, text) + b"\n"
            for n, text in BOX
        )
    )
    (desk.folder / "config.yaml").write_text(
        f"{HEAD}sources:\n  - folder: letters\n", encoding="utf-8"
    )
    old = desk.clock.time.timestamp() - 3600
    for one in letters.iterdir():
        os.utime(one, (old, old))
    assert len(desk.poll(load(desk.folder / "config.yaml"), Workers()).accepted) == 2
    ((where, reason),) = desk.rejected()
    assert (where, reason) == (
        f"{letters}/2.mbox, message 2",
        "this message could not be read: no answer within 10 s",
    )


def test_failures_have_a_cause_and_keep_the_position(
    desk: Desk, imap: ImapServer
) -> None:
    imap.add(mail(1, FLOOD))
    desk.poll()
    imap.add(mail(2, STRIKE))
    (desk.folder / "secret").write_text("wrong")
    assert desk.poll().problem == "login: the server refuses the user or the password"
    assert (desk.source.health, desk.source.etag) == ("failing", "7/1")
    (desk.folder / "secret").write_text(PASSWORD)
    imap.hostile = lambda said: b"" if "BODY" in said else None
    assert not desk.poll().succeeded
    assert desk.source.health_cause == (
        "connect: the server closed the connection, at message 2 (attempt 1 of 3)"
    )
    imap.hostile = lambda _: None
    assert len(desk.poll().accepted) == 1
    assert desk.source.health == "ok"


def test_a_message_that_cannot_be_read_is_listed_and_the_next_are_read(
    desk: Desk,
) -> None:
    desk.imap.add(mail(1, FLOOD))
    desk.poll()
    desk.imap.add(mail(2, STRIKE), mail(3, FLOOD + STRIKE))
    desk.imap.hostile = lambda said: b"" if said.startswith("UID FETCH 2 ") else None
    waits = []
    for attempt in (1, 2):
        # Each in a new process
        assert f"at message 2 (attempt {attempt} of 3)" in str(desk.poll().problem)
        waits.append((desk.source.next_due_at - desk.clock.time).total_seconds())
    assert desk.source.health == "failing"
    assert waits[0] < waits[1], "a server gets time to recover"
    result = desk.poll()
    assert (result.succeeded, result.accepted) == (True, ())
    words = "reading it failed 3 times (connect: the server closed the connection)"
    assert (result.problem, desk.rejected()) == (
        f"message 2: {words}",
        [("message 2", words)],
    )
    assert (desk.source.next_due_at - desk.clock.time).total_seconds() <= 60
    assert len(desk.poll().accepted) == 1
    assert (desk.source.health, desk.source.etag, desk.source.entries_rejected) == (
        "ok",
        "7/3",
        1,
    )


def test_mutes_apply(desk: Desk) -> None:
    desk.imap.add(mail(1, FLOOD, "Advertorial: boats"), mail(2, STRIKE))
    desk.poll(desk.config("mute: {words: [advertorial]}\n"))
    desk.rig.place()
    assert desk.titles() == ["Briefing 2"]


def test_check_previews_and_changes_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.imap.add(*(mail(n, FLOOD) for n in range(1, 9)))
    config = desk.config()
    for what in ("letters", desk.imap.url()):
        (checked,) = check_feeds(config, [what])
        assert (checked.format, checked.title, checked.entries) == (
            "mailbox",
            "INBOX",
            8,
        )
        assert checked.newest == tuple(numbered("Briefing %n", range(8, 3, -1)))
        assert checked.problem is None
    (unknown,) = check_feeds(config, ["imaps://mail.example/INBOX"])
    assert (
        unknown.problem
        == "login: list the mailbox in config.yaml, with its user and password"
    )
    assert read_by(desk.database, all_sources) == []


def test_the_user_is_part_of_the_source_and_the_secret_of_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.poll()
    first = desk.source
    assert first.address == desk.imap.url().replace("://", "://anna%40example.org@")
    assert PASSWORD not in repr(configured_access(desk.config()))
    assert b"imap" not in export_opml(desk.config(), desk.database)
    with pytest.raises(SystemExit):
        main(["config", "show", "--config", str(desk.folder / "config.yaml")])
    shown = capsys.readouterr().out
    assert "imap" in shown
    assert "s3cret" not in shown


@each_row("mailboxes", "what cannot be a mailbox", "lines", "words")
def test_what_cannot_be_a_mailbox(tmp_path: Path, lines: str, words: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"sources:\n  - {lines}\n", encoding="utf-8")
    if not words:  # a question mark may be part of the name of a folder
        assert (
            configured_sources(load(file), Clock()())[0].address
            == "imaps://a@mail.example/%3Fx"
        )
        return
    with pytest.raises(ConfigError) as caught:
        configured_sources(load(file), Clock()())
    assert words in str(caught.value)
    assert "s3cret" not in str(caught.value)
