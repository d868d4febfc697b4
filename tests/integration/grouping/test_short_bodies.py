"""A feed that gives a sentence below its headline joins the story."""

import datetime as dt

import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import NOON, Rig, record

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
    rig = Rig(sqlite)
    (first,) = rig.take(
        record("Herald", "1", title, body, language=language, published=at(0))
    )
    (second,) = rig.take(
        record(
            "Post", "2", other_title, other_body, language=language, published=at(120)
        )
    )
    assert (second.outcome, second.story) == ("joined", first.story)
