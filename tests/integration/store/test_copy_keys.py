"""LSH keys of articles: what is found by them, what is removed, what is ignored."""

import random

import msgspec
from sqlalchemy import Connection, select

from aggregator.grouping.deletion.erase import ForgetCommand
from aggregator.store.engine.database import Database
from aggregator.store.stories.article_rows import copy_keys
from aggregator.store.tables import lsh_band
from tests.support.articles import Rig
from tests.support.rows import read_by
from tests.support.story_checks import small_set, what_is_wrong

ANY = (1 << 63) - 1
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
Pair = tuple[int, int]


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
    return [(row.band, row.article) for row in connection.execute(select(lsh_band).order_by(*lsh_band.c))]


def found(connection: Connection, bands: set[int], before: int = ANY) -> list[Pair]:
    return copy_keys.with_bands(connection, bands, before=before)


def test_articles_are_found_by_their_keys(database: Database) -> None:
    held = drawn(1, 1_500)
    draw = random.Random(2)
    with database.write() as connection:
        copy_keys.add_bands(connection, pairs_of(held))
        some = set().union(*(held[n] for n in draw.sample(sorted(held), 20))) | {5, -5, LOWEST + 1}
        expected = [pair for pair in pairs_of(held) if pair[0] in some]
        assert found(connection, some) == expected
        assert found(connection, some, before=700) == [pair for pair in expected if pair[1] < 700]
        assert copy_keys.stored_bands(connection, 77, held[77] | some) == held[77]


def test_removed_keys_are_not_found(database: Database) -> None:
    held = drawn(4, 900)
    with database.write() as connection:
        copy_keys.add_bands(connection, pairs_of(held))
        gone = {n: held.pop(n) for n in (1, 300, 600, 601, 900)}
        removed = copy_keys.remove_bands(connection, {n: bands | {5} for n, bands in gone.items()})
        assert removed == sum(map(len, gone.values()))
        assert stored(connection) == pairs_of(held)


def test_a_copy_is_found_by_the_keys_of_its_original_which_go_with_it(rig: Rig) -> None:
    first, *others = small_set()
    rig.take(first)
    (copied,) = rig.take(msgspec.structs.replace(first, source="Other", guid="o", outlet="Other", url=None))
    assert copied.outcome == "copy"
    rig.take(*others)
    before = {n for _, n in read_by(rig.database, stored)}
    rig.pipeline.placer.erase(ForgetCommand(name=first.outlet or ""))
    left = {n for _, n in read_by(rig.database, stored)}
    assert 1 in before - left
    assert what_is_wrong(rig.database) == []
