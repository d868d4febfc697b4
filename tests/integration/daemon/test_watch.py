"""Probes, status and metrics over a real server: right, in time, and for whom they are."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from sqlalchemy import insert, text, update

from aggregator.admin.doctor_report import examine
from aggregator.model.counters import COUNTED, FETCH_SECONDS, FETCHES, PLACED, Metrics
from aggregator.model.health_report import Reload
from aggregator.store import api_tokens
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import host_of, source_id
from aggregator.store.tables import entry, source
from aggregator.web.health.monitor import (
    BUILD,
    DATABASE_UP,
    INBOX,
    OF_THE_DATABASE,
    OF_THE_PROCESS,
    SOURCES,
)
from tests.conftest import REPOSITORY
from tests.support.articles import HOUR, NOON, record
from tests.support.fresh import sqlite_file, with_tables
from tests.support.newsroom import STRANGER
from tests.support.own_postgres import OwnPostgres
from tests.support.rows import executed, overheard, written_by
from tests.support.tables import each_row, numbered
from tests.support.tuned import tune
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.watched import Watched

PROBES = ("/healthz", "/readyz")
OWNERS = ("/status", "/metrics")


@pytest.fixture
def watched(sqlite: Database, tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path, sqlite)
    yield made
    made.close()


@pytest.fixture
def either(database: Database, tmp_path: Path) -> Iterator[Watched]:
    """The same on both kinds of database."""
    made = Watched(tmp_path, database)
    yield made
    made.close()


def test_all_is_well(watched: Watched) -> None:
    health = watched.client.get("/healthz")
    assert (health.status_code, health.json()["status"], health.json()["problems"]) == (
        200,
        "ok",
        [],
    )
    ready = watched.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["role"]) == (
        200,
        True,
        "writer",
    )
    status = watched.client.get("/status")
    assert (status.status_code, status.json()["status"], status.json()["problems"]) == (
        200,
        "ok",
        [],
    )
    page = watched.client.get("/status", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 200
    assert "No problems" in page.text


@pytest.mark.later
@each_row(
    "watch", "what the daemon says of itself", "process", "words", "healthy", "ready"
)
def test_what_the_daemon_says_of_itself(
    watched: Watched, process: dict[str, Any], words: str, healthy: int, ready: int
) -> None:
    watched.says(**process)
    assert watched.client.get("/healthz").status_code == healthy
    assert watched.client.get("/readyz").status_code == ready
    reported = watched.client.get("/status").json()
    assert reported["problems"] == ([words] if words else [])
    assert watched.metrics()["aggregator_writer"] == (process.get("role") != "standby")


def test_settings_that_were_not_taken_up_are_a_problem(watched: Watched) -> None:
    watched.says(last_reload=Reload(at=watched.clock(), ok=False, words="line 3"))
    reported = watched.client.get("/status").json()
    assert (reported["status"], reported["problems"]) == (
        "degraded",
        ["config.yaml was not applied: line 3"],
    )
    assert watched.metrics()["aggregator_reload_failed"] == 1


def test_tables_of_another_version_are_not_served(watched: Watched) -> None:
    executed(watched.database, text("UPDATE alembic_version SET version_num = '9999'"))
    answer = watched.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert "another version" in answer.json()["problems"][0]


def test_gauges_follow_the_database(either: Watched) -> None:
    watched = either
    before = watched.metrics()
    assert (
        before["aggregator_inbox_oldest_seconds"]
        == before["aggregator_article_number"]
        == 0
    )
    watched.rig.take(
        record(
            "Echo",
            "1",
            "Levee breaks in Pennmouth",
            "Water came over the levee. " * 20,
        ),
        record(
            "Post",
            "2",
            "Strike at the harbour",
            "Dockers stopped work at noon. " * 20,
        ),
    )
    watched.clock.time += timedelta(hours=3)
    executed(
        watched.database,
        update(entry).where(entry.c.entry_no == 2).values(state="ready"),
    )
    found = watched.metrics()
    assert found["aggregator_article_number"] == 2
    assert found["aggregator_inbox_entries{waits_for=ready}"] == 1
    assert found["aggregator_inbox_oldest_seconds"] == pytest.approx(3 * 3600, abs=60)
    assert found["aggregator_unrendered_stories"] == 2
    assert found["aggregator_database_bytes"] > 0
    reported = watched.client.get("/status").json()
    assert any(
        "1 article waits, the oldest for 3 hours" in one for one in reported["problems"]
    )
    overdue = "1 entry of Post waited for more than 5 minutes to be placed"
    assert overdue in reported["problems"]
    watched.says(slow_sources=("Post",))
    reported = watched.client.get("/status").json()
    assert any(
        one.startswith("pages of Post take too long to read")
        for one in reported["problems"]
    )


@pytest.mark.later
def test_a_window_that_memory_cuts_short_is_a_problem(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune(monkeypatch, {"events": {"live_reach": 20}})
    short = Watched(tmp_path, database)
    hours, problems = [], []
    for number in range(24):
        words = " ".join(numbered(f"w{number}x%n", 40))
        short.rig.take(record("Echo", str(number), f"Note {number}", words))
        short.clock.time += HOUR
        found = short.vitals.snapshot()
        hours.append(found.stored.window_hours)
        problems.append(short.vitals.condition(found).problems)
    assert hours[0] is None, "one article has no rate"
    assert hours[-1] == pytest.approx(30, rel=0.01), (
        "two articles in the last three hours"
    )
    assert found.stored.window_seconds == 3600 * hours[-1]
    assert problems[19] == ()
    assert problems[20] == (
        "stories accept articles for 30 hours only: memory is full",
    )
    short.close()


def test_a_look_is_few_statements(either: Watched) -> None:
    """Each waits for its turn among the threads of a daemon that places."""
    with overheard(either.database) as sent:
        either.vitals.snapshot()
    assert len(sent) <= 12, sent


def test_counts_since_the_start(watched: Watched) -> None:
    watched.metrics_registry.count(FETCHES, "feed", "304")
    watched.metrics_registry.count(FETCHES, "feed", "304")
    watched.metrics_registry.count(FETCHES, "page", "dns")
    for seconds in (0.01, 0.3, 99.0):
        watched.metrics_registry.series(FETCH_SECONDS, "feed").observe(seconds)
    found = watched.metrics()
    assert found["aggregator_fetches_total{kind=feed}{outcome=304}"] == 2
    assert found["aggregator_fetches_total{kind=page}{outcome=dns}"] == 1
    assert found["aggregator_fetch_seconds_bucket{kind=feed}{le=0.05}"] == 1
    assert found["aggregator_fetch_seconds_bucket{kind=feed}{le=0.5}"] == 2
    assert found["aggregator_fetch_seconds_bucket{kind=feed}{le=+Inf}"] == 3
    assert found["aggregator_fetch_seconds_count{kind=feed}"] == 3
    assert found["aggregator_fetch_seconds_sum{kind=feed}"] == pytest.approx(99.31)


def test_labels_of_a_flood_are_bounded() -> None:
    metrics_registry = Metrics()
    for number in range(5000):
        metrics_registry.count(PLACED, f"outcome {number}")
    samples = (
        one for family in metrics_registry.registry.collect() for one in family.samples
    )
    series = [one for one in samples if one.name == f"{PLACED.name}_total"]
    assert len(series) <= 201
    assert sum(one.value for one in series) == 5000


@pytest.mark.later
@each_row(
    "watch", "status probes and doctor agree that every feed fails", "feeds", "words"
)
def test_status_probes_and_doctor_agree_that_every_feed_fails(
    feeds: dict[str, int], words: str, sqlite: Database, tmp_path: Path
) -> None:
    """Beside a folder that does well, and a feed that is paused."""
    states = [state for state, number in feeds.items() for _ in range(number)]
    watched = Watched(tmp_path, sqlite)
    given: dict[str, Any] = {
        "interval_seconds": 60, "pages": "auto", "origin": "user", "next_due_at": NOON, "paused": False,
        "health_cause": "http 500: x",
    }  # fmt: skip
    rows = [
        {
            "id": f"s{n}",
            "kind": "feed",
            "address": f"http://h{n}.example/f",
            "health": state,
        }
        | given
        for n, state in enumerate(states)
    ]
    rows.append(
        {"id": "p", "kind": "feed", "address": "http://p.example/f", "health": "ok"}
        | given
    )
    rows[-1]["paused"] = True
    rows.append(
        {"id": "f", "kind": "folder", "address": str(tmp_path), "health": "ok"} | given
    )
    executed(
        sqlite,
        insert(source),
        [{**row, "host": host_of(row["address"])} for row in rows],
    )
    wanted = ([words] if words else [], "degraded" if words else "ok")
    for path in (*PROBES, "/status"):
        reported = watched.client.get(path)
        assert reported.status_code == 200
        assert (reported.json()["problems"], reported.json()["status"]) == wanted, path
    page = watched.client.get("/status", headers={"Accept": "text/html"}).text
    assert ("No problems" in page) == (not words)
    first = watched.client.get("/").text.casefold()
    assert (" fail" in first, words in first) == (bool(words), True), "for the owner"
    assert " fail" not in watched.client.get("/", headers=STRANGER).text
    problems = [one.what for one in examine(watched.config) if one.level == "problem"]
    assert [one.partition(";")[0] for one in problems] == wanted[0]
    watched.close()


def test_sources_are_counted_and_not_named(database: Database, tmp_path: Path) -> None:
    watched = Watched(tmp_path, database)
    rows = [
        {
            "id": source_id("feed", None, f"https://me:MARKER@{n}.example/feed"), "kind": "feed",
            "address": f"https://me:MARKER@{n}.example/feed", "interval_seconds": 3600, "pages": "auto",
            "origin": "user", "next_due_at": NOON - timedelta(hours=n, minutes=1), "name": f"MARKER {n}",
            "health": "failing" if n % 2 else ("ok", "merged")[n // 2 % 2],
        }
        for n in range(25)
    ]  # fmt: skip
    executed(database, insert(source), rows)
    assert "MARKER" not in watched.client.get("/metrics").text
    found = watched.metrics()
    assert found["aggregator_sources{state=failing}"] == 12
    assert found["aggregator_sources_due"] == 18, (
        "one of the last hour may have been polled without news"
    )
    assert found["aggregator_sources_late_seconds"] == pytest.approx(24 * 3600, abs=120)
    watched.close()


def test_openmetrics_where_it_is_asked_for(watched: Watched) -> None:
    watched.metrics_registry.series(FETCH_SECONDS, "feed").observe(0.2)
    answer = watched.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {
        family.name: family.documentation for family in read_openmetrics(answer.text)
    }
    assert {
        "aggregator_fetch_seconds",
        "aggregator_sources",
        "aggregator_build",
    } <= set(families)
    assert [name for name, explained in families.items() if not explained] == []
    plain = watched.client.get("/metrics")
    assert re.match(
        r"text/plain; version=(0\.0\.4|1\.0\.0)", plain.headers["content-type"]
    )


def test_details_are_for_the_owner(watched: Watched) -> None:
    watched.says(failed_tasks=("backup: /srv/secret",))
    for path in PROBES:
        answer = watched.client.get(path, headers=STRANGER)
        assert answer.status_code == 200
        assert answer.json()["problems"] is None
        assert "secret" not in answer.text
    assert watched.client.get("/readyz", headers=STRANGER).json()["problem_count"] == 1
    for path in OWNERS:
        assert watched.client.get(path, headers=STRANGER).status_code == 403
        wrong = STRANGER | {"Authorization": "Bearer agg_x"}
        assert watched.client.get(path, headers=wrong).status_code == 401
    _, secret = written_by(
        watched.database, api_tokens.create, "prometheus", ("read",), watched.clock()
    )
    key = {"Authorization": f"Bearer {secret}"}
    for path in OWNERS:
        assert watched.client.get(path, headers=STRANGER | key).status_code == 200


@pytest.mark.later
def test_a_database_that_hangs_keeps_no_probe_waiting(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    """All its processes stand still: it takes connections and never answers."""
    database = with_tables(Database(own_postgres.make()))
    watched = Watched(tmp_path, database)
    _, secret = written_by(
        database, api_tokens.create, "probe", ("read",), watched.clock()
    )
    key = {"Authorization": f"Bearer {secret}"}
    assert watched.client.get("/readyz").status_code == 200
    own_postgres.suspend()
    try:
        asked: list[tuple[str, dict[str, str]]] = [
            ("/healthz", {}),
            ("/readyz", {}),
            ("/healthz", key),
        ]
        for path, headers in asked:
            health = watched.client.get(path, headers=headers)
            assert (health.status_code, health.json()["status"]) == (503, "down")
        reported = watched.client.get("/status")
        assert (reported.status_code, reported.json()["status"]) == (503, "down")
        assert "did not answer within 2 s" in reported.json()["problems"][0], (
            "as long as it may take"
        )
        assert watched.metrics()["aggregator_database_up"] == 0
    finally:
        own_postgres.resume()
    wait_until(
        lambda: watched.client.get("/readyz").status_code == 200,
        "us to answer again, as it does",
    )
    watched.close()
    database.close()


@pytest.mark.later
def test_a_database_that_is_away_is_down_and_monitoring_goes_on(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    """A token that was accepted lately is enough for status and metrics; nothing else takes it."""
    database = with_tables(Database(own_postgres.make()))
    watched = Watched(tmp_path, database)
    _, secret = written_by(
        database, api_tokens.create, "scrape", ("read",), watched.clock()
    )
    key = STRANGER | {"Authorization": f"Bearer {secret}"}
    unknown = STRANGER | {"Authorization": "Bearer agg_unknown"}
    assert watched.client.get("/metrics", headers=key).status_code == 200
    own_postgres.stop()
    try:
        for headers in ({}, key, unknown):
            health = watched.client.get("/healthz", headers=headers)
            told = health.json()
            assert (health.status_code, told["status"]) == (503, "down")
            assert (told["waiting"], told["problem_count"]) == (None, 1)
            assert (told["problems"] is None) == bool(headers), "for the owner only"
        status = watched.client.get("/status", headers=key)
        assert (status.status_code, status.json()["status"]) == (503, "down")
        scraped = watched.client.get("/metrics", headers=key)
        assert scraped.status_code == 200
        assert "aggregator_database_up 0" in scraped.text
        for path in OWNERS:
            refused = watched.client.get(path, headers=unknown)
            assert refused.status_code == 503
            assert "aggregator_" not in refused.text
        assert watched.client.get("/search?q=a", headers=key).status_code == 503
    finally:
        own_postgres.start()
    written_by(database, api_tokens.revoke, "scrape", watched.clock())
    assert watched.client.get("/metrics", headers=key).status_code == 401
    own_postgres.stop()
    try:
        assert watched.client.get("/metrics", headers=key).status_code == 503
    finally:
        own_postgres.start()
    watched.close()
    database.close()


@pytest.mark.later
def test_a_backup_folder_that_hangs_is_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = with_tables(sqlite_file(tmp_path / "a.db"))
    folder = tmp_path / "far"
    watched = Watched(tmp_path, database, backup={"every": "1d", "folder": str(folder)})
    answers = Event()
    listed = Path.iterdir

    def hangs(self: Path) -> Iterator[Path]:  # as a share whose server is gone
        if self == folder:
            answers.wait(PATIENCE_SECONDS)
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", hangs)
    ready = watched.client.get("/readyz")
    reported = watched.client.get("/status").json()
    answers.set()
    assert (ready.status_code, reported["status"]) == (200, "degraded")
    assert reported["problems"] == ["the backup folder did not answer within 2 s"]
    watched.close()
    database.close()


def names() -> set[str]:
    """The names of all samples, which alert rules may use."""
    found = {gauge.name for gauge in (*OF_THE_PROCESS, *OF_THE_DATABASE)}
    found |= {DATABASE_UP, INBOX, SOURCES}
    found |= {f"{BUILD}_info"}
    for metric in COUNTED:
        ends = ("_bucket", "_sum", "_count") if metric.buckets else ("_total",)
        found |= {metric.name + end for end in ends}
    return found


def test_alerts_name_only_metrics_that_there_are() -> None:
    rules = yaml.safe_load((REPOSITORY / "docs" / "alerts.yaml").read_text())
    given = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in given}) == len(given) >= 10
    for rule in given:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))
        used = set(re.findall(r"\baggregator_\w+", rule["expr"]))
        assert used, rule["alert"]
        assert used <= names(), used - names()
        assert {"summary", "action"} <= set(rule["annotations"])
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_the_dashboard_names_only_metrics_that_there_are() -> None:
    board = json.loads((REPOSITORY / "examples" / "grafana.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    variables = {f"${one['name']}" for one in board["templating"]["list"]} | {
        "$__rate_interval"
    }
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) >= 10
    for expression in (
        *asked,
        *(str(one["query"]) for one in board["templating"]["list"][1:]),
    ):
        used = set(re.findall(r"\baggregator_\w+", expression))
        assert used, expression
        assert used <= names(), used - names()
        assert set(re.findall(r"\$\w+", expression)) <= variables
        assert all(
            expression.count(a) == expression.count(b) for a, b in ("()", "[]", "{}")
        )


def test_the_docs_name_only_metrics_that_there_are() -> None:
    """All are explained by their HELP lines; docs/monitoring.md names those to watch first."""
    words = (REPOSITORY / "docs" / "monitoring.md").read_text()
    reported = set(re.findall(r"`(aggregator_\w+)", words))
    assert len(reported) >= 10
    assert reported <= names(), sorted(reported - names())
