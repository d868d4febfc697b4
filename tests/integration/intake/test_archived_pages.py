"""Pages of an archive, on this machine or at an address of an object store, become articles."""

import gzip
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from tests.support.articles import FLOOD, STRIKE, Rig
from tests.support.loopback import LoopbackServer, Ranged
from tests.support.rows import queried
from tests.support.warc import answer, warc_record

TEXTS = {"Levee breaks": FLOOD, "Dock workers strike": STRIKE}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "pages.warc.gz"
    with path.open("wb") as file:
        for number, (title, text) in enumerate(TEXTS.items()):
            page = f"<html><head><title>{title}</title></head><article><h1>{title}</h1><p>{text}</p></article>"
            record = warc_record(
                "response", answer(page.encode()), f"https://n.example/{number}"
            )
            file.write(gzip.compress(record))
    return path


def read_from(archive: Path | str) -> list[Entry]:
    items = open_source(archive, ReadOptions(tuning=source_tuning(Tuning())))
    return [one.entry for one in items if isinstance(one, InputEntry)]


def test_pages_become_articles_and_are_known_again(
    database: Database, archive: Path
) -> None:
    rig = Rig(database)
    placed = rig.take(*read_from(archive))
    assert [one.outcome for one in placed] == ["founded", "founded"]
    texts = queried(database, select(article.c.text).order_by(article.c.inbox_no))
    assert [text.split()[:4] for text in texts.scalars()] == [
        one.split()[:4] for one in TEXTS.values()
    ]
    known = rig.accept(*read_from(archive))
    assert [one.outcome for one in known] == ["known", "known"]


def test_pages_in_an_object_store_are_read_in_parts(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LoopbackServer(
        {"/news/pages.warc.gz": Ranged(archive.read_bytes())}
    ) as server:
        settings = {
            "config": {"skip_signature": True, "endpoint": server.url("")},
            "client_options": {"allow_http": True},
        }
        monkeypatch.setitem(fsspec.config.conf, "s3", settings)
        entries = read_from("s3://news/pages.warc.gz")
        whole = [one for one in server.requests if "range" not in one.headers]
    assert [one.html for one in entries] == [one.html for one in read_from(archive)]
    assert {one.method for one in whole} <= {"HEAD"}
