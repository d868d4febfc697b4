"""Compare articles that a version without storylines placed with the stories near them, once after an upgrade."""

from datetime import timedelta

from aggregator.grouping.transactions import Transactions
from aggregator.store.stories import stored_articles, storyline_rows
from aggregator.store.stories.article_rows import article_writes

# Articles in one transaction; each takes some milliseconds
_AT_ONCE = 8


def compare_stored(transactions: Transactions) -> bool:
    """Compare the next few of these articles in one transaction; return whether to call this again."""
    # Older articles need not be compared: no new report can join their stories.
    window_days = transactions.all_tuning.values("events")["window_days"]
    since = transactions.now() - timedelta(days=window_days)
    with transactions.database.read() as connection:
        numbers = storyline_rows.next_uncompared(connection, since, _AT_ONCE)
        if not numbers and not storyline_rows.count_uncompared(connection):
            return False
    # Without numbers, nothing is left to compare but articles that are too old. The transaction below records this, so
    # that the next call ends above.
    # Imported here, because a start needs neither.
    from aggregator.grouping.placing.decide import Decider
    from aggregator.grouping.storylines import join_near

    with transactions.unit_of_work() as unit_of_work:
        connection = unit_of_work.connection
        services = transactions.services
        # An affinity depends on the stream, so its present state is read before the first comparison.
        services.stream.read_last(unit_of_work)
        decider = Decider(services, unit_of_work)
        for article in stored_articles.read_whole_articles(
            connection, "inbox_no", numbers
        ):
            near = decider.affinities(article)
            # Storylines are joined by stored affinities, so the affinities of this article are written first.
            article_writes.insert_affinities(connection, article.inbox_no, near)
            join_near(connection, services.constraints, article, near)
        # None records that all are compared.
        storyline_rows.compared_to(connection, numbers[-1] if numbers else None)
    # Forget these comparisons, because comparisons in memory must show the state when an article was placed.
    services.forget_rows()
    return bool(numbers)
