"""Measures by outlets, and of sagas."""

from aggregator.admin.bcubed import OutletMetrics, measure_outlets, measure_sagas

OUTLETS = {
    "a": "Herald",
    "b": "Gazette",
    "c": "Herald",
    "d": "Herald",
    "e": "Post",
    "f": "Gazette",
}
CLUSTERS = {
    "a": "flood",
    "b": "flood",
    "c": "strike",
    "d": "fire",
    "e": "fair",
    "f": "strike",
}


def test_stories_of_several_outlets_and_of_one_are_counted_apart() -> None:
    stories = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
    assert measure_outlets(stories, CLUSTERS, OUTLETS) == OutletMetrics(
        stories=2, pure=1, events=2, whole=1, one_outlet=1, one_outlet_impure=1
    )


def test_loose_pairs_are_no_fault() -> None:
    stories = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
    loose = {frozenset("cd"), frozenset("ef")}
    found = measure_outlets(stories, CLUSTERS, OUTLETS, loose)
    assert (found.pure, found.one_outlet_impure) == (2, 0)


def test_an_event_with_other_articles_in_its_story_is_whole() -> None:
    found = measure_outlets(dict.fromkeys(CLUSTERS, "1"), CLUSTERS, OUTLETS)
    assert (found.events, found.whole, found.stories, found.pure) == (2, 2, 1, 0)


def test_articles_without_outlet_are_each_of_their_own() -> None:
    stories = {"a": "1", "b": "1"}
    assert measure_outlets(stories, {"a": "flood", "b": "flood"}, {}).stories == 1


def test_wrong_pairs_are_counted_by_saga_and_a_story_with_an_extra_article_is_whole_but_impure() -> (
    None
):
    stories = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "2", "f": "3"}
    found = measure_sagas(
        stories,
        CLUSTERS,
        {"a": "river", "b": "river", "c": "river", "d": "x", "e": "y"},
    )
    assert (found.several, found.pure, found.events, found.whole) == (2, 0, 2, 1)
    assert (found.wrong_pairs, found.wrong_in_saga) == (3, 2)
    assert found.report.alone.f1 < 1
