"""The article of an entry that is stored already: by its address, its site or its words."""

from aggregator.extract.entry_identity import content_keys, url_key
from aggregator.extract.sites import is_address
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Connection
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.stories import articles
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.articles import StoredArticle


def is_of_site(entry: Entry) -> bool:
    """Return whether the own site of an entry gave it, as a feed or as the page that was fetched."""
    return entry.authority in ("own", "page")


def speaks_for_feed(waiting: InboxEntry, article: StoredArticle) -> bool:
    """Return whether an article of an entry that names another outlet has that of its feed."""
    outlet = waiting.entry.feed_outlet
    return outlet is not None and article.outlet_key == outlet.key


def is_of_other_feed(entry: Entry, article: StoredArticle) -> bool:
    """Return whether an article that the own feed of its site lists has the outlet of another feed."""
    outlet = entry.resolved_outlet
    key = article.outlet_key
    if outlet is None or not outlet.is_own or key is None or key == outlet.key:
        return False
    return article.is_polled and is_address(key)


def claimed_elsewhere(connection: Connection, waiting: InboxEntry) -> str | None:
    """Return the article of the fetched page, if the site itself submitted it meanwhile.

    With its page the entry has its address as an identity key, unless another article has it.
    """
    entry = waiting.entry
    canonical = canonical_url(entry.url or "")
    if canonical is None or entry.authority != "foreign" or waiting.page is None:
        return None
    owner = inbox.claim(connection, url_key(canonical), waiting.article)
    if owner == waiting.article:
        return None
    article_writes.rekey(connection, waiting.article, owner, is_authoritative=False)
    return owner


def article_of_own_url(
    connection: Connection, waiting: InboxEntry
) -> StoredArticle | None:
    """Return the article that took the URL of a revised entry over while the revision waited."""
    canonical = canonical_url(waiting.entry.url or "")
    if canonical is None or not is_of_site(waiting.entry):
        return None
    owner = inbox.owner(connection, url_key(canonical))
    return articles.latest(connection, owner) if owner else None


def is_same_item(connection: Connection, old: StoredArticle, entry: Entry) -> bool:
    """Return whether another source delivered this entry before: with its title and minute, or its words."""
    canonical = canonical_url(entry.url or "")
    if canonical is None or old.source == entry.source:
        return False
    keys = content_keys(entry, canonical)
    return any(inbox.owner(connection, key) == old.id for key in keys)
