"""A feed that gives a sentence below its headline joins the story; an advertisement in its place does not."""

import datetime as dt

import pytest

from aggregator.model.entry import Authority
from aggregator.store.engine.database import Database
from tests.integration.intake.test_hijacks import HEADLINE
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    Clock,
    Rig,
    record,
    trust,
)

# (language, title and body of the first outlet, then of the second)
SHORT_BODIES = {
    "a death": (
        "en",
        "Labour campaigner Orla Quaid dies, aged 91",
        "The two-time candidate for president, remembered for fiery speeches, died at home among her"
        " children, relatives said.",
        "Irish labour campaigner Orla Quaid dies aged 91",
        "Messages arrived from ministers who called Quaid a voice of the poor and a stubborn negotiator.",
    ),
    "a resignation": (
        "de",
        "Verkehrsministerin Hella Brinkmann tritt zurück",
        "Nach Wochen der Kritik am Bau der neuen Elbbrücke zieht die Politikerin die Konsequenzen und"
        " verlässt das Kabinett.",
        "Ministerin Hella Brinkmann tritt zurück",
        "Opposition und Verbände begrüßen den Schritt, der Kanzler dankt Brinkmann für ihre Arbeit in"
        " schwerer Zeit.",
    ),
    "a fire": (
        "es",
        "Un incendio destruye el mercado central de Valdemora",
        "Las llamas comenzaron de madrugada en un puesto de flores y obligaron a desalojar a cien vecinos de"
        " la zona.",
        "Incendio destruye el mercado central de Valdemora",
        "Los comerciantes de Valdemora piden ayudas al ayuntamiento tras perder toda la mercancía de la"
        " temporada.",
    ),
}


def at(minutes: int) -> dt.datetime:
    return NOON + dt.timedelta(minutes=minutes)


@pytest.mark.parametrize("name", SHORT_BODIES)
def test_two_short_bodies_of_few_words_in_common_under_nearly_one_headline_are_one_story(
    sqlite: Database, name: str
) -> None:
    language, title, body, other_title, other_body = SHORT_BODIES[name]
    rig = Rig(sqlite, Clock(NOON))
    (first,) = rig.take(
        record("Herald", "1", title, body, language=language, published=at(0))
    )
    (second,) = rig.take(
        record(
            "Post", "2", other_title, other_body, language=language, published=at(120)
        )
    )
    assert (second.outcome, second.story) == ("joined", first.story)


SENTENCES = (
    "Play at Golden Harbour casino tonight and get two hundred free spins with your first deposit.",
    "Slimona drops helped me lose twelve kilos in a month, so order three bottles today and pay for two.",
    "Our garden furniture is reduced by half until Sunday, with free delivery of every lounge and parasol.",
)


@pytest.mark.later
@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("repeats_headline", [False, True])
@pytest.mark.parametrize(
    ("authority", "is_known"),
    [
        pytest.param("foreign", False, id="new feed"),
        pytest.param("foreign", True, id="feed of the day before"),
        pytest.param("handed", False, id="file"),
        pytest.param("page", False, id="push"),
    ],
)
def test_an_advertisement_of_one_sentence_under_the_headline_of_a_report_stays_out(
    sqlite: Database,
    authority: Authority,
    is_known: bool,
    repeats_headline: bool,
    sentence: str,
) -> None:
    rig = Rig(sqlite, Clock(NOON))
    rig.take(
        record("Herald", "1", HEADLINE, FLOOD, published=NOON),
        record(
            "Post",
            "2",
            "Four dead as Pennmouth is flooded",
            FLOOD_ELSEWHERE,
            published=NOON,
        ),
    )
    source = "https://spam.example/feed"
    if is_known:
        trust(sqlite, [source])
        rig.restart()
    text = f"{HEADLINE}. {sentence}" if repeats_headline else sentence
    spam = record(
        source,
        "x",
        HEADLINE,
        text,
        url="https://spam.example/x",
        outlet="spam.example",
        authority=authority,
        published=at(10),
    )
    (placed,) = rig.take(spam)
    assert placed.outcome == "founded"
