"""Names that several outlets use, and topics that several declare."""

import pytest

from aggregator.model.article import ArticleView
from aggregator.stories.story_names import names_of, topics_of
from tests.support.tables import rows
from tests.support.written_stories import an_article

_HERALD = (
    "The flood came at night. Firefighters said that Ilse Brandt had asked everybody to leave. On Monday the "
    "water authority spoke of Pennmouth, where Mayor Brandt lives, and of the river Arrel."
)
_ECHO = (
    "In the evening the mayor, Ilse Brandt, left the town of Pennmouth by boat, as European Commission "
    "President Oda Renn did, wrote the Daily Echo on Monday."
)


def _by(
    outlet: str, text: str = "", title: str = "Flood", **more: object
) -> ArticleView:
    return an_article(
        id=f"{outlet}-{title}",
        outlet=outlet,
        outlet_key=outlet,
        title=title,
        text=text,
        **more,
    )


def _names(*articles: ArticleView) -> dict[str, int]:
    return {one.name: one.outlets for one in names_of(articles)}


def test_a_name_needs_two_outlets_and_is_written_in_full() -> None:
    assert _names(_by("Herald", _HERALD), _by("Echo", _ECHO)) == {
        "Ilse Brandt": 2,
        "Pennmouth": 2,
    }


def test_two_articles_of_one_outlet_are_one_user() -> None:
    assert _names(_by("Herald", _HERALD), _by("Herald", _ECHO, title="Later")) == {}


def test_a_name_of_the_only_outlet_is_in_its_title_too() -> None:
    assert _names(_by("Herald", _HERALD, title="Flood at Pennmouth")) == {
        "Pennmouth": 1
    }


def test_titles_days_and_the_outlets_themselves_are_no_names() -> None:
    text = "They met with President Oda Renn on Friday, said a reporter for the Daily Echo in a column."
    assert _names(_by("Herald", text), _by("Daily Echo", text)) == {"Oda Renn": 2}


def test_a_word_that_is_also_written_small_is_no_name() -> None:
    assert (
        _names(
            _by("Herald", "We know, Games are games."),
            _by("Echo", "We know, Games began."),
        )
        == {}
    )


def test_a_name_of_the_only_outlet_is_a_whole_word_of_its_title() -> None:
    text = "The town of Orson asked for help. It came from Arrel’s boats."
    assert _names(_by("Herald", text, title="Storm: persons in boats")) == {}
    assert _names(_by("Herald", text, title="Arrel’s flood")) == {"Arrel": 1}


def test_offices_parties_headings_and_everyday_words_are_no_names() -> None:
    text = (
        "They met Secretary of State John Kerry and Ann Lee (R-Utah), of the Bureau of Alcohol, Tobacco and "
        "Firearms, said the author of Tales For All Boys, about Obama-era rules."
    )
    found = _names(_by("Herald", text), _by("Echo", text))
    assert {"John Kerry": 2, "Ann Lee": 2}.items() <= found.items()
    assert not {"Tobacco", "R-Utah", "Obama-era", "Tales For All Boys"} & found.keys()


def _names_in_both(sentences: str, language: str = "en") -> set[str]:
    """Return the names of a story in which two outlets have these sentences."""
    return {
        *_names(
            _by("Herald", sentences, language=language),
            _by("Echo", sentences, language=language),
        )
    }


@pytest.mark.parametrize(
    "name",
    rows("names", "a name is not cut at the words that link its parts"),
)
def test_a_name_is_not_cut_at_the_words_that_link_its_parts(name: str) -> None:
    assert _names_in_both(
        f"On the day they spoke with the {name}, which gave no answer."
    ) == {name}


@pytest.mark.parametrize(
    ("language", "sentence", "name"),
    rows("names", "bodies of other languages are not cut"),
)
def test_bodies_of_other_languages_are_not_cut(
    language: str, sentence: str, name: str
) -> None:
    assert _names_in_both(sentence.format(name), language) == {name}


@pytest.mark.parametrize(
    ("sentence", "names"),
    rows("names", "several names stay apart"),
)
def test_several_names_stay_apart(sentence: str, names: list[str]) -> None:
    assert _names_in_both(sentence) == set(names)


def test_a_list_without_a_body_is_no_name() -> None:
    sentence = "It was sent to the Crime Reduction and Public Safety by all."
    assert _names_in_both(sentence) == {"Crime Reduction", "Public Safety"}


def test_a_body_in_short_is_the_one_in_full_but_its_place_is_not() -> None:
    short = "They asked the Centers for Disease Control, then left for England."
    full = "The new Centers for Disease Control and Prevention met the Bank of England in England."
    found = _names(_by("Herald", short), _by("Echo", full), _by("Post", full))
    assert found == {
        "Centers for Disease Control and Prevention": 3,
        "Bank of England": 2,
        "England": 3,
    }


def test_accents_and_cases_are_one_name() -> None:
    texts = (
        "We saw Oda Renée Jarrett. Then Jarrett left.",
        "We saw Oda Renee Jarrett; Jarrett left.",
    )
    assert _names(*(_by(f"Outlet {n}", one) for n, one in enumerate(texts))) == {
        "Oda Renee Jarrett": 2
    }
    cafe = "Au Café de Tarnow la foule. Un café s’ouvre et le café ferme. On aime Café."
    assert _names(_by("Outlet", cafe, title="Café ferme", language="fr")) == {}
    texts = (
        "Вчера сказал Пятигорский.",
        "По словам Пятигорского, так.",
        "Он с Пятигорским говорил.",
    )
    russian = [_by(f"Outlet {n}", one, language="ru") for n, one in enumerate(texts)]
    assert _names(*russian) == {"Пятигорский": 3}


def _topics(*declared: tuple[str, tuple[str, ...] | None]) -> list[tuple[str, int]]:
    views = [
        _by(outlet, title=str(n), categories=found)
        for n, (outlet, found) in enumerate(declared)
    ]
    return [(one.name, one.outlets) for one in topics_of(views)]


def test_a_topic_needs_two_outlets_in_any_spelling() -> None:
    found = _topics(
        ("Herald", ("Climate", "Rivers")),
        ("Echo", ("climate", "Boats")),
        ("Post", ("Climate",)),
    )
    assert found == [("Climate", 3)]


def test_the_only_outlet_with_categories_is_believed_and_three_are_shown() -> None:
    found = _topics(
        ("Herald", ("World", "Floods", "Rivers", "Boats")), ("Echo", ()), ("Post", ())
    )
    assert found == [("World", 1), ("Floods", 1), ("Rivers", 1)]


def test_what_names_no_topic_is_dropped() -> None:
    declared = ("News", "Uncategorized", "2026", "a, b, c", "Home > World", "#Floods")
    assert _topics(("Herald", declared)) == [("Floods", 1)]


@pytest.mark.later
def test_a_text_of_names_alone_does_not_compare_each_with_each() -> None:
    """Compared in pairs, these 45,000 names would keep the writer busy for a minute."""
    syllables = [a + b for a in "bdfgklmnpr" for b in "aeiou"]
    families = [
        f"{a}{b}{c}".title()
        for a in syllables
        for b in syllables[:30]
        for c in syllables[:30]
    ]
    texts = [
        " ".join(f"said Oda {name}," for name in families[start::5])
        for start in range(5)
    ]
    known = "The mayor, Ilse Brandt, spoke. Later, said Brandt, it rained."
    found = names_of(
        [_by(f"Herald {n}", f"{text} {known}") for n, text in enumerate(texts)]
    )
    assert [(one.name, one.outlets) for one in found] == [("Ilse Brandt", 5)]
