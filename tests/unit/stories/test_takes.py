"""Takes: headlines that say that an outlet's report replaces the one before."""

import pytest

from aggregator.stories.titles.title_text import take_title
from tests.support.tables import each_row


@each_row("takes", "a later take has a mark at either end", "title", "plain")
def test_a_later_take_has_a_mark_at_either_end(title: str, plain: str) -> None:
    assert take_title(title) == plain


@pytest.mark.parametrize(
    "title",
    [
        "Update your phone now",
        "Lead in water of Flint",
        "Windows 11 update 2 released",
        "2nd update to iOS released",
        "iOS update 3: what is new",
        "New 3 rules for ferries",
        "UPDATE 3-",
        "Quake hits Morn",
        "",
    ],
)
def test_words_of_a_headline_are_no_mark(title: str) -> None:
    assert take_title(title) is None
