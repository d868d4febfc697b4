"""Takes: headlines that say that an outlet's report replaces the one before."""

from aggregator.stories.titles.title_text import take_title
from tests.support.tables import each_row


@each_row("takes", "a later take has a mark at either end", "title", "plain")
def test_a_later_take_has_a_mark_at_either_end(title: str, plain: str) -> None:
    assert take_title(title) == plain


@each_row("takes", "words of a headline are no mark", "title")
def test_words_of_a_headline_are_no_mark(title: str) -> None:
    assert take_title(title) is None
