"""Which senders reported something that others confirmed later, on one day of the stream."""

import numpy as np

from aggregator.extract.wire.agencies import is_mail_address
from aggregator.grouping.pairs.pair_article import (
    TEXT,
    TITLE,
    PairArticle,
    beside_title,
    shared_beside_title,
)
from aggregator.grouping.pairs.snapshot import StreamSnapshot
from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.stories import standing, stored_articles
from aggregator.stories.counting.copy_groups import origin_link, sender_of

# Articles of a story that are read, the oldest (limit: a story may have thousands)
_READ = 256


def confirmed_senders(
    connection: Connection,
    after: int,
    last: int,
    snapshot: StreamSnapshot,
    agreement: float,
) -> set[str]:
    """Return the senders without standing that others confirmed, from inbox number `after` up to `last`.

    `agreement` is the likeness from which on words confirm each other, see `shared_beside_title`.
    """
    senders: set[str] = set()
    reported = standing.reported_before_others(connection, after, last)
    for story, ids in reported.items():
        members = [
            member
            for member in stored_articles.members(connection, story)
            if member.inbox_no <= last
        ][:_READ]
        words = {member.id: PairArticle(member) for member in members if member.terms}
        for article in members:
            if (
                article.id in ids
                and article.id in words
                and sender_of(article) not in senders
                and _is_confirmed(article, members, words, snapshot, agreement)
            ):
                senders.add(sender_of(article))
    return senders


def _is_confirmed(
    article: Article,
    members: list[Article],
    words: dict[str, PairArticle],
    snapshot: StreamSnapshot,
    agreement: float,
) -> bool:
    """Return whether later reports of others have the words that an article reported first.

    Where reports with standing are in the story, only they confirm.
    """
    own = words[article.id]
    reported = beside_title(own) if own.body_words else own.parts[TITLE]
    later = []
    for other in members:
        if other.id not in words or sender_of(other) == own.sender:
            continue
        if other.inbox_no < own.inbox:
            reported = np.setdiff1d(reported, words[other.id].parts[TEXT])
        elif (
            other.role == "report"
            and other.counts_as_report
            and origin_link(other) is None
            and other.version_of is None
            and other.outlet_key != own.outlet
            and not is_mail_address(other.outlet_key)
        ):
            later.append(other)
    if any(not other.is_little_known for other in members):
        later = [other for other in later if not other.is_little_known]
    reports = [words[other.id] for other in later]
    return shared_beside_title(reported, reports, snapshot) >= agreement
