"""For `recluster`: reads the groupings of two databases, and writes the decisions of one into the other."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import islice

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.maintenance.replay import copy_rows
from aggregator.store.maintenance.row_stream import AT_ONCE, Advance
from aggregator.store.search import index
from aggregator.store.search.progress import indexed_to, unindexed_to
from aggregator.store.tables import (
    affinity,
    insert_rows,
    outlet_line,
    read_map,
    read_rows,
    read_set,
    read_value,
    sketch,
    source_history,
    source_period,
    standing,
    stream_period,
    stream_rows,
    write_each,
    write_sql,
)

# The columns of an article that are written by a decision, or when its text is read again
_DECISIONS = """
    SELECT inbox_no AS number, story, role, is_compared, copy_of, reuses, version_of, counts_as_report,
      is_little_known, evidence, nearest, wire, details, signature, terms, body_words, date_counts, kind,
      kind_evidence, lead, language
    FROM article
    """


def grouping(connection: Connection) -> dict[str, str]:
    """Return the story of every article, in the order of inbox numbers."""
    return read_map(connection, "SELECT id, story FROM article ORDER BY inbox_no")


def story_numbers(connection: Connection) -> dict[str, int]:
    """Return the numbers of live stories by id."""
    return read_map(
        connection, "SELECT id, story_no FROM story WHERE redirect_to IS NULL"
    )


def founder_of(connection: Connection, story_id: str) -> str:
    """Return the id of the article that founded a story."""
    return read_value(
        connection, "SELECT founding_article FROM story WHERE id = :id", id=story_id
    )


def take_decisions(
    live: Connection, scratch: Connection, names: Mapping[str, str], advance: Advance
) -> None:
    """Write the decisions of the scratch database into the articles of the live database, as far as they differ.

    `names`: the id of a story in the live database by its id in the scratch database.
    """
    # References to stories that were merged in the scratch database are replaced by their successors, except where the
    # live database has the same merge, because then the id redirects already.
    successors = dict(names)
    merged = "SELECT id, redirect_to FROM story WHERE redirect_to IS NOT NULL"
    known_merges = set(map(tuple, read_rows(live, merged)))
    for id_, successor in read_rows(scratch, merged):
        if successor in names and (id_, names[successor]) not in known_merges:
            successors[id_] = names[successor]
    decisions = stream_rows(scratch, f"{_DECISIONS} ORDER BY inbox_no")
    stored = f"{_DECISIONS} WHERE inbox_no BETWEEN :first AND :last"
    while part := [dict(row._mapping) for row in islice(decisions, AT_ONCE)]:
        first, last = part[0]["number"], part[-1]["number"]
        rows = read_rows(live, stored, first=first, last=last)
        known = {row.number: dict(row._mapping) for row in rows}
        for row in part:
            row["story"] = names[row["story"]]
            decoded = codecs.unpack(row["evidence"], Evidence)
            runner_up = decoded.runner_up
            successor = runner_up and successors.get(runner_up.story)
            if runner_up and successor and successor != runner_up.story:
                row["evidence"] = codecs.pack_compressed(
                    replace(decoded, runner_up=replace(runner_up, story=successor))
                )
        changes = [row for row in part if row != known.get(row["number"])]
        columns = ", ".join(f"{name} = :{name}" for name in part[0] if name != "number")
        write_each(
            live,
            f"UPDATE article SET {columns} WHERE inbox_no = :number",  # noqa: S608
            changes,
        )
        advance(0)


def renumber(live: Connection, order: Mapping[int, int]) -> list[int]:
    """Give entries and articles new inbox numbers; `order` maps present numbers to new ones.

    Return the numbers of articles to put back into the full-text index after they are decided. The caller must then
    take over the sketches and the state of every story.
    """
    changed = [
        {"number": old, "moved": -new} for old, new in order.items() if old != new
    ]
    if not changed:
        return []
    numbers = read_set(live, "SELECT inbox_no FROM article")
    present = [change["number"] for change in changed if change["number"] in numbers]
    for number in present:
        index.take_out(live, number)
    first = min(order)
    changed_lines = "SELECT * FROM outlet_line WHERE article >= :first"
    lines = [
        {**row._mapping, "article": order[row.article]}
        for row in read_rows(live, changed_lines, first=first)
    ]
    for table in ("outlet_line", "sketch", "affinity"):
        write_sql(live, f"DELETE FROM {table} WHERE article >= :first", first=first)  # noqa: S608
    for table in ("entry", "article"):
        write_each(
            live,
            f"UPDATE {table} SET inbox_no = :moved WHERE inbox_no = :number",  # noqa: S608
            changed,
        )
        # The numbers are negative in between, because no two rows may have the same number at any moment.
        write_sql(live, f"UPDATE {table} SET inbox_no = -inbox_no WHERE inbox_no < 0")  # noqa: S608
    insert_rows(live, outlet_line, lines)
    indexed = range(unindexed_to(live) + 1, indexed_to(live) + 1)
    return sorted(order[number] for number in present if order[number] in indexed)


def forget_retired_numbers(live: Connection) -> None:
    """Set the inbox numbers of stories that redirect to 0, because they are not renumbered with the others."""
    write_sql(
        live,
        """
        UPDATE story SET last_inbox_no = 0, membership_changed_no = 0 WHERE redirect_to IS NOT NULL
        """,
    )


def take_sketches(
    live: Connection, scratch: Connection, start: int, advance: Advance
) -> None:
    """Replace the sketches of the articles from inbox number `start` on."""
    write_sql(live, "DELETE FROM sketch WHERE article >= :start", start=start)
    copy_rows(scratch, live, advance, sketch, "article >= :start", start=start)


def take_storylines(
    live: Connection, scratch: Connection, start: int, names: Mapping[str, str]
) -> None:
    """Replace the affinities of the articles from inbox number `start` on, and the storylines of all stories.

    A storyline has the id of its founding story, or of its first story if the founding story left it.
    """
    numbers = read_map(
        live, "SELECT id, story_no FROM story WHERE id IN :ids", ids=names.values()
    )
    write_sql(live, "DELETE FROM affinity WHERE article >= :start", start=start)
    near = """
        SELECT article, id, logit FROM affinity JOIN story ON story.story_no = affinity.story WHERE article >= :start
        """
    rows = [
        {"article": article_no, "story": numbers[names[other]], "logit": logit}
        for article_no, other, logit in read_rows(scratch, near, start=start)
        if other in names
    ]
    insert_rows(live, affinity, rows)
    lines = defaultdict(list)
    for id_, line in read_rows(
        scratch,
        "SELECT id, storyline FROM story WHERE redirect_to IS NULL AND storyline IS NOT NULL",
    ):
        lines[line].append(names[id_])
    write_sql(live, "UPDATE story SET storyline = NULL WHERE storyline IS NOT NULL")
    for line, ids in lines.items():
        founder = names.get(line)
        if founder not in ids:
            founder = min(ids, key=lambda id_: numbers[id_])
        write_sql(
            live,
            "UPDATE story SET storyline = :founder WHERE id IN :ids",
            founder=founder,
            ids=ids,
        )


def take_stream_history(
    live: Connection, scratch: Connection, advance: Advance
) -> None:
    """Copy the stream history from the scratch database, because all articles were decided with it: later articles, and
    a later regrouping, are then decided with the same history.
    """
    for table in (stream_period, source_history, source_period, standing):
        write_sql(live, f"DELETE FROM {table.name}")  # noqa: S608
        copy_rows(scratch, live, advance, table)
