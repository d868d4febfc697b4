"""The kind of an article: what tells it, and what must not."""

import pytest

from aggregator.extract.kind import find_kind
from aggregator.model.entry import Enclosure
from aggregator.model.prepared import Kind
from tests.support.articles import COLUMN
from tests.support.tables import each_row, mapping

MB = 1_000_000


@each_row("kind", "a title tells the kind", "kind", "title")
def test_a_title_tells_the_kind(kind: Kind, title: str) -> None:
    found = find_kind(title)
    assert found.kind == kind
    assert found.evidence


@each_row("kind", "a report stays a report and has no evidence", "title")
def test_a_report_stays_a_report_and_has_no_evidence(title: str) -> None:
    assert find_kind(title)[:2] == ("report", None)


@each_row("kind", "a folder or host of the address tells the kind", "kind", "url")
def test_a_folder_or_host_of_the_address_tells_the_kind(kind: Kind, url: str) -> None:
    assert find_kind("The ferry was sold", urls=(None, url)).kind == kind


@each_row(
    "kind", "a category or section tells the kind only as a whole", "kind", "section"
)
def test_a_category_or_section_tells_the_kind_only_as_a_whole(
    kind: Kind, section: str
) -> None:
    assert find_kind("The ferry was sold", sections=("News", section)).kind == kind


@each_row("kind", "a category of an entry is often its topic", "kind", "category")
def test_a_category_of_an_entry_is_often_its_topic(kind: Kind, category: str) -> None:
    assert find_kind("Programme ends", categories=("News", category)).kind == kind


KNOWN = mapping("kind", "what is known of an article tells its kind")


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known_of_an_article_tells_its_kind(name: str) -> None:
    known, kind, evidence = KNOWN[name]
    assert find_kind(**known)[:2] == (kind, evidence)


def test_a_column_on_the_site_of_a_court_is_none() -> None:
    url = "https://www.supremecourt.gov/24-100"
    column = find_kind("The stadium trap", COLUMN, urls=(url,), language="en")
    assert column[:2] == ("report", None)


def test_a_long_audio_file_tells_an_episode() -> None:
    def kind(length: int | None, type_: str = "audio/mpeg") -> Kind:
        media = (
            Enclosure(url="https://herald.example/1", type=type_, length_bytes=length),
        )
        return find_kind("The ferry", media=media, episode_audio_bytes=20 * MB).kind

    assert kind(65 * MB) == "episode"
    assert {kind(5 * MB), kind(None), kind(65 * MB, "video/mp4")} == {"report"}


@each_row("kind", "an outlet that takes its article back withdraws it", "text")
def test_an_outlet_that_takes_its_article_back_withdraws_it(text: str) -> None:
    assert find_kind("Correction", text).kind == "withdrawal"


@pytest.mark.parametrize(
    "text",
    [
        "The maker has withdrawn the product, the article says.",
        "Police removed the banner. We have this report from the scene.",
        "The journal retracted the study, this report has learned.",
    ],
)
def test_a_report_about_something_withdrawn_is_a_report(text: str) -> None:
    assert find_kind("Toys recalled in Lindmar", text).kind == "report"
