"""LSH keys as rows and as blocks: found, removed and packed as if all of them were rows."""

import random
import subprocess
import sys
from typing import Final

import msgspec
import pytest
from sqlalchemy import Connection, func, insert, select, update

from aggregator.config.tuning import effective_tuning
from aggregator.pipeline.placement.erase import ForgetCommand
from aggregator.pipeline.placement.place import Placer
from aggregator.pipeline.placement.repair import pieces
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.integrity_check import faults
from aggregator.store.stories import copy_keys
from aggregator.store.tables import counter, lsh_band, lsh_block, set_counter
from tests.support.articles import Clock, Rig
from tests.support.rows import read_by, written_by
from tests.support.story_checks import small_set, what_is_wrong

ANY = (1 << 63) - 1
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
Pair = tuple[int, int]


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock())


def drawn(seed: int, articles: int) -> dict[int, set[int]]:
    """Some bands of each article; a few of all articles, the lowest and the highest band among them."""
    draw = random.Random(seed)
    shared = [LOWEST, HIGHEST, 0, -1, draw.randrange(LOWEST, HIGHEST)]
    return {
        n: {draw.randrange(LOWEST, HIGHEST) for _ in range(40)} | set(draw.sample(shared, 2))
        for n in range(1, articles + 1)
    }


def pairs_of(held: dict[int, set[int]]) -> list[Pair]:
    return sorted((band, n) for n, bands in held.items() for band in bands)


def stored(connection: Connection) -> list[Pair]:
    return [pair for part in copy_keys.all_keys(connection) for pair in part.listed()]


def found(connection: Connection, bands: set[int], before: int = ANY) -> list[Pair]:
    return copy_keys.find(connection, bands, before=before, limit=ANY)


def rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(lsh_band)).scalar_one()


def test_keys_are_found_while_they_are_packed_bit_by_bit(database: Database) -> None:
    held = drawn(1, 1_500)
    draw = random.Random(2)
    with database.write() as connection:
        for n in range(1, 1_501, 10):
            added = range(n, n + 10)
            copy_keys.add(connection, [(band, one) for one in added for band in sorted(held[one])])
            copy_keys.pack(connection, n + 9, 10)
        some = set().union(*(held[n] for n in draw.sample(sorted(held), 20))) | {5, -5, LOWEST + 1}
        expected = [pair for pair in pairs_of(held) if pair[0] in some]
        assert found(connection, some) == expected
        assert found(connection, some, before=700) == [pair for pair in expected if pair[1] < 700]
        assert copy_keys.find(connection, some, before=ANY, limit=9) == expected[:9]
        assert copy_keys.stored_bands(connection, 77, held[77] | some) == held[77]
        assert stored(connection) == pairs_of(held)
        assert 0 < rows(connection) < 42 * 1_500 / 8, "most of them are packed"


def test_few_keys_stay_rows(database: Database) -> None:
    held = drawn(3, 400)
    with database.write() as connection:
        copy_keys.add(connection, pairs_of(held))
        copy_keys.pack(connection, 400, 400)
        assert rows(connection) == len(pairs_of(held))


def test_blocks_fill_a_page_and_never_part_the_articles_of_a_key(database: Database) -> None:
    pairs = sorted([(12, n) for n in range(70_000, 71_000)] + [(10**9 * n, 70_500) for n in range(-900, 900)])
    with database.write() as connection:
        copy_keys.add(connection, pairs)
        connection.execute(counter.insert(), [{"name": "keys_packed_to", "value": -5}])
        copy_keys.pack_all(connection)
        assert rows(connection) == 0
        assert stored(connection) == pairs
        assert found(connection, {12, 10**9}) == [pair for pair in pairs if pair[0] in (12, 10**9)]
        sizes = connection.execute(select(func.length(lsh_block.c.entries))).scalars().all()
        assert sorted(sizes)[-1] > 4_000, "that of the key with 1,000 articles"
        assert sum(size > 1_900 for size in sizes) > len(sizes) / 2


def test_removed_keys_are_not_found_in_rows_or_blocks(database: Database) -> None:
    held = drawn(4, 900)
    with database.write() as connection:
        copy_keys.add(connection, [pair for pair in pairs_of(held) if pair[1] <= 600])
        copy_keys.pack_all(connection)
        copy_keys.add(connection, [pair for pair in pairs_of(held) if pair[1] > 600])
        gone = {n: held.pop(n) for n in (1, 300, 600, 601, 900)}
        removed = copy_keys.remove(connection, {n: bands | {5} for n, bands in gone.items()})
        assert removed == sum(map(len, gone.values()))
        assert stored(connection) == pairs_of(held)
        copy_keys.remove_articles(connection, [held.popitem()[0] for _ in range(400)])
        assert stored(connection) == pairs_of(held)


def test_what_retention_passed_is_ignored_at_once_and_dropped_later(database: Database) -> None:
    held = drawn(5, 1_000)
    with database.write() as connection:
        copy_keys.add(connection, pairs_of(held))
        copy_keys.pack_all(connection)
        size = connection.execute(select(func.sum(func.length(lsh_block.c.entries)))).scalar_one()
        set_counter(connection, copy_keys.UNLINKED, 400)
        late = {n: bands for n, bands in held.items() if n > 400}
        assert stored(connection) == pairs_of(late)
        assert found(connection, held[1] | held[500]) == found(connection, held[500])
        copy_keys.forget_unlinked(connection)
        set_counter(connection, copy_keys.UNLINKED, 0)
        assert stored(connection) == pairs_of(late), "gone, also for who sets it back"
        set_counter(connection, copy_keys.UNLINKED, 900)
        copy_keys.pack_all(connection)
        shrunk = connection.execute(select(func.sum(func.length(lsh_block.c.entries)))).scalar_one()
        assert shrunk < size / 8
        for n in range(901, 1_001):
            set_counter(connection, copy_keys.UNLINKED, n)
            copy_keys.pack(connection, 1_000, 1)
        left = connection.execute(select(func.count()).select_from(lsh_block)).scalar_one()
        assert left < 10, "also of the last few"


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\x08\x02torn", b"\x00\x00\x00"])
def test_a_damaged_block_loses_its_keys_and_no_others(database: Database, damage: bytes) -> None:
    held = drawn(6, 600)
    with database.write() as connection:
        copy_keys.add(connection, pairs_of(held))
        copy_keys.pack_all(connection)
        firsts = connection.execute(select(lsh_block.c.first_band).order_by(lsh_block.c.first_band)).scalars()
        first, after = firsts.all()[3:5]
        connection.execute(update(lsh_block).where(lsh_block.c.first_band == first).values(entries=damage))
        left = [pair for pair in pairs_of(held) if not first <= pair[0] < after]
        assert stored(connection) == left
        assert found(connection, held[1]) == [pair for pair in left if pair[0] in held[1]]
        copy_keys.remove(connection, {2: held[2]})
        copy_keys.pack_all(connection)
        assert stored(connection) == [pair for pair in left if pair[1] != 2]


def test_the_keys_of_a_damaged_block_are_computed_again(rig: Rig) -> None:
    rig.take(*small_set())
    with rig.database.write() as connection:
        before = stored(connection)
        copy_keys.pack_all(connection)
        connection.execute(update(lsh_block).values(entries=b"torn"))
    assert "lsh_block.entries cannot be read" in [one.what for one in faults(rig.database)]
    for _ in range(2):  # first the damaged blocks go, then the articles lack bands
        for piece in pieces(list(faults(rig.database))):
            Placer(rig.database, effective_tuning(), Clock()).repair(piece)
    assert read_by(rig.database, stored) == before
    assert what_is_wrong(rig.database) == []


def test_a_copy_is_found_and_removed_by_its_packed_keys(rig: Rig) -> None:
    first, *others = small_set()
    rig.take(first)
    written_by(rig.database, copy_keys.pack_all)
    (copied,) = rig.take(msgspec.structs.replace(first, source="Other", guid="o", outlet="Other", url=None))
    assert copied.outcome == "copy"
    rig.take(*others)
    with rig.database.read() as connection:
        before = {n for _, n in stored(connection)}
    rig.pipeline.placer.erase(ForgetCommand(name=first.outlet or ""))
    with rig.database.read() as connection:
        left = {n for _, n in stored(connection)}
    assert 1 in before - left
    assert what_is_wrong(rig.database) == []


_PACKS: Final = """
import sys, time
from aggregator.store.engine.database import Database
from aggregator.store.stories import copy_keys
with Database(sys.argv[1]).write() as connection:
    copy_keys.pack_all(connection)
    print("packed", flush=True)
    time.sleep(60)
"""


def test_killed_while_it_packs_all_keys_are_there(database: Database) -> None:
    held = drawn(7, 900)
    written_by(database, copy_keys.add, pairs_of(held))
    database.close()
    command = [sys.executable, "-c", _PACKS, database.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "packed\n"
        process.kill()
    with database.write() as connection:
        assert stored(connection) == pairs_of(held)
        assert rows(connection) == len(pairs_of(held))
        copy_keys.pack_all(connection)
        assert stored(connection) == pairs_of(held)


def test_many_rows_without_blocks_are_read_in_parts(database: Database) -> None:
    pairs = [(1_000_003 * n - 10**12, n % 50 + 1) for n in range(120_000)]
    with database.write() as connection:
        connection.execute(insert(lsh_band), [{"band": band, "article": n} for band, n in pairs])
        parts = [len(part.bands) for part in copy_keys.all_keys(connection)]
        assert sum(parts) == len(pairs)
        assert max(parts) <= 50_000
        copy_keys.pack_all(connection)
        assert stored(connection) == pairs
