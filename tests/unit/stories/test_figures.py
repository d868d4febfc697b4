"""Figures in sentences."""

import pytest

from aggregator.stories.facts.figures import figures_in, with_counted
from aggregator.stories.facts.sentence_similarity import ReadSentence


@pytest.mark.parametrize(
    ("sentence", "words", "low", "high"),
    [
        ("It cost $3 million to build.", "$3 million", 3e6 - 5e5, 3e6 + 5e5),
        ("Hundreds of people fled.", "Hundreds", 200, 999),
        ("At least 14 people were killed.", "At least 14", 14, 28),
        ("Some 3,500 prisoners were freed.", "Some 3,500", 0.9 * 3450, 1.1 * 3550),
        ("They stood twenty kilometers from the city.", "twenty", 20, 20),
        ("They stood 10 miles from the city.", "10", 16.09, 16.09),
        ("Turnout was 61.5 percent.", "61.5 percent", 61.5, 61.5),
        ("Up to 40 fighters came.", "Up to 40", 20, 40),
        ("At least 1,950 people were killed.", "At least 1,950", 1945, 2 * 1955),
    ],
)
def test_a_figure_is_an_interval(sentence: str, words: str, low: float, high: float) -> None:
    (figure,) = figures_in(sentence)
    assert figure.words == words
    assert (figure.low, figure.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("sentence", "language"),
    [("爆炸发生在11:30，造成14人死亡。", "zh"), ("Saa 11:30 watu 14 walikufa.", "sw")],
)
def test_a_clock_time_hides_no_figure_after_it(sentence: str, language: str) -> None:
    assert [figure.words for figure in figures_in(sentence, language)][-1:] == ["14"]


@pytest.mark.parametrize(
    "sentence",
    [
        "It happened in 2019.", "The 2000 games were in Tarnow.", "Mara Lund, 34, was unhurt.",
        "It happened at 11:30 in the morning.", "The 34-year-old was unhurt.",
        "He finished 3rd in Tarnow.", "Resolution 2254 was adopted.",
        # letters like those of a number, and endless digits
        "Sıx people died.", "Hundredſ died.", "It cost $5 mıllion.", f"It cost ${'9' * 400}.",
    ],
)  # fmt: skip
def test_what_is_no_figure(sentence: str) -> None:
    assert figures_in(sentence) == []


def test_raised_and_circled_digits_are_no_year() -> None:
    assert ReadSentence("The ²²²² ships and ①②③④ boats met.", "en").numbers == {"²²²²", "①②③④"}


def test_a_figure_knows_what_it_counts() -> None:
    killed, freed = figures_in(
        "The attack killed 14 soldiers; later the rebels said 90 prisoners were freed."
    )
    assert (killed.kind, killed.noun) == ("dead", "people")
    assert (freed.kind, freed.noun) == ("freed", "people")


@pytest.mark.parametrize(
    ("sentence", "language", "shown"),
    [
        ("The death toll rose to 14.", "en", "death toll rose to 14"),
        ("Die Zahl der Toten stieg auf 140.", "de", "Zahl der Toten stieg auf 140"),
    ],
)
def test_a_figure_is_shown_with_what_it_counts(sentence: str, language: str, shown: str) -> None:
    (figure,) = figures_in(sentence, language)
    assert with_counted(sentence, figure, language) == shown


def test_miles_and_kilometres_of_one_length_are_one_figure() -> None:
    miles, kilometres = (figures_in(f"The road is {length} long.")[0] for length in ("70 miles", "113 km"))
    assert miles.counted == kilometres.counted


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("At least four people were killed and 14 taken to hospital.", ["dead", "injured"]),
        ("One person died and two were hurt.", ["dead", "injured"]),
        ("Eleven residents are unaccounted for.", ["missing"]),
        ("Two boats came to one pier.", []),
        ("No one was hurt.", []),
    ],
)
def test_small_numbers_count_where_their_own_clause_says_what(sentence: str, kinds: list[str]) -> None:
    assert [figure.kind for figure in figures_in(sentence)] == kinds


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("Dozens were killed in the flood.", "en"),
        ("A dozen people were killed in the flood.", "en"),
        ("The flood killed twelve’s people.", "en"),
        ("L'une des digues a tué trois personnes.", "fr"),
        ("Des centaines de personnes ont fui.", "fr"),
        ("Ein Dutzend Menschen wurden getötet.", "de"),
        ("洪水造成三人死亡。", "zh"),
    ],
)
def test_a_sentence_is_read_with_the_figures_that_are_spelt_in_it(sentence: str, language: str) -> None:
    assert list(ReadSentence(sentence, language).figures) == figures_in(sentence, language)
    assert not ReadSentence("The flood came at night.", language).figures


@pytest.mark.parametrize(
    ("sentence", "heads"),
    [
        ("They did NOT leave Halverne.", {"leav", "halvern"}),
        ("Nobody left; the ferry didn't sail and cannot return.", {"leav", "ferri", "sail", "return"}),
        ("The note of the notary knows November and an economy.", set()),
    ],
)
def test_negations_are_whole_words(sentence: str, heads: set[str]) -> None:
    read = ReadSentence(sentence, "en")
    assert (bool(read.negations), read.negated) == (bool(heads), heads)
