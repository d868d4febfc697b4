"""Articles with a word that nothing else holds, for tests of what forgetting and retention leave."""

from datetime import timedelta

import msgspec
import zstandard
from sqlalchemy import select, text

from aggregator.grouping.deletion.forget_articles import ForgetCommand, ForgetResult
from aggregator.intake import command_handlers
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, metadata
from tests.support.articles import HOUR, NOON, STRIKE, Rig, record
from tests.support.rows import queried

MARK = "zyzzogeton"  # a word that nothing else holds


def marked(
    guid: str, body: str, *, title: str = "levee breaks", days_before: int = 0
) -> Entry:
    """An article with the word in all that it says of itself."""
    return record(
        "Herald",
        guid,
        f"{MARK.title()} {title}",
        f"{body} The {MARK} gate was open, said {MARK.title()} & Sons.",
        url=f"https://herald.example/{MARK}-{guid}",
        author=f"Ann {MARK.title()}",
        published=NOON - HOUR - timedelta(days=days_before),
    )


def alone(guid: str, body: str = STRIKE) -> Entry:
    """One that is a story of its own."""
    return marked(
        guid, body, title=f"dockers walk out, {guid}", days_before=60 * int(guid)
    )


def words_in(database: Database) -> list[str]:
    """Each column in which the word stands, packed or not."""
    found = []
    words = (
        ("article_search_data", ["block"])
        if database.is_sqlite
        else ("article_search", ["words"])
    )
    with database.read() as connection:
        tables = [
            (str(table.name), [column.name for column in table.c])
            for table in metadata.sorted_tables
        ]
        for name, columns in [*tables, words]:
            rows = connection.execute(text(f"SELECT {', '.join(columns)} FROM {name}"))
            for row in rows:
                found += [
                    f"{name}.{column}"
                    for column, value in zip(columns, row, strict=True)
                    if MARK in plain(value).lower()
                ]
    return sorted(set(found))


def plain(value: object) -> str:
    """What a column holds, unpacked where it is packed."""
    if not isinstance(value, bytes | memoryview):
        return str(value)
    raw = bytes(value)
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        try:
            raw += zstandard.decompress(raw, max_output_size=1 << 24)
        except zstandard.ZstdError:
            raw += codecs.pack(codecs.unpack(raw, Evidence))
    return raw.decode("latin-1")


def settle(rig: Rig) -> None:
    """The full-text index and what stories show."""
    rig.pipeline.index_text()
    rig.render()


def forget(rig: Rig, name: str) -> ForgetResult:
    """As a running daemon is asked by the command."""
    number = asked_to_forget(rig, name)
    rig.pipeline.run_commands()
    return answered(rig, number)


def asked_to_forget(rig: Rig, name: str) -> int:
    payload = msgspec.json.encode(ForgetCommand(name=name))
    return command_handlers.enqueue(rig.database, rig.clock(), "forget", payload)


def answered(rig: Rig, number: int) -> ForgetResult:
    answer = command_handlers.wait_for_answer(rig.database, number, patience_seconds=0)
    assert answer is not None
    return msgspec.json.decode(answer, type=ForgetResult)


def the_article(database: Database, guid: str = "1") -> str:
    chosen = select(article.c.id).where(
        article.c.url == f"https://herald.example/{MARK}-{guid}"
    )
    return str(queried(database, chosen).scalar_one())
