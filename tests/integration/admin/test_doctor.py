"""The doctor: each problem is planted for real, and the answer has to name it and say what to type."""

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from sqlalchemy import insert, text, update

from aggregator.admin.config_check import check_config
from aggregator.admin.doctor_report import examine
from aggregator.admin.probes.database_probe import file_system
from aggregator.config.loader import load
from aggregator.model.errors import ConfigError
from aggregator.model.health_report import Finding, ProcessState
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import host_of, source_id
from aggregator.store.tables import counter, entry, source, webhook
from tests.support.articles import HOUR, Rig, record
from tests.support.fresh import sqlite_at, sqlite_file, with_tables
from tests.support.later_version import later_version
from tests.support.own_postgres import OwnPostgres
from tests.support.rows import executed, written_by
from tests.support.tables import each_row
from tests.support.tuned import tune
from tests.support.watched import Watched

NOW = datetime.now(UTC)
NOBODY = 65534
LEVEE = record("Echo", "1", "Levee breaks", "Water " * 60)


class Patient(NamedTuple):
    """A folder with a config.yaml and, mostly, a database."""

    folder: Path
    database: Database

    def findings(
        self, *, tuning: dict[str, Any] | None = None, **settings: Any
    ) -> list[Finding]:
        """What the doctor says with these settings and constants."""
        given = {
            "database": "stories.db",
            "server": {"port": 0},
            "backup": {"every": "never"},
        } | settings
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump(given), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            tune(patch, tuning or {})
            return list(examine(load(file)))

    def ill(self, **settings: Any) -> list[Finding]:
        """Without what is well."""
        return [one for one in self.findings(**settings) if one.level != "ok"]

    def the_one(self, level: str, what: str, advice: str, **settings: Any) -> Finding:
        """The right answer, and no other."""
        (found,) = self.ill(**settings)
        assert (found.level, what in found.what, advice in found.advice) == (
            level,
            True,
            True,
        ), found
        return found

    def put(self, **values: Any) -> str:
        """A source that has been asked; its id."""
        id_ = source_id("feed", None, values["address"])
        given = {
            "id": id_, "kind": "feed", "interval_seconds": 3600, "pages": "auto", "origin": "user",
            "next_due_at": NOW + HOUR, "first_poll_done": True, "health": "ok",
            "last_success_at": NOW, "host": host_of(values["address"]),
        }  # fmt: skip
        executed(self.database, insert(source).values(**(given | values)))
        return id_


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    with sqlite_at(tmp_path / "stories.db") as database:
        yield Patient(tmp_path, database)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="doctor-"))
    folder.chmod(0o755)
    yield folder
    for one in (folder, *folder.rglob("*")):
        one.chmod(0o755)
    shutil.rmtree(folder)


@contextlib.contextmanager
def as_somebody() -> Iterator[None]:
    """Root may read and write everything: so this goes on as nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_where_all_is_well_nothing_is_said(patient: Patient) -> None:
    folder = patient.folder / "here"
    folder.mkdir()
    patient.put(address="https://a.example/feed")
    assert patient.ill(sources=[{"folder": "here"}]) == []


# --- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ("fetch: {proxy_file: none.txt}", "fetch.proxy_file: "),
        ("fetch: {proxy: 'socks://there'}", "fetch.proxy: "),
    ],
)
def test_what_a_reload_refuses_is_no_correct_configuration(
    tmp_path: Path, settings: str, where: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(settings + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=where):
        check_config(load(file))


def test_a_scheduler_that_nobody_answers_at(patient: Patient) -> None:
    (found,) = patient.ill(
        work={"executor": "dask://127.0.0.1:1"},
        tuning={"work": {"parse_deadline_seconds": 0.3}},
    )
    assert found.level == "problem"
    assert "dask" in (found.what + found.advice).lower()


@pytest.mark.later
@each_row("doctor", "a scheduler without tls on a network", "executor", "is_reported")
def test_a_scheduler_without_tls_on_a_network(
    patient: Patient, executor: str, is_reported: bool
) -> None:
    found = patient.ill(
        work={"executor": executor}, tuning={"work": {"parse_deadline_seconds": 0.3}}
    )
    reported = [
        one for one in found if one.level == "warning" and "dask+tls" in one.advice
    ]
    assert len(reported) == is_reported, found


@pytest.mark.later
def test_secrets_that_others_may_read(patient: Patient) -> None:
    key = "whsec_" + "TUFSS0VS" * 4
    hooks = [{"name": "desk", "url": "https://hooks.example/x", "secret": key}]
    (patient.folder / "config.yaml").touch(mode=0o644)
    found = patient.the_one(
        "warning", "is readable by other users", "chmod 600", webhooks=hooks
    )
    assert key not in found.what
    feed = {"feed": "https://news.example/rss"}
    for own in (
        {"cookie": "sid=1"},
        {"headers": {"X-Key": "1"}},
        {"auth": {"user": "anna", "password": "1"}},
    ):
        patient.the_one(
            "warning", "is readable by other users", "chmod 600", sources=[feed | own]
        )
    patient.the_one(
        "warning",
        "is readable by",
        "chmod 600",
        fetch={"proxy": "http://a:b@127.0.0.1:1"},
    )
    (patient.folder / "config.yaml").chmod(0o600)
    assert patient.ill(webhooks=hooks) == []


def test_backups_that_others_may_read(patient: Patient) -> None:
    backup = patient.folder / "backups" / "stories-20261121T195149Z.db.zst"
    backup.parent.mkdir()
    backup.touch(mode=0o644)
    reported = "is readable by other users and contains full texts"
    patient.the_one("warning", reported, f"chmod 600 {backup}")
    backup.with_name("stories-20261120T195149Z.db.zst").touch(mode=0o644)
    patient.the_one(
        "warning",
        "and 1 more file are readable by other users and contain full texts",
        "chmod",
    )


def test_a_secret_file_that_others_may_read(patient: Patient) -> None:
    secret = patient.folder / "desk.secret"
    secret.write_text("whsec_" + "TUFSS0VS" * 4)
    secret.chmod(0o644)
    hooks = [
        {"name": "desk", "url": "https://hooks.example/x", "secret_file": "desk.secret"}
    ]
    feed = {"feed": "https://news.example/rss", "cookie_file": "desk.secret"}
    patient.the_one(
        "warning", "desk.secret contains secrets", f"chmod 600 {secret}", sources=[feed]
    )
    patient.the_one(
        "warning", "desk.secret contains secrets", f"chmod 600 {secret}", webhooks=hooks
    )
    secret.chmod(0o600)
    assert patient.ill(webhooks=hooks) == []


def test_an_address_for_others_without_a_token(patient: Patient) -> None:
    named = "http://news.example"
    patient.the_one(
        "problem", "no token has the scope read", "aggregator token create",
        server={"host": "0.0.0.0", "port": 0}, public_url=named,
    )  # fmt: skip
    from aggregator.store import api_tokens

    written_by(patient.database, api_tokens.create, "reader", ("read",), NOW)
    patient.the_one(
        "warning",
        "links point to 0.0.0.0",
        "public_url",
        server={"host": "0.0.0.0", "port": 0},
    )


@each_row("doctor", "who owns loopback is said", "settings", "is_owner")
def test_who_owns_loopback_is_said(
    patient: Patient, settings: dict[str, Any], is_owner: bool
) -> None:
    server = {"port": 0} | settings.get("server", {})
    said = patient.findings(**settings | {"server": server})
    notices = [one for one in said if "including through a reverse proxy" in one.what]
    assert [one.level for one in notices] == ["ok"] * is_owner
    assert all("owner_on_loopback: false" in one.advice for one in notices)
    assert any("need a token to read" in one.what for one in said) is not is_owner


# --- files -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def as_somebody_in(folder: Path, file: Path) -> Iterator[Any]:
    """The settings of `file`, taken to a folder that everybody may enter, looked at as nobody."""
    own = folder / "config.yaml"
    own.write_bytes(file.read_bytes())
    own.chmod(0o644)
    with as_somebody():
        yield load(own)


def test_a_folder_and_a_file_that_cannot_be_written(open_folder: Path) -> None:
    place = open_folder / "data"
    place.mkdir()
    url = f"sqlite:///{place / 'stories.db'}"
    with closing(with_tables(Database(url))) as database, database.write():
        pass
    for one in (*place.iterdir(), place):
        one.chmod(stat.S_IMODE(one.stat().st_mode) & ~0o222 | 0o444)
    file = open_folder / "given.yaml"
    file.write_text(
        f"database: {place}/stories.db\nserver: {{port: 0}}\nbackup: {{every: never}}\n"
    )
    with as_somebody_in(open_folder, file) as config:
        said = [one for one in examine(config) if one.level == "problem"]
    assert said[0].what == f"this user may not write to {place}"
    assert "chown" in said[0].advice
    assert said[1].what == f"this user may not write to {place / 'stories.db'}"
    place.chmod(0o755)


def test_a_full_disk(patient: Patient) -> None:
    more = {"database": {"free_mib": shutil.disk_usage(patient.folder).free >> 19}}
    patient.the_one("problem", "MiB are free in", "df -h", tuning=more)


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /srv/my\\040news rw,relatime shared:1 - nfs4 nas:/news rw,vers=4.2
31 30 0:41 / /srv/my\\040news/local rw - xfs /dev/sdb1 rw
32 22 0:42 / /home/me/far rw - fuse.sshfs me@far: rw
"""


def test_a_network_file_system_is_known_by_its_mount() -> None:
    assert file_system(Path("/var/lib/aggregator"), MOUNTS) == "ext4"
    assert file_system(Path("/srv/my news/data"), MOUNTS) == "nfs4"
    assert file_system(Path("/srv/my news/local"), MOUNTS) == "xfs"
    assert file_system(Path("/srv/my newspaper"), MOUNTS) == "ext4"
    assert file_system(Path("/home/me/far"), MOUNTS) == "fuse.sshfs"


def test_a_database_on_a_network_file_system(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = patient.folder / "mountinfo"
    mounts.write_text(f"{MOUNTS}40 22 0:40 / {patient.folder} rw - nfs nas:/a rw\n")
    monkeypatch.setattr("aggregator.admin.probes.database_probe._MOUNTS", mounts)
    patient.the_one("problem", "network file system (nfs)", "set `database:`")


def test_a_log_that_a_long_reader_keeps_large(patient: Patient) -> None:
    with patient.database.read() as reading:
        reading.execute(text("SELECT count(*) FROM counter"))
        for n in range(40):
            executed(patient.database, update(counter).values(value=n))
        small = {"database": {"wal_mib": 0}}
        patient.the_one("warning", "stories.db-wal", "fuser -v", tuning=small)


def test_a_backup_that_was_not_made(patient: Patient) -> None:
    Rig(patient.database).take(LEVEE)
    patient.the_one(
        "warning",
        "a backup is overdue: there is none yet",
        "aggregator db backup",
        backup={"every": "1h"},
    )


def test_a_mistake_beside_a_server_that_does_not_answer(patient: Patient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"postgresql://me@127.0.0.1:{taken.getsockname()[1]}/x"
        folder, server = patient.ill(
            database=address, backup={"folder": "~nobody-of-this-name/x"}
        )
    assert (folder.level, "config check" in folder.advice) == ("problem", True)
    assert "backup.folder: ~nobody-of-this-name" in folder.what
    assert "pg_isready" in server.advice


def test_a_database_to_come_without_its_folder(tmp_path: Path) -> None:
    nowhere = Patient(tmp_path, sqlite_file(tmp_path / "no" / "stories.db"))
    advice = f"mkdir -p {tmp_path / 'no'}"
    nowhere.the_one(
        "problem", "the folder of the database", advice, database="no/stories.db"
    )


def test_what_a_database_to_come_will_lack(tmp_path: Path) -> None:
    """No database is there to be asked, and none is made."""
    empty = Patient(tmp_path, sqlite_file(tmp_path / "stories.db"))
    (token,) = empty.ill(
        server={"host": "0.0.0.0", "port": 0}, public_url="http://a.example"
    )
    assert (
        "no token has the scope read" in token.what,
        "token create" in token.advice,
    ) == (True, True)
    assert not (tmp_path / "stories.db").exists()


# --- the database ------------------------------------------------------------------------------------------


@each_row("doctor", "a newer or unreleased database", "revision", "what", "advice")
def test_a_newer_or_unreleased_database(
    patient: Patient, revision: str, what: str, advice: str
) -> None:
    executed(
        patient.database,
        text("UPDATE alembic_version SET version_num = :n"),
        {"n": revision},
    )
    patient.the_one("problem", what, advice)


def test_a_database_of_an_older_program(patient: Patient) -> None:
    with later_version():
        found = patient.the_one("problem", "", "aggregator db upgrade")
    assert found.advice == "aggregator db upgrade"


@pytest.mark.parametrize("at", [0, 1])
def test_a_damaged_file(patient: Patient, at: int) -> None:
    """At its head, and in the middle."""
    patient.database.checkpoint_log()
    patient.database.close()
    file = patient.folder / "stories.db"
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(at and size // 8192 * 4096)
        opened.write(os.urandom(size // 4 if at else 4096))
    patient.the_one("problem", "is damaged", "aggregator db restore")


def test_a_server_that_hangs_is_not_waited_for(patient: Patient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = patient.the_one(
            "problem", "did not answer within 0.5 s", "aggregator doctor",
            database=f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/x",
            tuning={"database": {"read_seconds": 0.5}},
        )  # fmt: skip
    assert found, "no longer than it may take; the server never answers"


@pytest.mark.later
def test_a_database_that_is_not_there(
    patient: Patient, own_postgres: OwnPostgres
) -> None:
    patient.the_one(
        "problem",
        "does not exist",
        "createdb",
        database=f"{own_postgres.server}/no_such",
    )


def test_a_wrong_password(patient: Patient, own_postgres: OwnPostgres) -> None:
    own_postgres.run("CREATE ROLE reader LOGIN PASSWORD 'right'")
    rules = own_postgres.data / "pg_hba.conf"
    before = rules.read_bytes()
    rules.write_bytes(b"host all reader 127.0.0.1/32 scram-sha-256\n" + before)
    own_postgres.run("SELECT pg_reload_conf()")
    try:
        address = own_postgres.server.replace("postgres@", "reader:MARKER@")
        (patient.folder / "config.yaml").touch(mode=0o600)
        found = patient.the_one(
            "problem",
            "password authentication failed",
            "~/.pgpass",
            database=f"{address}/postgres",
        )
        assert "MARKER" not in found.what + found.advice
    finally:
        rules.write_bytes(before)
        own_postgres.run("SELECT pg_reload_conf()")


@pytest.mark.skipif(os.geteuid() != 0, reason="it mounts a file system, which root may")
def test_a_file_system_that_can_only_be_read_is_no_matter_of_owners(
    patient: Patient, tmp_path: Path
) -> None:
    place = tmp_path / "worn"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], check=False
    )
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        found = patient.ill(database=str(place / "stories.db"))
        assert "is read-only" in found[0].what
        assert f"mount -o remount,rw {place}" in found[0].advice
        assert not [one for one in found if "chown" in one.advice]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_no_driver(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    patient.the_one(
        "problem",
        "psycopg",
        "pip install 'psycopg[binary]'",
        database="postgresql://me@127.0.0.1/x",
    )


# --- what is in it -----------------------------------------------------------------------------------------


def test_articles_that_wait_for_hours(patient: Patient) -> None:
    Rig(patient.database).take(LEVEE)
    executed(
        patient.database,
        update(entry).values(state="ready", accepted_at=NOW - timedelta(hours=5)),
    )
    waits, overdue = patient.ill()
    assert "1 article waits, the oldest for 5 hours" in waits.what
    assert "systemctl restart aggregator" in waits.advice
    assert (waits.level, overdue.level) == ("problem", "warning")
    assert (
        overdue.what
        == f"1 entry of {LEVEE.source} waited for more than 5 minutes to be placed"
    )


def test_a_source_that_is_gone(patient: Patient) -> None:
    gone = patient.put(
        address="https://b.example/feed", name="Over", health="gone", gone_since=NOW
    )
    patient.put(address="https://c.example/f", health="ok")
    patient.the_one("warning", "gone permanently", f"aggregator sources remove {gone}")


def test_a_source_that_fell_silent(patient: Patient) -> None:
    old = NOW - timedelta(days=60)
    patient.put(
        address="https://b.example/f",
        name="Quiet",
        per_day=5.0,
        per_day_at=old,
        last_new_at=old,
    )
    patient.the_one(
        "warning", "source Quiet: nothing new for 60 days", "aggregator sources check"
    )


def test_no_secret_of_an_address_is_said(patient: Patient) -> None:
    """One without a name is called by its address."""
    address = "https://me:MARKER@b.example/feed?apikey=MARKER"
    patient.put(
        address=address, health="failing", failures=9, health_cause="dns: b.example"
    )
    patient.put(address="https://c.example/f", health="ok")
    found = patient.the_one(
        "warning", "source https://***@b.example", "aggregator sources show "
    )
    assert "MARKER" not in found.what + found.advice


def test_a_webhook_that_fails(patient: Patient) -> None:
    executed(patient.database,
        insert(webhook).values(
            name="desk", url_hash=b"x", is_configured=True, last_change_no=0, state="failing",
            problem="http 500", failures=5, failing_since=NOW - timedelta(hours=2),
        )
    )  # fmt: skip
    patient.the_one(
        "warning", "webhook desk: failing since", "aggregator webhooks test"
    )


# --- the daemon --------------------------------------------------------------------------------------------


def test_a_port_that_another_program_has(patient: Patient) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        port = server.server_port
        patient.the_one(
            "problem",
            f"port {port} is in use",
            f"sport = :{port}",
            server={"port": port},
        )
        server.shutdown()


def test_a_service_that_does_not_run(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = patient.folder / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "aggregator.service").write_text("[Service]\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(patient.folder))
    patient.the_one(
        "problem",
        "is installed, and no daemon runs",
        "systemctl --user status aggregator",
    )
    with (patient.folder / "stories.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert patient.ill() == []


def test_a_daemon_that_does_not_answer(patient: Patient) -> None:
    with (
        (patient.folder / "stories.db.lock").open("w") as lock,
        socket.create_server(("127.0.0.1", 0)) as silent,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        port = silent.getsockname()[1]
        patient.the_one(
            "problem", f"port {port} does not answer", "journalctl",
            server={"port": port}, tuning={"database": {"read_seconds": 1.5}},
        )  # fmt: skip


# --- the way in from outside -------------------------------------------------------------------------------


def watched_without_owner(patient: Patient) -> Watched:
    return Watched(patient.folder, patient.database, public_url="http://news.example")


def test_a_daemon_that_tells_its_problems_to_tokens_alone(patient: Patient) -> None:
    watched = watched_without_owner(patient)
    watched.process = ProcessState(
        role="writer", started_at=NOW, placing_started=True, trouble="a test"
    )
    try:
        with (patient.folder / "stories.db.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            port = httpx.URL(watched.server.url).port
            patient.the_one(
                "warning", "reports 1 problem", "with a token", server={"port": port}
            )
    finally:
        watched.close()
