"""Measures by outlets, and of sagas."""

from aggregator.admin.bcubed import OutletMetrics, measure_month, measure_outlets

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


def test_stories_of_several_outlets_are_counted() -> None:
    stories = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
    assert measure_outlets(stories, CLUSTERS, OUTLETS) == OutletMetrics(
        stories=2, pure=1, events=2, whole=1
    )


def test_loose_pairs_are_no_fault() -> None:
    stories = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
    loose = {frozenset("cd"), frozenset("ef")}
    assert measure_outlets(stories, CLUSTERS, OUTLETS, loose).pure == 2


def test_an_event_with_other_articles_in_its_story_is_whole() -> None:
    found = measure_outlets(dict.fromkeys(CLUSTERS, "1"), CLUSTERS, OUTLETS)
    assert (found.events, found.whole, found.stories, found.pure) == (2, 2, 1, 0)


def test_articles_without_outlet_are_each_of_their_own() -> None:
    stories = {"a": "1", "b": "1"}
    assert measure_outlets(stories, {"a": "flood", "b": "flood"}, {}).stories == 1


def test_a_story_with_an_extra_article_is_whole_but_impure() -> None:
    stories = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "2", "f": "3"}
    found = measure_month(stories, CLUSTERS)
    assert found.several == OutletMetrics(stories=2, pure=0, events=2, whole=1)
    assert found.report.alone.f1 < 1
