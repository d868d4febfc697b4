"""Standing: the trust that a sender earns when others confirm on three days what it had reported before them.

An article is confirmed by later reports of other outlets that day, if they share the words that no earlier report
of the story had: so neither copies nor scrambled copies, which add nothing, earn it. A sender is a feed; for
files, mails and pushes, each outlet of a source is a sender of its own. Unconfirmed mails never have standing.
Days are closed stream periods, so that standing depends on the inbox alone.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, insert

from aggregator.model.article import Article
from aggregator.store.tables import (
    execute_each,
    read_rows,
    read_values,
    standing,
    write_sql,
)
from aggregator.stories.counting.copy_groups import sender_of

# Days of agreement before a sender is believed (chosen: forty sites are opened in an hour)
DAYS = 3


# `sender_of` in SQL, but for unconfirmed mails, which never have standing
_SENDER = "CASE WHEN {0}.is_polled THEN {0}.source ELSE {0}.source || ' ' || coalesce({0}.outlet, '') END"
_STANDING = f"SELECT sender FROM standing GROUP BY sender HAVING count(*) >= {DAYS}"  # noqa: S608
# The opposite of `is_mail_address`
_IS_CONFIRMED = "({0}.outlet NOT LIKE '%@%' OR {0}.outlet LIKE '%/%')"
_FIRST = f"""
    SELECT article.id, article.story FROM article
    WHERE article.inbox_no > :after AND article.inbox_no <= :last AND article.role = 'report'
    AND (article.counts_as_report OR article.body_words = 0)
    AND {_IS_CONFIRMED.format("article")} AND {_SENDER.format("article")} NOT IN ({_STANDING})
    AND EXISTS (
      SELECT 1 FROM article AS other WHERE other.story = article.story
      AND other.inbox_no > article.inbox_no AND other.inbox_no <= :last
      AND other.role = 'report' AND other.counts_as_report AND other.outlet <> article.outlet
    )
    ORDER BY article.inbox_no
    """  # noqa: S608


def senders_with_standing(connection: Connection) -> frozenset[str]:
    """Return the senders that have standing as of the newest closed period."""
    return frozenset(read_values(connection, _STANDING))


def reported_before_others(
    connection: Connection, after: int, last: int
) -> dict[str, list[str]]:
    """Return the articles after inbox number `after`, up to `last`, that others followed, by their story.

    They are reports of senders without standing.
    """
    by_story: dict[str, list[str]] = {}
    for row in read_rows(connection, _FIRST, after=after, last=last):
        by_story.setdefault(row.story, []).append(row.id)
    return by_story


def note_day(connection: Connection, period: int, senders: Iterable[str]) -> None:
    """Note the senders that were confirmed in a period."""
    # A lost period's number is given again
    write_sql(connection, "DELETE FROM standing WHERE period >= :period", period=period)
    days = [{"sender": sender, "period": period} for sender in sorted(senders)]
    execute_each(connection, insert(standing), days)


def forget(connection: Connection, erased: Iterable[Article]) -> None:
    """Forget senders all of whose articles are erased, because their names may be names of persons."""
    gone = f"""
        DELETE FROM standing WHERE sender = :sender AND NOT EXISTS (
          SELECT 1 FROM article WHERE source = :source AND {_SENDER.format("article")} = :sender)
        """  # noqa: S608
    for of in erased:
        write_sql(connection, gone, sender=sender_of(of), source=of.source)
