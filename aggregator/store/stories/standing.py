"""Standing: the trust that a sender earns by agreeing with other outlets on three days.

An article agrees with another outlet that reported the same before it, or after it in words of its own.
A sender is a feed; for files, mails and pushes, each outlet of a source is a sender of its own. Unconfirmed
mails never have standing. A copy counts only if its text comes from an agency or from a sender with standing:
senders that reprint those are not strangers, but a newcomer must not make others believed before it is believed
itself. Bare headlines, which do not count without standing, count beside a report by a sender with standing.
Days are closed stream periods, so that standing depends on the inbox alone.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from aggregator.extract.wire.agencies import is_mail_address
from aggregator.model.article import Article
from aggregator.store.tables import delete_rows, read_values, standing, write_sql

# Days of agreement before a sender is believed (chosen: forty sites are opened in an hour)
DAYS = 3


def sender_of(spoken: Article) -> str:
    """Return the sender of an article: its feed, else its outlet at its source.

    Unconfirmed mails of a source are one sender.
    """
    outlet = "@" if is_mail_address(spoken.outlet_key) else spoken.outlet_key or ""
    return spoken.source if spoken.is_polled else f"{spoken.source} {outlet}"


# The same in SQL, but for unconfirmed mails, which never have standing
_SENDER = "CASE WHEN {0}.is_polled THEN {0}.source ELSE {0}.source || ' ' || coalesce({0}.outlet, '') END"
_STANDING = f"SELECT sender FROM standing GROUP BY sender HAVING count(*) >= {DAYS}"  # noqa: S608
# The article whose text an article copies or reuses; null for words of its own
_TEXT_OF = "coalesce({0}.copy_of, {0}.reuses, {0}.version_of)"
# The opposite of `is_mail_address`
_IS_CONFIRMED = "({0}.outlet NOT LIKE '%@%' OR {0}.outlet LIKE '%/%')"
# A bare headline agrees by its title, because the title is the reason that it joined the story.
_NOTE_DAY = f"""
    INSERT INTO standing (sender, period)
    SELECT DISTINCT {_SENDER.format("article")}, CAST(:period AS BIGINT) FROM article
    WHERE article.inbox_no > :after AND article.inbox_no <= :last
    AND article.role IN ('report', 'copy') AND {_SENDER.format("article")} NOT IN ({_STANDING})
    AND EXISTS (
      SELECT 1 FROM article AS other WHERE other.story = article.story AND other.inbox_no <= :last
      AND (other.inbox_no < article.inbox_no OR other.counts_as_report AND {_TEXT_OF.format("other")} IS NULL)
      AND other.role = 'report' AND other.outlet <> article.outlet
      AND {_IS_CONFIRMED.format("other")} AND {_IS_CONFIRMED.format("article")}
      AND (article.counts_as_report
        OR article.body_words = 0 AND {_SENDER.format("other")} IN ({_STANDING}))
      AND (other.source <> article.source OR NOT article.is_polled)
    )
    AND ({_TEXT_OF.format("article")} IS NULL OR EXISTS (
      SELECT 1 FROM article AS copied WHERE copied.id = {_TEXT_OF.format("article")}
      AND (copied.wire IS NOT NULL OR {_SENDER.format("copied")} IN ({_STANDING}))
    ))
    """  # noqa: S608


def senders_with_standing(connection: Connection) -> frozenset[str]:
    """Return the senders that have standing as of the newest closed period."""
    return frozenset(read_values(connection, _STANDING))


def note_day(connection: Connection, period: int, after: int, last: int) -> None:
    """Note the senders that agreed in a period, with articles after inbox number `after`, up to `last`."""
    # A lost period's number is given again
    delete_rows(connection, standing, standing.c.period >= period)
    write_sql(connection, _NOTE_DAY, period=period, after=after, last=last)


def forget(connection: Connection, erased: Iterable[Article]) -> None:
    """Forget senders all of whose articles are erased, because their names may be names of persons."""
    gone = f"""
        DELETE FROM standing WHERE sender = :sender AND NOT EXISTS (
          SELECT 1 FROM article WHERE source = :source AND {_SENDER.format("article")} = :sender)
        """  # noqa: S608
    for of in erased:
        write_sql(connection, gone, sender=sender_of(of), source=of.source)
