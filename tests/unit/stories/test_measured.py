"""What is shown of many stories of others stands in the articles named."""

import os
from pathlib import Path

import pytest

from benchmarks.stories import stories, wrong_words

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("AGGREGATOR_DATA", ROOT.parent / "shared" / "data"))
EVENTS = DATA / "events-fulltext.jsonl.gz"


@pytest.mark.later
@pytest.mark.skipif(not EVENTS.exists(), reason=f"{EVENTS} is not there")
def test_every_text_that_is_shown_stands_in_the_article_it_is_attributed_to() -> None:
    counted = [
        wrong_words(articles) for articles in list(stories(EVENTS, least=3))[::4]
    ]
    assert len(counted) == 33
    assert all(texts > 0 for texts, _ in counted)
    assert [text for _, wrong in counted for text in wrong] == []
