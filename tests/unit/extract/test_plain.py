"""Saved texts: headline, byline, date and outlet are found, furniture goes, every sentence stays."""

import datetime as dt

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.language.unicode import clean
from aggregator.extract.plain.boilerplate import breadcrumb_pieces, is_boilerplate
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.plain.titled_text import SavedText, read_titled_text
from tests.support.tables import rows

TUNING = Tuning().section("text", ExtractTuning)
BODY = (
    "The old harbour bridge was closed on Monday after inspectors found cracks in it, the port said.\n"
    "Traffic is led over the northern road until the repairs are done. Nobody was hurt."
)


TITLE = "Harbour bridge closed over cracks"


def read(text: str) -> SavedText:
    return read_saved_text(clean(text), TUNING)


def test_headline_byline_and_date() -> None:
    saved = read(
        f"Harbour bridge closed over cracks\nBy Ada Lorne\n6 March 2025, 10:15\n\n{BODY}\n"
    )
    assert (saved.title, saved.author) == (
        "Harbour bridge closed over cracks",
        "Ada Lorne",
    )
    assert saved.published.time == dt.datetime(2025, 3, 6, 10, 15, tzinfo=dt.UTC)
    assert "\n".join(saved.paragraphs) == BODY


@pytest.mark.parametrize(
    ("headline", "paragraphs"),
    [
        ("ស្ពានចាស់ត្រូវបានបិទ",
         ("ស្ពានចាស់នៅលើទន្លេត្រូវបានបិទនៅថ្ងៃច័ន្ទ បន្ទាប់ពីអ្នកជំនាញបានរកឃើញស្នាមប្រេះនៅលើសសរពីរ។",
          "ចរាចរណ៍ត្រូវបានដឹកនាំតាមផ្លូវខាងជើងរហូតដល់ការជួសជុលរួចរាល់ ហើយគ្មាននរណាម្នាក់រងរបួសទេ។")),
        ("ปิดสะพานเก่าที่ท่าเรือ",
         ("สะพานเก่าที่ท่าเรือถูกปิดเมื่อวันจันทร์หลังจากผู้ตรวจสอบพบรอยร้าวบนเสาสองต้น การท่าเรือกล่าว",
          "การจราจรถูกเปลี่ยนไปใช้ถนนทางเหนือจนกว่าการซ่อมแซมจะแล้วเสร็จ ไม่มีผู้ได้รับบาดเจ็บ")),
    ],
)  # fmt: skip
def test_paragraphs_of_scripts_without_spaces_are_kept(
    headline: str, paragraphs: tuple[str, str]
) -> None:
    saved = read("\n\n".join((headline, *paragraphs)))
    assert (saved.title, saved.paragraphs) == (headline, paragraphs)


@pytest.mark.parametrize(
    ("head", "title", "outlet"),
    rows("plain", "headlines"),
)
def test_headlines(head: str, title: str, outlet: str | None) -> None:
    saved = read(f"{head}\n\n{BODY}")
    assert (saved.title, saved.outlet) == (title, outlet)
    assert "\n".join(saved.paragraphs) == BODY


def test_bare_name_under_the_headline_is_the_author() -> None:
    assert (
        read(f"Harbour bridge closed over cracks\n\nAda Lorne\n\n{BODY}").author
        == "Ada Lorne"
    )
    assert (
        read(f"Harbour bridge closed over cracks\n\nMiddle East\n\n{BODY}").author
        is None
    )


def test_headline_in_a_breadcrumb() -> None:
    saved = read(
        f"{BODY}\nRead more\nNews/Local News/ Harbour bridge closed over cracks | Latest updates"
    )
    assert saved.title == "Harbour bridge closed over cracks"
    assert "\n".join(saved.paragraphs) == BODY


def test_without_any_headline_the_first_sentence_names_the_article() -> None:
    saved = read(BODY)
    assert saved.title.startswith("The old harbour bridge was closed")
    assert "\n".join(saved.paragraphs) == BODY


def test_links_at_the_end_go() -> None:
    saved = read(
        f"{TITLE}\n\n{BODY}\n\nRelated stories\nFerry to run all night\nMayor under fire"
    )
    assert "\n".join(saved.paragraphs) == BODY


def test_hard_wrapped_columns_are_joined() -> None:
    wrapped = (
        "Harbour bridge closed\n\nThe old harbour bridge was closed on Monday after inspectors found\ncracks "
        "in two of its pillars, the port said, and nobody could\nsay when it will be open again.\n\nTraffic "
        "is led over the northern road until the repairs are\ndone by the men of the port and\nthe town.\n"
    )
    assert len(read(wrapped).paragraphs) == 2


WRAPPED = (
    "Dock workers in Sennick began a strike over a new roster that the port\n"
    "company wants to begin in autumn, their union said on Monday. Ferries to\n"
    "the islands sail only in the morning until there is an agreement, and\n"
    "containers wait on the quays. Both sides are to meet again on Thursday in\n"
    "the town hall."
)


def test_wrapped_lines_are_joined_but_none_of_those_around_them() -> None:
    whole = " ".join(WRAPPED.split("\n"))
    around = (
        f"Strike at the docks\nBy Anna Berg\n{WRAPPED}\nSubscribe to our newsletter"
    )
    saved = read_titled_text(around, "Strike at the docks")
    assert (saved.paragraphs, saved.author) == ((whole,), "Anna Berg")
    two = read_titled_text(
        f"{WRAPPED}\nThe mayor spoke to both sides in the morning.", ""
    ).paragraphs
    assert two == (whole, "The mayor spoke to both sides in the morning.")
    lines = WRAPPED.split("\n")
    apart = "\n\n".join("\n".join(lines[at : at + 2]) for at in (0, 2, 0, 2))
    joined = tuple(" ".join(lines[at : at + 2]) for at in (0, 2, 0, 2))
    assert read_titled_text(apart, "").paragraphs == joined


@pytest.mark.parametrize(
    "lines",
    [
        tuple(f"Minister number {number} resigns after a long dispute on pensions" for number in range(6)),
        tuple(f"- {verb} the {number} bridges over the river before the winter comes to the town"
              for number, verb in enumerate(("repair", "paint", "close", "measure", "clean", "widen"))),
        ("the ferry lay all night beside the northern quay,", "and no one came to see it there but me,",
         "a boy of ten, who had been told to keep away", "from ropes and men, and from the restless sea",
         "that took his father on a summer day", "and gave back nothing but a silver key."),
    ],
)  # fmt: skip
def test_headlines_items_of_a_list_and_verses_are_not_joined(
    lines: tuple[str, ...],
) -> None:
    kept = tuple(line.removeprefix("- ") for line in lines)
    assert read_titled_text("\n".join(lines), "").paragraphs == kept


@pytest.mark.parametrize(
    "line",
    rows("plain", "boilerplate lines"),
)
def test_boilerplate_lines(line: str) -> None:
    assert is_boilerplate(line) or breadcrumb_pieces(line)


@pytest.mark.parametrize(
    "line",
    rows("plain", "sentences and headings are no boilerplate"),
)
def test_sentences_and_headings_are_no_boilerplate(line: str) -> None:
    assert not is_boilerplate(line)


def test_short_reading_of_a_text_with_a_known_headline() -> None:
    title = "Harbour bridge closed over cracks"
    text = f"{title.upper()}\nBy Ada Lorne\n{BODY}\nRead more: Ferry to run all night\n"
    saved = read_titled_text(text, title)
    assert "\n".join(saved.paragraphs) == BODY
    assert saved.author == "Ada Lorne"


def test_what_a_feed_puts_under_its_text_is_no_text() -> None:
    line = "The post Ferry in fog appeared first on Sennick Post."
    assert read_titled_text(f"{BODY}\n{line}", TITLE).paragraphs == (
        *BODY.splitlines(),
    )
    assert read_titled_text(line, TITLE).paragraphs == ()


@pytest.mark.parametrize(
    "notice", ["Share this article on Facebook.", "Reading time: 3 minutes."]
)
def test_a_notice_run_into_a_text_of_one_line_goes_without_it(notice: str) -> None:
    told = "A ferry sank near Port Ellis on Tuesday, killing 14 people, officials said."
    assert read_titled_text(f"{notice} {told}", "Ferry sinks").paragraphs == (told,)
    assert read_titled_text(told, told).paragraphs == ()


def test_a_date_above_a_text_with_a_known_headline_counts_where_none_is_declared() -> (
    None
):
    text = f"6 March 2025, 10:15\n{BODY}\nUpdated 7 March 2025"
    seen = dt.datetime(2025, 3, 10, tzinfo=dt.UTC)
    undated = read_titled_text(text, "Harbour bridge closed", is_dated=False, seen=seen)
    assert undated.published.time == dt.datetime(2025, 3, 6, 10, 15, tzinfo=dt.UTC)
    dated = read_titled_text(text, "Harbour bridge closed", seen=seen)
    assert dated.published is None
    assert "\n".join(dated.paragraphs) == "\n".join(undated.paragraphs) == BODY


def test_lists_code_and_headings_of_a_text_with_a_known_headline_stay() -> None:
    text = f"{BODY}\nWhat you need\n- 200 g rye flour\n- a pinch of salt\nif salty:\n{{\n}}\nNotes on rye"
    kept = text.replace("- ", "")
    assert "\n".join(read_titled_text(text, "Flood cake").paragraphs) == kept


def test_a_bare_word_does_not_open_a_list_of_links() -> None:
    text = (
        "Flood cake\n\n"
        + "The cake of the flood year is baked with rye and a little salt. " * 3
    )
    parts = "\n\nOther\n\n200 g rye flour\n\na pinch of salt"
    saved = read(text + parts)
    assert "Other" in saved.paragraphs
    assert "a pinch of salt" in saved.paragraphs
