"""The real daemon, killed in the middle, and a receiver that fails, hangs, asks to wait and restarts.

Every change arrives, each under one id, each with a right signature. A request that was answered just before
the kill may come again, with the same id: how many did is printed.
"""

import json
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.killed_daemon import KilledDaemon, mixed, wait_a_while
from tests.support.loopback import Request, Response
from tests.support.receiver import SECRET, Receiver
from tests.support.seeds import drawn


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


def arrived(daemon: KilledDaemon) -> dict[int, set[str]]:
    """The ids under which each change was taken."""
    ids: dict[int, set[str]] = defaultdict(set)
    for request in list(daemon.receiver.taken):
        ids[json.loads(request.body)["data"]["change"]["n"]].add(request.headers["webhook-id"])
    return ids


def is_all_there(daemon: KilledDaemon) -> bool:
    changes = daemon.changes()
    return bool(changes) and not daemon.waiting() and set(arrived(daemon)) >= set(changes)


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
    assert len({id_ for ids in ids_of.values() for id_ in ids}) == len(numbers), "and no id twice"
    bodies = defaultdict(set)
    assert receiver.false == [], "every signature right, and fresh"
    for request in receiver.came:
        bodies[request.headers["webhook-id"]].add(request.body)
    assert all(len(same) == 1 for same in bodies.values()), "the same body at every try"
    again = len(receiver.taken) - len(numbers)
    print(f"{len(numbers)} changes, {len(receiver.came)} requests, {again} taken twice")
    assert SECRET not in (daemon.folder / "daemon.log").read_text(encoding="utf-8")


@pytest.mark.later
@pytest.mark.parametrize(
    ("database_url", "articles", "kills", "restarts"),
    [
        ("sqlite", 24, 2, 1),
        *(pytest.param(one, 300, 20, 5, marks=pytest.mark.torture) for one in ("sqlite", "postgres")),
    ],
    indirect=["database_url"],
)
def test_every_change_arrives_though_the_daemon_is_killed(
    database_url: str, articles: int, kills: int, restarts: int, tmp_path: Path
) -> None:
    with Receiver() as receiver, KilledDaemon(tmp_path, receiver, database_url) as daemon:
        run_through(daemon, articles, kills, restarts)
        look_at(daemon)
