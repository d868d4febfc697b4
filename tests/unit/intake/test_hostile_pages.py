"""Pages made to break a reader, through the real workers: each ends in time, the next job is right."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.html.dom import bound_html
from aggregator.intake.jobs import PrepareJob, PrepareResult, prepare
from aggregator.intake.workers.executor import Executor, WorkerTuning
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import Entry, EntryInput
from aggregator.model.errors import WorkError
from aggregator.model.prepared import CleanArticle
from tests.support.hostile_pages import (
    CHARACTERS,
    MORE,
    SENTENCE,
    HostilePage,
    character_page,
    hostile_pages,
    plain_page,
)
from tests.support.tables import numbered

ALL_TUNING = Tuning()
DEADLINE = ALL_TUNING.section("work", WorkerTuning).parse_deadline_seconds
MIB = 1 << 20
SEED = 20_241_206
# One of each kind that is quick; the others are torture.
QUICK = (
    "flood: breaks with words", "depth: div", "tag: attributes", "tag: never closed", "head: author",
    "head: deep json", "head: json of surrogates", "charset: punycode", "bytes: UTF-16 without a mark",
)  # fmt: skip


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    executor = open_executor("processes", 1, ALL_TUNING)
    yield executor
    executor.close()


def prepared(workers: Executor, page: bytes) -> CleanArticle:
    item = EntryInput(
        entry=Entry(source="hostile", guid="1"),
        accepted_at=datetime.fromisoformat("2025-01-01T00:00Z"),
        page=page,
        page_url="https://courier.example/1",
    )
    answer = workers.submit(prepare, msgspec.msgpack.encode(PrepareJob(items=(item,))))
    return (
        msgspec.msgpack.decode(answer.result(), type=PrepareResult).prepared[0].article
    )


def own_memory() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def is_survived(workers: Executor, hostile: HostilePage) -> None:
    started = time.monotonic()
    failed, text = "", ""
    try:
        text = prepared(workers, hostile.page).text
    except WorkError as error:
        failed = error.verdict
    assert failed in {"", "timeout", "memory"}, hostile.name
    assert hostile.promised is None or hostile.promised in text, (
        f"{hostile.name}: {failed}"
    )
    # The deadline ends what would take minutes; a busy machine needs some time more to start a worker.
    assert time.monotonic() - started <= 3 * DEADLINE, hostile.name


@pytest.mark.later
def test_the_quick_ones_end_in_time_and_lose_no_word(workers: Executor) -> None:
    print(f"seed {SEED}")
    prepared(workers, plain_page())
    before = own_memory()
    for hostile in hostile_pages(SEED, QUICK):
        is_survived(workers, hostile)
    article = prepared(workers, plain_page())
    assert (article.verdict, article.title) == ("ok", "No ferry on Tuesday")
    assert SENTENCE in article.text
    assert MORE[-1] in article.text
    assert own_memory() - before <= 64 * MIB


@pytest.mark.later
def test_an_illegal_character_cuts_nothing(workers: Executor) -> None:
    """All sentences around it stay, and no store would refuse what is left."""
    for name in CHARACTERS:
        text = prepared(workers, character_page(name)).text
        assert all(text.count(sentence) == 1 for sentence in (SENTENCE, *MORE)), name
        assert "\0" not in text
        text.encode("utf-8")  # a lone surrogate would raise


def test_the_limits_are_taken_before_a_parser_sees_the_page() -> None:
    attributes = " ".join(numbered("a%n=%n", 100_000))
    few = bound_html(
        f"<div {attributes}>x</div><p>y</p>",
        max_chars=3_000_000,
        max_elements=100,
        max_attributes=256,
    )
    assert few.html.count("=") < 256
    assert few.html.endswith(">x</div><p>y</p>")
    many = bound_html(
        "<br>" * 5_000, max_chars=3_000_000, max_elements=100, max_attributes=256
    )
    assert (many.html.count("<br>"), many.truncated) == (100, True)
    long = bound_html(
        "x" * 5_000, max_chars=1_000, max_elements=100, max_attributes=256
    )
    assert (len(long.html), long.truncated) == (1_000, True)


@pytest.mark.torture
@pytest.mark.timeout(3_600)
def test_all_of_them_end_in_time_and_in_memory(workers: Executor) -> None:
    seeds = (SEED, SEED + 1, SEED + 2)
    print(f"seeds {seeds}")
    prepared(workers, plain_page())
    survived = 0
    for seed in seeds:
        for hostile in hostile_pages(seed):
            before = own_memory()
            is_survived(workers, hostile)
            assert SENTENCE in prepared(workers, plain_page()).text, hostile.name
            assert own_memory() - before <= 64 * MIB + 4 * len(hostile.page), (
                hostile.name
            )
            survived += 1
    assert survived >= 3 * 75
