"""Standing: who has reported, on three days, what another outlet reported before, or in its own words after.

A sender is a feed; of what comes in files, mails and pushes, each outlet of a source is spoken. Unconfirmed
mails never have standing. Copies count only of texts of agencies and of who has standing: who reprints these
is no stranger, who reprints a newcomer must not be believed before him. Bare headlines, which are not counted
without standing, count beside a report of who has it. Days are the stream periods that are closed, so that
standing depends on the inbox alone.
"""

from collections.abc import Iterable

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)

from aggregator.extract.wire.agencies import is_mail_address
from aggregator.model.article import Article
from aggregator.store.tables import article, delete_rows, standing

# Of agreement, from which on a sender is believed (chosen: forty sites are opened in an hour)
DAYS = 3


def sender_of(spoken: Article) -> str:
    """Return who speaks in an article: its feed, else its outlet at its source.

    Unconfirmed mails of a source are one sender.
    """
    outlet = "@" if is_mail_address(spoken.outlet_key) else spoken.outlet_key or ""
    return spoken.source if spoken.is_polled else f"{spoken.source} {outlet}"


def _sender(row: FromClause) -> ColumnElement[str]:
    """Return the same in SQL, but for unconfirmed mails, which never have standing."""
    outlet = row.c.source + " " + func.coalesce(row.c.outlet, "")
    return case((row.c.is_polled, row.c.source), else_=outlet)


def _is_confirmed(row: FromClause) -> ColumnElement[bool]:
    """Return the contrary of `is_mail_address`."""
    return ~row.c.outlet.contains("@") | row.c.outlet.contains("/")


def _text_of(row: FromClause) -> ColumnElement[str]:
    """Return the article whose text an article copies or reuses; null for words of its own."""
    return func.coalesce(row.c.copy_of, row.c.reuses, row.c.version_of)


_STANDING = (
    select(standing.c.sender).group_by(standing.c.sender).having(func.count() >= DAYS)
)
_OTHER, _COPIED = article.alias(), article.alias()
_HAS_OWN_WORDS = _OTHER.c.counts_as_report & _text_of(_OTHER).is_(None)
_AGREED = exists().where(
    _OTHER.c.story == article.c.story,
    or_(_OTHER.c.inbox_no < article.c.inbox_no, _HAS_OWN_WORDS),
    _OTHER.c.inbox_no <= bindparam("last"),
    _OTHER.c.role == "report",
    _OTHER.c.outlet != article.c.outlet,
    _is_confirmed(_OTHER) & _is_confirmed(article),
    # A bare headline agrees by its title, for which it was joined.
    article.c.counts_as_report
    | ((article.c.body_words == 0) & _sender(_OTHER).in_(_STANDING)),
    or_(_OTHER.c.source != article.c.source, ~article.c.is_polled),
)
_MAY_PRINT = _text_of(article).is_(None) | exists().where(
    _COPIED.c.id == _text_of(article),
    or_(_COPIED.c.wire.is_not(None), _sender(_COPIED).in_(_STANDING)),
)


def senders_with_standing(connection: Connection) -> frozenset[str]:
    """Return the senders that have standing as of the newest closed period."""
    return frozenset(connection.scalars(_STANDING))


def note_day(connection: Connection, period: int, after: int, last: int) -> None:
    """Note who agreed in a period: in the articles after one inbox number up to another."""
    # Its number is given again
    delete_rows(connection, standing, standing.c.period >= period)
    sender = _sender(article)
    agreed = select(sender, literal(period)).distinct()
    agreed = agreed.where(
        article.c.inbox_no > after, article.c.inbox_no <= last, _AGREED, _MAY_PRINT
    )
    agreed = agreed.where(
        article.c.role.in_(("report", "copy")), sender.not_in(_STANDING)
    )
    noted = insert(standing).from_select(["sender", "period"], agreed)
    connection.execute(noted, {"last": last})


def forget(connection: Connection, erased: Iterable[Article]) -> None:
    """Forget the senders of erased articles of whom nothing is left: their names may be those of persons."""
    for sender, source in {
        (sender_of(erased_article), erased_article.source) for erased_article in erased
    }:
        is_left = exists().where(article.c.source == source, _sender(article) == sender)
        delete_rows(connection, standing, standing.c.sender == sender, ~is_left)
