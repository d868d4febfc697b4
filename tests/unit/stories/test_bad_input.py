"""Articles that are none: a story shows nothing of them rather than something wrong, in bounded time."""

from collections.abc import Iterator

import pytest

from aggregator.model.article import ArticleView
from aggregator.stories import lead, quotations, rendering
from aggregator.stories.plain_text import as_text
from aggregator.stories.rendering import render
from aggregator.stories.story_sentences import sentences_of_report
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.text import sentences
from tests.support.stories_examples import FERRY_A, check_words, ferry, story_text, view
from tests.support.tables import numbered

SENTENCE = (
    "Engineer number {} checked every pump in the lower town of Port Ellis on that day."
)
# 200,000 characters, as long as a text may be
LONG = " ".join(SENTENCE.format(n) for n in range(2_400))
ARABIC = "غرقت العبارة مارلين قبالة ميناء إليس مساء الثلاثاء بعد أن اصطدمت بصخرة كبيرة."
ARABIC_MORE = "وصلت فرق الإنقاذ إلى المكان بعد ساعة واحدة من وقوع الحادث في الميناء."
HEBREW = "המעבורת מרלין טבעה מול נמל אליס ביום שלישי בערב לאחר שפגעה בסלע גדול."
HEBREW_MORE = "כוחות ההצלה הגיעו למקום כעבור שעה אחת מרגע התאונה בנמל."


def beside_others(text: str, **changes: object) -> list[ArticleView]:
    return [*ferry(), view("bad", "Bad", title="Flood", text=text, hours=9, **changes)]


@pytest.mark.later
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Home\nNews\nSport\nWeather",
        "The ferry " + "and the boat " * 1_666 + "sank.",  # one sentence of 5,000 words
        "“" + LONG,
        "".join(numbered("“%n ", 9_000)),
        "\u00a0\n\u2003 \u00a0\n\u200b\n\ufeff",
        "Photo: Lena Moor\nClick here to subscribe to the newsletter.\nFollow us on Twitter for more news!",
        "\ufffd\ufffd &amp; â€œ The ferry sank with 240 people on board â€œ.",
    ],
    ids=[
        "empty",
        "menu",
        "5,000 words",
        "unclosed",
        "open marks",
        "spaces",
        "advertisements",
        "characters",
    ],
)
def test_what_has_nothing_to_show_shows_nothing(text: str) -> None:
    shown = story_text(beside_others(text), ferry()[0].title)
    assert "bad" not in {p.article_id for p in (*shown.lead, *shown.openings)}
    assert "bad" not in {
        id_ for quotation in shown.quotations for id_ in quotation.article_ids
    }
    assert "Bad, 2025-03-12 21:00: Flood" in as_text(shown, beside_others(text))
    check_words(story_text([view(text=text)]), [view(text=text)])


def test_a_story_of_a_sentence_of_5000_words_has_no_lead() -> None:
    assert (
        story_text(
            [view(title="Ferry", text="The ferry " + "and the boat " * 1_666 + "sank.")]
        ).lead
        == ()
    )


@pytest.mark.parametrize(
    ("first", "more"), [(ARABIC, ARABIC_MORE), (HEBREW, HEBREW_MORE)], ids=["ar", "he"]
)
def test_text_from_right_to_left_is_shown_word_for_word(
    first: str, more: str, request: pytest.FixtureRequest
) -> None:
    language = request.node.callspec.id
    articles = [
        view("a", "A", title="A", text=f"{first}\n{more}", language=language),
        view("b", "B", title="B", text=f"{more}\n{first}", language=language, hours=1),
        view(
            "c", "C", title="C", text=f"{more[:30]} {first}", language=language, hours=2
        ),
    ]
    shown = story_text(articles)
    assert shown.lead
    check_words(shown, articles)


def test_odd_spaces_are_kept_as_the_article_has_them() -> None:
    text = FERRY_A.replace(" ", "\u00a0").replace("\n", "\n\u2003\n")
    shown = story_text([view(title="Ferry", text=text)])
    assert [p.text for p in shown.lead] == FERRY_A.replace(" ", "\u00a0").split("\n")[
        :3
    ]


def test_a_story_without_texts_has_titles_only() -> None:
    articles = [
        view("a", title="Ferry sinks off Port Ellis"),
        view("b", "Two", title="Ferry sinks", hours=1),
    ]
    shown = story_text(articles)
    assert shown.title
    assert (shown.lead, shown.openings, shown.quotations) == ((), (), ())
    assert as_text(shown, articles).split("\n\n") == [
        "Two, 2025-03-12 13:00: Ferry sinks",
        "Harbour Post, 2025-03-12 12:00: Ferry sinks off Port Ellis",
    ]
    assert story_text([]).title == ""
    assert as_text(story_text([]), []) == ""


def test_of_500_reports_as_many_are_read_as_of_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "“We will search for all {} missing passengers this week,” Mayor Anna Berg{} said."
    articles = [
        view(
            f"r{n}",
            f"P{n}",
            title=f"Ferry {n}",
            text=f"{SENTENCE.format(n)}\n{said.format(n, n)}",
            hours=n,
        )
        for n in range(500)
    ]
    reads = []

    def counting(text: str, title: str) -> Iterator[str]:
        reads.append(text)
        return sentences_of_report(text, title)

    for module in (rendering, quotations):
        monkeypatch.setattr(module, "sentences_of_report", counting)
    shown = story_text(articles)
    assert len(reads) <= 3 * shipped_tuning().reports_cap
    assert len(shown.openings) < shipped_tuning().reports_cap
    assert len(shown.quotations) <= quotations.MOST


@pytest.mark.parametrize(
    "text", [LONG, LONG.replace(". ", ".\n"), '"' + LONG], ids=["line", "lines", "open"]
)
def test_of_a_long_text_only_the_beginning_is_read(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = []
    inner = sentences.split_sentences

    def counting(paragraph: str, *least: int) -> list[str]:
        split.append(len(paragraph))
        return inner(paragraph, *least)

    monkeypatch.setattr(sentences, "split_sentences", counting)
    monkeypatch.setattr(lead, "split_sentences", counting)
    report = view("long", "Long", title="Pumps", text=text, lead=text[:600])
    story_text([report, *ferry()], "Pumps of Port Ellis")
    assert sum(split) < 40_000


@pytest.mark.parametrize("surname", ["Berg", "B", "”", "((", "Berg\\"])
def test_a_name_of_any_letters_is_looked_for(surname: str) -> None:
    said = f"“We will not stop searching for the missing passengers,” {surname} said."
    articles = [
        *ferry(),
        view("q", "Q", title="Q", text=f"{FERRY_A}\n{said}" + f" {surname}" * 9_000),
    ]
    check_words(render("Ferry", articles, shipped_tuning()).shown, articles)
