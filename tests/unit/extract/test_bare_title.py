"""Headlines that are only a version, a date or a number."""

from aggregator.extract.clean_article import clean_entry
from aggregator.extract.headline import are_other_releases, named_title
from aggregator.model.entry import Entry, Outlet
from tests.support.lantern_pages import ALL_TUNING, SEEN
from tests.support.tables import each_row


@each_row(
    "bare_title",
    "a bare headline takes the name of its project",
    "title",
    "outlet",
    "url",
    "named",
)
def test_a_bare_headline_takes_the_name_of_its_project(
    title: str, outlet: str | None, url: str | None, named: str
) -> None:
    assert named_title(title, outlet, url) == named


def test_a_release_of_a_feed_is_named_when_it_is_cleaned() -> None:
    release = Entry(
        source="feed-1",
        title="v2.4.1",
        text="Fixes a crash when the pattern file is empty. Adds dark mode.",
        resolved_outlet=Outlet(key="hub.example", name="Release notes from loomkit"),
    )
    assert (
        clean_entry(release, seen=SEEN, tuning=ALL_TUNING).article.title
        == "loomkit v2.4.1"
    )


@each_row(
    "bare_title", "releases differ by name and version", "title", "other", "are_apart"
)
def test_releases_differ_by_name_and_version(
    title: str, other: str, are_apart: bool
) -> None:
    assert are_other_releases(title, other) is are_apart
    assert are_other_releases(other, title) is are_apart
    assert not are_other_releases(title, title)


def test_the_lead_of_release_notes_is_what_they_list_first() -> None:
    notes = Entry(
        source="feed-1",
        title="v2.4.1",
        text="What's Changed\nFixes a crash when the pattern file is empty\nAdds dark mode to the editor",
    )
    lead = clean_entry(notes, seen=SEEN, tuning=ALL_TUNING).article.lead
    assert lead == "Fixes a crash when the pattern file is empty"
