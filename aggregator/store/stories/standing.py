"""Standing: who has reported, on three days, what another outlet had reported before.

A sender is a feed; of what comes in files, mails and pushes, each outlet of a source is one. Copies count,
too: who reprints agencies is no stranger. Days are the stream periods that are closed, so that standing
depends on the inbox alone.
"""

from sqlalchemy import Connection, case, delete, exists, func, insert, literal, or_, select

from aggregator.model.core import Article
from aggregator.store.tables import article, standing

DAYS = 3  # of agreement, from which on a sender is believed (chosen: forty sites are opened in an hour)


def sender_of(one: Article) -> str:
    """Return who speaks in an article: its feed, else its outlet at its source."""
    return one.source if one.is_polled else f"{one.source} {one.outlet_key or ''}"


_SENDER = case(
    (article.c.is_polled, article.c.source),
    else_=article.c.source + " " + func.coalesce(article.c.outlet, ""),
)
_EARLIER = article.alias()
_AGREED = article.c.counts_as_report & exists().where(
    _EARLIER.c.story == article.c.story,
    _EARLIER.c.inbox_no < article.c.inbox_no,
    _EARLIER.c.role == "report",
    _EARLIER.c.outlet != article.c.outlet,
    or_(_EARLIER.c.source != article.c.source, ~article.c.is_polled),
)
_STANDING = select(standing.c.sender).group_by(standing.c.sender).having(func.count() >= DAYS)


def senders_with_standing(connection: Connection) -> frozenset[str]:
    """Return the senders that have standing as of the newest closed period."""
    return frozenset(connection.scalars(_STANDING))


def note_day(connection: Connection, period: int, after: int, last: int) -> None:
    """Note who agreed in a period: in the articles after one inbox number up to another."""
    connection.execute(delete(standing).where(standing.c.period >= period))  # its number is given again
    agreed = select(_SENDER, literal(period)).distinct()
    agreed = agreed.where(article.c.inbox_no > after, article.c.inbox_no <= last, _AGREED)
    agreed = agreed.where(article.c.role.in_(("report", "copy")), _SENDER.not_in(_STANDING))
    connection.execute(insert(standing).from_select(["sender", "period"], agreed))
