"""The affinity of an article to a story: what two stories of one affair must share."""

import pytest

from aggregator.grouping.pairs.pair_model import UNLIKE
from aggregator.grouping.scores.scorer import ScoredCandidate
from aggregator.grouping.storylines import affinity
from aggregator.model.article import Article
from aggregator.model.prepared import Kind
from aggregator.store.stories.live_stories import LiveStory
from tests.support.articles import NOON
from tests.support.tables import each_row

MEAN = -0.5  # logit of the article with the reports of the story


def placed(source: str, *, kind: Kind = "report", words: int = 300) -> Article:
    return Article(
        id=source,
        inbox_no=1,
        story="",
        title="Levee breaks",
        source=source,
        outlet_key=source,
        effective_at=NOON,
        published=NOON,
        date_counts=True,
        copy_of=None,
        wire=None,
        role="report",
        kind=kind,
        is_compared=True,
        terms=b"",
        body_words=words,
    )


def near(
    article: Article,
    *reports: Article,
    rarest: float = 15.0,
    cosine: float = 0.2,
    names: tuple[float, float] = (9.0, 20.0),  # shared, apart
    mean: float = MEAN,
) -> float:
    shared = rarest, cosine, *names
    candidate = ScoredCandidate(LiveStory(1, "1"), 0.0, (), mean, *shared)
    return affinity(article, candidate, reports)


@pytest.mark.parametrize(("rarest", "expected"), [(8.9, UNLIKE), (9.0, MEAN)])
def test_a_broad_word_alone_is_not_enough(rarest: float, expected: float) -> None:
    assert near(placed("Herald"), placed("Echo"), rarest=rarest) == expected


@each_row("affinity", "texts with names have one in common", "names", "expected")
def test_texts_with_names_have_one_in_common(
    names: list[float], expected: float
) -> None:
    """A text that names nothing may be of any affair."""
    assert near(placed("Herald"), placed("Echo"), names=names) == expected


def test_a_short_text_shares_much_of_itself() -> None:
    short = placed("Echo", words=40)
    assert near(placed("Herald"), short, cosine=0.17) == UNLIKE
    assert near(placed("Herald"), short, cosine=0.18) == MEAN
    assert near(placed("Herald"), placed("Echo"), cosine=0.17) == MEAN


def test_short_entries_of_one_feed_are_alike_by_form() -> None:
    short = placed("Echo", words=40)
    assert near(short, placed("Echo")) == MEAN - 1
    assert near(placed("Echo"), short) == MEAN - 1
    assert near(placed("Echo"), placed("Echo")) == MEAN
    assert near(short, placed("Herald")) == MEAN


def test_long_texts_that_share_much_are_near_whatever_they_tell() -> None:
    """Two steps of an affair at full length are different events for the pair model."""
    one, other, shorter = placed("Echo"), placed("Echo"), placed("Echo", words=299)
    assert near(one, other, mean=UNLIKE, cosine=0.29) == UNLIKE
    assert near(one, other, mean=UNLIKE, cosine=0.3) == -1.2
    assert near(one, other, mean=MEAN, cosine=0.3) == MEAN
    assert near(shorter, other, mean=UNLIKE, cosine=0.3) == UNLIKE
    assert near(one, other, mean=UNLIKE, cosine=0.3, names=(0.0, 9.0)) == UNLIKE
    assert near(one, other, mean=UNLIKE, cosine=0.3, rarest=8.0) == UNLIKE
