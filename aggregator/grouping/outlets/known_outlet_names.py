"""Names of outlets, for articles that know only the address of their outlet.

A page or a feed may name its own site only: such a name is shown for all articles of the outlet, also the
earlier ones. If a feed names somebody else's site, the name stays with the articles of that feed.
"""

from msgspec.structs import replace

from aggregator.extract.sites import is_address
from aggregator.store.search import index as search
from aggregator.store.stories import story_rows
from aggregator.store.stories.article_rows import outlet_rows
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork


class OutletNames:
    """Names articles by their outlets. For one thread of the writer."""

    def __init__(self) -> None:
        # The name of each outlet by its key; None: its site has not given a name so far
        self._names: dict[str, str | None] = {}

    def named(self, unit_of_work: UnitOfWork, new: StoredArticle) -> StoredArticle:
        """Return the article with the name of its outlet, if known; a first name is given to all its articles."""
        connection = unit_of_work.connection
        key = new.outlet_key
        if key is None or not is_address(key):
            return new
        if key not in self._names:
            self._names[key] = outlet_rows.own_name_of(connection, key)
        name = self._names[key]
        site_name = new.read_details().site_name
        if name is None and site_name is not None:
            self._names[key] = name = site_name
            unnamed = outlet_rows.unnamed_articles(connection, key)
            for number, _ in unnamed:
                was_searchable = search.take_out(connection, number)
                outlet_rows.set_outlet_name(connection, number, name)
                if was_searchable:
                    search.put_back(connection, number)
            story_rows.render_again(connection, {story for _, story in unnamed})
        if name is None or new.outlet_name is not None:
            return new
        return replace(new, outlet_name=name)
