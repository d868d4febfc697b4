"""Names that several outlets use, and topics that several declare."""

import pytest

from aggregator.model.article import ArticleView
from aggregator.stories.story_names import names_of, topics_of
from tests.support.tables import each_row, mapping
from tests.support.written_stories import an_article


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


SHARED = mapping("names", "names that articles share")


@pytest.mark.parametrize("name", SHARED)
def test_names_that_articles_share(name: str) -> None:
    articles = SHARED[name]["articles"]
    found = _names(*(_by(outlet, text, **more) for outlet, text, more in articles))
    assert found == SHARED[name]["names"]


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


@each_row("names", "a name is not cut at the words that link its parts", "name")
def test_a_name_is_not_cut_at_the_words_that_link_its_parts(name: str) -> None:
    assert _names_in_both(
        f"On the day they spoke with the {name}, which gave no answer."
    ) == {name}


@each_row(
    "names", "bodies of other languages are not cut", "language", "sentence", "name"
)
def test_bodies_of_other_languages_are_not_cut(
    language: str, sentence: str, name: str
) -> None:
    assert _names_in_both(sentence.format(name), language) == {name}


@each_row("names", "several names stay apart", "sentence", "names")
def test_several_names_stay_apart(sentence: str, names: list[str]) -> None:
    assert _names_in_both(sentence) == set(names)


def test_a_list_without_a_body_is_no_name() -> None:
    sentence = "It was sent to the Crime Reduction and Public Safety by all."
    assert _names_in_both(sentence) == {"Crime Reduction", "Public Safety"}


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
