"""Merged stories in other languages than English: split, compared and denied by the words of the language."""

import datetime as dt
import itertools
import json
from pathlib import Path

import pytest

from aggregator.model.core import ArticleView
from aggregator.stories.facts.figures import figures_in
from aggregator.stories.facts.sentence_similarity import denies
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.words import heads, tokens
from tests.support.stories_examples import NOON, view

STORIES = Path(__file__).parents[2] / "data" / "merged"
LANGUAGES = sorted(path.stem for path in STORIES.glob("*.jsonl"))


def reports(language: str) -> list[ArticleView]:
    lines = (STORIES / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        view(
            f"{language}{n}",
            record["outlet"],
            title=record["title"],
            text=record["text"],
            language=language,
            published=NOON + dt.timedelta(hours=record["hours"]),
        )
        for n, record in enumerate(map(json.loads, lines))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_that_is_shown_stands_in_its_report(language: str) -> None:
    articles = {article.id: article for article in reports(language)}
    merged = merge(reports(language))
    said = [s for fact in (*merged.facts, *merged.quotations) for s in fact.said]
    said += [*merged.only, *merged.summary]
    assert len({s.article for s in said}) == len(articles)
    for one in said:
        assert any(one.text in line for line in articles[one.article].text.split("\n"))
    assert as_text(merged, list(articles.values())) == as_text(
        merge(reports(language)[::-1]), reports(language)
    )


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("de", "gebrochen", "gebrochen"),
        ("fr", "détruit", "détruite"),
        ("es", "chocaron", "choque"),
        ("ru", "взорвался", "взорвался"),
        ("ar", "انهار", "انهار"),
        ("it", "crollato", "crollato"),
        ("pt", "destruiu", "destruída"),
        ("nl", "gezonken", "zonk"),
        ("zh", "体育馆", "体育馆"),
    ],
)
def test_what_two_outlets_say_is_counted(language: str, one: str, other: str) -> None:
    pairs = (pair for fact in merge(reports(language)).facts for pair in itertools.permutations(fact.said, 2))
    assert any(one in a.text and other in b.text for a, b in pairs if a.article != b.article)


@pytest.mark.parametrize(
    ("language", "whole"),
    [
        ("de", "Am 6. Dezember war der Deich zuletzt geprüft worden, sagte Dr. Ilse Harmsen vom Landesamt."),
        (
            "de",
            "Bei der Flut starben nach Angaben der Polizei sechs Menschen, z. B. in Kellern der Unterstadt.",
        ),
        (
            "fr",
            "« Nous avons tout déclaré. Les contrôles le prouvent », a dit M. Jean Ardouin, le directeur.",
        ),
        ("es", "El Sr. Ramón Otero, alcalde de Valdehierro, decretó tres días de luto."),
        ("zh", "工厂负责人否认有关安全检查被推迟的说法。"),
        ("ja", "船会社は、安全点検を怠ったとの指摘を否定した。"),
        ("ar", "يقول السكان إنهم حذروا البلدية مرات عديدة."),
    ],
)
def test_sentences_end_where_the_language_ends_them(language: str, whole: str) -> None:
    merged = merge(reports(language))
    said = [s for fact in merged.facts for s in fact.said] + [*merged.only, *merged.summary]
    assert whole in {one.text for one in said}


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Rund 3.500 Häftlinge kamen frei.", (3105.0, "people")),
        ("de", "Der Schaden liegt bei 3,5 Millionen Euro.", (3_450_000.0, "")),
        ("fr", "Quelque 12 500 personnes ont fui.", (11205.0, "people")),
        ("es", "Murieron 3.500 presos.", (3450.0, "people")),
        ("zh", "爆炸造成17人受伤。", (17.0, "people")),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(
    language: str, text: str, expected: tuple[float, str]
) -> None:
    (figure,) = figures_in(text, language)
    assert (figure.low, figure.noun if not figure.unit else "") == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Um 4.30 Uhr begann der Einsatz."),
        ("de", "Die 34-Jährige blieb unverletzt."),
        ("fr", "Le feu a pris vers 4 h 30."),
        ("es", "Ocurrió a las 10 horas del 3 de marzo."),
        ("ru", "Это случилось 12 марта."),
    ],
)
def test_clocks_days_and_ages_are_no_figures(language: str, text: str) -> None:
    assert figures_in(text, language) == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "Un sismo de magnitud 6,2 deja al menos doce muertos."),
        ("fr", "Un séisme de magnitude 6,2 fait au moins douze morts."),
        ("nl", "Beving met een kracht van 6,2: zeker twaalf doden."),
        ("ru", "При землетрясении магнитудой 6,2 погибли 12 человек."),
        ("ar", "قتل 12 شخصا في زلزال بقوة 6.2 درجة."),
        ("en", "A magnitude 6.2 quake left at least twelve dead."),
    ],
)
def test_a_magnitude_is_no_number_of_dead(language: str, text: str) -> None:
    dead = [figure.stated[0] for figure in figures_in(text, language) if figure.kind == "dead"]
    assert dead == [12.0]


@pytest.mark.parametrize(
    ("language", "heading"),
    [("de", "Zeitleiste"), ("es", "Cronología"), ("ar", "التسلسل الزمني"), ("ja", "Timeline")],
)
def test_headings_are_in_the_language_of_the_story(language: str, heading: str) -> None:
    assert f"\n\n{heading}\n" in as_text(merge(reports(language)), reports(language))


@pytest.mark.parametrize(("language", "speaker"), [("pt", "Rui Antunes"), ("nl", "Anna de Wit")])
def test_a_speaker_is_found_by_the_verbs_of_the_language(language: str, speaker: str) -> None:
    assert [speaker in fact.speaker for fact in merge(reports(language)).quotations] == [True]


def test_elided_articles_are_words_of_their_own() -> None:
    words = [token.lower for token in tokens("L’usine d’Albi n’ouvre pas.", "fr")]
    assert words == ["usine", "albi", "ouvre", "pas"]
    assert list(heads("l'usine", "fr")) == list(heads("usine", "fr"))


@pytest.mark.parametrize(
    ("language", "text", "is_denial"),
    [
        ("de", "Der Konzern wies die Vorwürfe zurück.", True),
        ("de", "Das Amt wollte das nicht dementieren.", False),
        ("fr", "Le groupe a rejeté ces accusations.", True),
        ("fr", "Le Sénat a rejeté le budget.", False),
        ("es", "El ministro rechazó las acusaciones.", True),
        ("it", "Il ministro ha smentito le voci.", True),
        (None, "Der Sprecher dementierte Berichte über einen Rücktritt.", False),
        (None, "The ministry denied that the ship was overloaded.", True),
        (None, "The claim is baseless, he said.", True),
        (None, "Rumours of his flight were later denied by his office.", True),
        (None, "The court denied him bail on Monday.", False),
        (None, "He declined to deny the reports.", False),
        (None, "Parliament rejected the budget.", False),
    ],
)
def test_denials_go_by_the_words_of_the_language(language: str | None, text: str, is_denial: bool) -> None:
    assert denies(text, language) is is_denial
