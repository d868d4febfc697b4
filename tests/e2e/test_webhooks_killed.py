"""The real daemon, killed in the middle, and a receiver that fails, hangs, asks to wait and restarts.

Every change arrives, each under one id, each with a right signature. A request that was answered just before
the kill may come again, with the same id: how many did is printed.
"""

import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.tables import change, outbox
from tests.conftest import Postgres
from tests.support.daemon_process import DaemonProcess
from tests.support.kill_records import invented
from tests.support.loopback import Request, Response
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import queried

SEED = int(os.environ.get("AGGREGATOR_KILL_SEED") or random.SystemRandom().randrange(2**32))

# Gaps of tenths of a second in place of seconds to hours; all else as shipped.
HASTY = {
    "webhooks": {
        "deadline_seconds": 1.0,
        "retry_first_seconds": 0.1,
        "retry_factor": 1.5,
        "retry_max_seconds": 2.0,
        "pause_max_seconds": 0.5,
    },
    "net": {"retry_after_min_seconds": 0.5},
}


class Moody:
    """Answers as its mood is: mostly well, now and then as receivers do on a bad day."""

    def __init__(self, rng: random.Random, bad_share: float) -> None:
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


class Trial:
    """A daemon with a watched folder and a webhook, and what must hold in the end."""

    def __init__(self, folder: Path, receiver: Receiver, database: str, **settings: Any) -> None:
        """`settings` are in place of the webhook."""
        self.receiver = receiver
        self.inbox = folder / "articles"
        self.inbox.mkdir()
        self.database = database
        self._files = 0
        self.daemon = DaemonProcess(
            folder,
            {
                "database": database,
                "sources": [{"folder": "articles"}],
                "tuning": HASTY,
            }
            | (settings or {"webhooks": [{"name": "desk", "url": receiver.url("/hook"), "secret": SECRET}]}),
        )

    def drop(self, records: list[dict[str, Any]]) -> None:
        """A file more in the watched folder."""
        self._files += 1
        partial = self.inbox / f"{self._files}.part"
        partial.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        partial.rename(partial.with_suffix(".jsonl"))

    def kill(self) -> None:
        assert self.daemon.process is not None
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()

    def wait_for_requests(self, more: int, *, seconds: float) -> None:
        """Until so many more came; not for ever: what was dropped may be copies."""
        enough, until = len(self.receiver.came) + more, time.monotonic() + seconds
        while len(self.receiver.came) < enough and time.monotonic() < until:
            time.sleep(0.01)

    def wait_to_the_end(self) -> None:
        """Until every change is there, as long as more and more of them are."""
        self.wait_as_long_as_more_come(self.is_all_there)

    def wait_as_long_as_more_come(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            came = len(self.receiver.came)
            self.daemon.wait_for(
                lambda: is_over() or len(self.receiver.came) > came,  # noqa: B023 - called at once
                "every change to arrive",
            )

    def changes(self) -> list[int]:
        """Those to be sent: not of a story that was merged before anything of it was sent."""
        database = Database(self.database)
        merged = select(outbox.c.change).where(outbox.c.state == "given_up", outbox.c.attempts == 0)
        sent = select(change.c.change_no).where(change.c.change_no.not_in(merged))
        numbers = list(queried(database, sent.order_by(change.c.change_no)).scalars())
        database.close()
        return numbers

    def arrived(self) -> dict[int, set[str]]:
        """The ids under which each change was taken."""
        ids: dict[int, set[str]] = defaultdict(set)
        for request in list(self.receiver.taken):
            ids[json.loads(request.body)["data"]["change"]["n"]].add(request.headers["webhook-id"])
        return ids

    def is_all_there(self) -> bool:
        return (
            bool(self.changes()) and not self.daemon.waiting() and set(self.arrived()) >= set(self.changes())
        )


def unlike_any_other(rng: random.Random, number: int) -> dict[str, Any]:
    """A story of its own: of words that no other one has."""
    words = ["".join(rng.choices("abdefgiklmnoprstuvz", k=rng.randint(4, 9))) for _ in range(60)]
    sentences = [" ".join(words[at : at + 12]).capitalize() + "." for at in range(0, 60, 12)]
    title = f"{words[0]} {words[20]} {words[40]} {words[55]}".title()
    return {"id": f"own {number}", "source": "Echo", "title": title, "text": " ".join(sentences)}


def run_through(trial: Trial, rng: random.Random, articles: int, kills: int, restarts: int) -> None:
    """Articles come, the daemon dies `kills` times while it sends, the receiver is away `restarts` times."""
    moody = Moody(rng, 0.5)
    trial.receiver.answer = moody
    records = [one | {"published": None} for one in invented(articles // 2)]
    records += [unlike_any_other(rng, number) for number in range(articles // 2)]
    rng.shuffle(records)
    share = -(-len(records) // (kills + 1))
    parts = [records[start : start + share] for start in range(0, len(records), share)]
    for number, part in enumerate(parts):
        trial.daemon.start()
        trial.drop(part)
        if number < len(parts) - 1:
            trial.wait_for_requests(rng.randint(0, 4), seconds=10.0)
            time.sleep(rng.uniform(0.0, 0.3))
            trial.kill()
        if number < restarts:
            trial.receiver.restart(rng.uniform(0.1, 0.5))
    trial.daemon.wait_for(lambda: moody.bad >= 3 + kills or trial.is_all_there(), "a bad day")
    moody.is_well = True
    trial.wait_to_the_end()
    assert trial.daemon.stop() == 0


def look_at(trial: Trial) -> None:
    receiver, numbers, arrived = trial.receiver, trial.changes(), trial.arrived()
    assert set(arrived) == set(numbers), "every change, and nothing that is none"
    assert all(len(ids) == 1 for ids in arrived.values()), "one id each"
    assert len({id_ for ids in arrived.values() for id_ in ids}) == len(numbers), "and no id twice"
    bodies = defaultdict(set)
    assert receiver.false == [], "every signature right, and fresh"
    for request in receiver.came:
        bodies[request.headers["webhook-id"]].add(request.body)
    assert all(len(same) == 1 for same in bodies.values()), "the same body at every try"
    again = len(receiver.taken) - len(numbers)
    print(f"seed {SEED}: {len(numbers)} changes, {len(receiver.came)} requests, {again} taken twice")
    assert SECRET not in trial.daemon.folder.joinpath("daemon.log").read_text(encoding="utf-8")


def test_every_change_arrives_though_the_daemon_is_killed(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with Receiver() as receiver:
        trial = Trial(tmp_path, receiver, f"sqlite:///{tmp_path / 'stories.db'}")
        try:
            run_through(trial, random.Random(SEED), 24, kills=2, restarts=1)
        finally:
            trial.daemon.kill()
        look_at(trial)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_change_arrives_though_everything_fails_often(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    print(f"seed {SEED}")
    server: Postgres | None = None
    url = f"sqlite:///{tmp_path / 'stories.db'}"
    if kind == "postgres":
        server = request.getfixturevalue("postgres")
        url = server.make()
    with Receiver() as receiver:
        trial = Trial(tmp_path, receiver, url)
        try:
            run_through(trial, random.Random(SEED), 300, kills=20, restarts=5)
        finally:
            trial.daemon.kill()
        look_at(trial)
