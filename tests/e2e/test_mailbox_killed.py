"""The real daemon, killed while it reads a mailbox: every message is an article, and none is twice."""

import re
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.store.tables import article
from tests.support.daemon_process import DaemonProcess
from tests.support.imap_server import PASSWORD, USER, ImapServer, mail
from tests.support.killed_daemon import unlike_any_other
from tests.support.rows import queried
from tests.support.seeds import drawn

MESSAGES, KILLS = 40, 8


@pytest.mark.torture
def test_no_message_is_lost_or_doubled(database_url: str, tmp_path: Path) -> None:
    rng = drawn("mailbox")
    with ImapServer() as imap:
        texts = [str(unlike_any_other(rng, n)["text"]) for n in range(MESSAGES)]
        settings = {
            "database": database_url,
            "sources": [{"imap": imap.url(), "auth": {"user": USER, "password": PASSWORD}}],
        }
        few_at_once = {"sources": {"mailbox_messages": 7}}
        with DaemonProcess(tmp_path, settings, tuning=few_at_once) as daemon:
            imap.add(mail(1, texts[0]))  # after the first poll of a folder, which reads the newest only
            daemon.wait_for(lambda: titles(database_url).total(), "the first message")
            for number in range(KILLS):
                sent = bodies(imap) + rng.randrange(1, 4)
                done = MESSAGES * (number + 1) // KILLS
                imap.add(*(mail(n, texts[n - 1]) for n in range(len(imap.messages) + 1, done + 1)))
                daemon.wait_for(lambda sent=sent: bodies(imap) >= sent, "a message")
                daemon.kill()
                daemon.start()
            daemon.wait_for(lambda: titles(database_url).total() >= MESSAGES, "all articles")
            assert titles(database_url) == Counter(f"Briefing {n}" for n in range(1, MESSAGES + 1))
            assert daemon.stop() == 0
            assert daemon.faults() == []
        changing = re.compile(r"STORE|EXPUNGE|COPY|MOVE|APPEND|SELECT|BODY\[")
        assert not [one for one in imap.commands if changing.search(one)], "no message is marked as read"


def bodies(imap: ImapServer) -> int:
    return sum("BODY" in one for one in imap.commands)


def titles(url: str) -> Counter[str]:
    return Counter(queried(url, select(article.c.title)).scalars())
