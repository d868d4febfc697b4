"""A real daemon that is killed again and again while articles come: what the tests of kills share."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select

from aggregator.store.tables import change, outbox
from tests.support.daemon_process import DaemonProcess
from tests.support.kill_records import invented
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import queried

# Gaps of tenths of a second in place of seconds to hours; all else as shipped.
_RETRIES = {"retry_first_seconds": 0.1, "retry_factor": 1.5}
HASTY = {
    "webhooks": {"pause_max_seconds": 0.5, **_RETRIES},
    "net": {"interval_floor_seconds": 0.5, "fetch_deadline_seconds": 1.0},
}


class KilledDaemon(DaemonProcess):
    """A daemon with a watched folder and a receiver; in a `with` block it is not started yet."""

    def __init__(
        self, folder: Path, receiver: Receiver, database: str, **settings: Any
    ) -> None:
        """`settings` are in place of a webhook to the receiver."""
        self.receiver = receiver
        self.database = database
        self._inbox = folder / "articles"
        self._inbox.mkdir()
        self._files = 0
        own = {"database": database, "sources": [{"folder": "articles"}]}
        webhook = {"name": "desk", "url": receiver.url("/hook"), "secret": SECRET}
        super().__init__(
            folder, own | (settings or {"webhooks": [webhook]}), tuning=HASTY
        )

    def __enter__(self) -> "KilledDaemon":
        return self

    def drop(self, records: Sequence[dict[str, Any]]) -> None:
        """A file more in the watched folder."""
        self._files += 1
        partial = self._inbox / f"{self._files}.part"
        partial.write_text(
            "".join(json.dumps(one) + "\n" for one in records), encoding="utf-8"
        )
        partial.rename(partial.with_suffix(".jsonl"))

    def killed_while_it_reads(
        self, records: Sequence[dict[str, Any]], kills: int
    ) -> Iterator[int]:
        """Drop the records in parts; it is killed after each but the last, when the caller goes on."""
        share = -(-len(records) // (kills + 1))
        for number, start in enumerate(range(0, len(records), share)):
            if not self.is_running():
                self.start()
            self.drop(records[start : start + share])
            if start + share < len(records):
                yield number
                self.kill()

    def wait_as_long_as_more_come(self, is_over: Callable[[], bool]) -> None:
        """Wait as long as the receiver gets more and more requests."""
        while not is_over():
            came = len(self.receiver.came)
            self.wait_for(
                lambda: is_over() or len(self.receiver.came) > came,  # noqa: B023 - called at once
                "every change to arrive",
            )

    def changes(self) -> list[int]:
        """Those to be sent: not of a story that was merged before anything of it was sent."""
        merged = select(outbox.c.change).where(
            outbox.c.state == "given_up", outbox.c.attempts == 0
        )
        sent = select(change.c.change_no).where(change.c.change_no.not_in(merged))
        return list(queried(self.database, sent.order_by(change.c.change_no)).scalars())


def wait_a_while(look: Callable[[], object], seconds: float) -> None:
    """Until `look()` is true, not for ever: what was dropped may be copies."""
    until = time.monotonic() + seconds
    while not look() and time.monotonic() < until:
        time.sleep(0.01)


def unlike_any_other(rng: Random, number: int) -> dict[str, Any]:
    """A story of its own: of words that no other one has."""
    words = [
        "".join(rng.choices("abdefgiklmnoprstuvz", k=rng.randint(4, 9)))
        for _ in range(60)
    ]
    sentences = [
        " ".join(words[at : at + 12]).capitalize() + "." for at in range(0, 60, 12)
    ]
    title = f"{words[0]} {words[20]} {words[40]} {words[55]}".title()
    return {
        "id": f"own {number}",
        "source": "Echo",
        "title": title,
        "text": " ".join(sentences),
    }


def mixed(rng: Random, count: int) -> list[dict[str, Any]]:
    """So many undated records, half of them about invented events, the others each its own story."""
    records = [one | {"published": None} for one in invented(count // 2)]
    records += [unlike_any_other(rng, number) for number in range(count - len(records))]
    rng.shuffle(records)
    return records
