"""The later version of a text is what a story shows, if it comes from who may replace the earlier one."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.cli.explain_command import explanation_text
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.model.entry import Entry
from aggregator.model.story import StoryView
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, story
from tests.support.articles import HOUR, NOON, Rig, record, trust
from tests.support.newsroom import Newsroom
from tests.support.rows import column, queried
from tests.support.story_checks import (
    placing_of,
    recluster,
    what_is_wrong,
)
from tests.support.tables import each_row, rows

REST = (
    "The quarry had been inspected in May. Two cranes were sent from the harbour, and the road to "
    "the village "
    "stays closed. The owner, Bersk Stone, did not answer calls. A spokesman of the region said "
    "that families "
    "were being looked after in the school of Tellin, where a telephone line was set up."
)
BEFORE = f"A wall of the Tellin quarry fell on Thursday and killed 3 workers, the fire service said. {REST}"
AFTER = BEFORE.replace("killed 3", "killed nine")


def piece(
    outlet: str,
    text: str,
    hours: float,
    title: str = "Wall of Tellin quarry falls",
    **more: object,
) -> Entry:
    name = f"{outlet} {hours}"
    return record(
        outlet,
        name,
        title,
        text,
        published=NOON + hours * HOUR,
        language=more.pop("language", "en"),
        **more,
    )


def only_story(database: Database) -> StoryView:
    (id_,) = column(database, story.c.id, story.c.redirect_to.is_(None))
    found = StoryReader(database, Tuning()).story(id_)
    assert isinstance(found, StoryView)
    return found


def states(shown: StoryView) -> list[str | None]:
    """The articles by time: whether each has another version than the current one."""
    return [one.version for one in shown.articles]


SIBLINGS = rows("versions", "siblings")
RESTS = {
    "en": REST,
    "de": "Der Steinbruch war im Mai geprüft worden. Zwei Kräne kamen aus dem Hafen, und die Straße "
    "zum Dorf bleibt "
    "gesperrt. Der Besitzer war nicht zu erreichen. Ein Sprecher des Kreises sagte, dass die "
    "Familien in der Schule "
    "betreut werden, wo ein Telefon eingerichtet wurde.",
    "fr": "La carrière avait été inspectée en mai. Deux grues sont venues du port et la route du "
    "village reste fermée. "
    "Le propriétaire ne répondait pas. Un porte-parole de la région a dit que les familles étaient "
    "accueillies dans "
    "l'école, où une ligne de téléphone est ouverte.",
    "es": "La cantera había sido revisada en mayo. Dos grúas llegaron del puerto y el camino del "
    "pueblo sigue cerrado. "
    "El dueño no respondió a las llamadas. Un portavoz de la región dijo que las familias son "
    "atendidas en la escuela, "
    "donde se abrió una línea de teléfono.",
}


@pytest.mark.parametrize(
    "is_read_first", [False, True], ids=["in order", "the later one is read first"]
)
@pytest.mark.parametrize(
    ("language", "title", "new_title", "before", "after", "news"), SIBLINGS
)
def test_the_later_version_of_an_outlet_is_shown(
    sqlite: Database,
    language: str,
    title: str,
    new_title: str,
    before: str,
    after: str,
    news: str,
    is_read_first: bool,
) -> None:
    rig = Rig(sqlite, lambda: NOON)
    rest = RESTS[language]
    pair = [
        piece("Kite Daily", f"{before} {rest}", -24, title, language=language),
        piece("Kite Daily", f"{after} {rest}", 0, new_title, language=language),
    ]
    for entry in reversed(pair) if is_read_first else pair:
        rig.take(entry)
    shown = only_story(sqlite)
    assert (shown.title, shown.report_count, states(shown)) == (
        new_title,
        1,
        ["earlier", None],
    )
    assert news in shown.summary
    assert shown.updated.replace(microsecond=0) == NOON


def test_an_agency_text_is_replaced_by_who_names_the_agency(rig: Rig) -> None:
    rig.take(piece("Kite Daily", f"LINDMAR (NPA) - {BEFORE}", -3))
    rig.take(piece("Harbour Post", f"LINDMAR (NPA) - {AFTER}", -1))
    shown = only_story(rig.database)
    assert (shown.report_count, states(shown), "killed nine" in shown.summary) == (
        1,
        ["earlier", None],
        True,
    )
    rig.take(piece("Lindmar Echo", AFTER.replace("nine", "40"), 0))
    shown = only_story(rig.database)
    assert states(shown) == ["earlier", None, "other"]
    assert "killed nine" in shown.summary


def test_anybody_could_print_another_version_until_a_second_origin_does(
    rig: Rig,
) -> None:
    rig.take(piece("Kite Daily", BEFORE, -9))
    bumped = only_story(rig.database).updated
    rig.take(
        piece(
            "Harbour Post", AFTER, -4, "Correction: Wall of Tellin quarry falls on nine"
        )
    )
    shown = only_story(rig.database)
    assert (shown.title, states(shown), shown.updated) == (
        "Wall of Tellin quarry falls",
        [None, "other"],
        bumped,
    )
    assert "killed 3" in shown.summary
    rig.take(piece("Lindmar Echo", AFTER, 0))
    shown = only_story(rig.database)
    assert (states(shown), shown.report_count) == (["earlier", None, None], 1)
    assert "killed nine" in shown.summary
    assert shown.updated > bumped


def test_a_new_feed_replaces_no_text_of_others_by_naming_their_agency(rig: Rig) -> None:
    rig.take(piece("Kite Daily", f"LINDMAR (NPA) - {BEFORE}", -3))
    rig.take(piece("Fresh Feed", f"LINDMAR (NPA) - {AFTER}", 0, authority="own"))
    rig.take(piece("Other Feed", f"LINDMAR (NPA) - {AFTER}", 0, authority="own"))
    shown = only_story(rig.database)
    assert "killed 3" in shown.summary
    assert states(shown)[0] is None


@pytest.mark.parametrize("hours", [-20, 0], ids=["an earlier date", "a later one"])
@pytest.mark.parametrize("is_read_first", [False, True])
def test_a_new_feed_replaces_no_text_whatever_date_it_states(
    rig: Rig, hours: int, is_read_first: bool
) -> None:
    trust(rig.database, ["Kite Daily Kite Daily"])
    known = piece("Kite Daily", BEFORE, -3)
    hostile = piece(
        "Fresh Feed",
        AFTER,
        hours,
        "Wall of Tellin quarry falls on nine",
        authority="own",
    )
    for entry in (hostile, known) if is_read_first else (known, hostile):
        rig.take(entry)
    shown = only_story(rig.database)
    assert shown.title == "Wall of Tellin quarry falls"
    assert "killed 3" in shown.summary


def test_a_third_text_under_the_name_of_an_outlet_parts_none_of_its_versions(
    rig: Rig,
) -> None:
    _, title, new_title, before, after, _ = SIBLINGS[1]
    rig.take(piece("Kite Daily", f"{before} {REST}", -24, title))
    rig.take(piece("Kite Daily", f"{after} {REST}", -3, new_title))
    other = before.replace("Karl Dorn, 61", "Vera Pill, 30")
    claimed = piece(
        "Kite Daily", f"{other} {REST}", -1, "Police arrest Pill over fire at mill"
    )
    rig.take(replace(claimed, source="Fresh Feed", authority="foreign"))
    stories = column(rig.database, article.c.story)
    assert stories[0] == stories[1]


def test_a_copy_that_is_revised_becomes_a_version_and_back(rig: Rig) -> None:
    first = piece("Kite Daily", f"LINDMAR (NPA) - {BEFORE}", -9)
    copied = piece(
        "Harbour Post",
        f"LINDMAR (NPA) - {BEFORE}",
        -8,
        url="https://harbour.example/quarry",
    )
    rig.take(first, copied)
    rig.take(replace(copied, text=f"LINDMAR (NPA) - {AFTER}"))
    assert "killed nine" in only_story(rig.database).summary
    placed = queried(
        rig.database, select(article.c.version_of).order_by(article.c.inbox_no)
    ).all()
    recluster(rig.database)
    assert (
        queried(
            rig.database, select(article.c.version_of).order_by(article.c.inbox_no)
        ).all()
        == placed
    )
    rig.restart()
    rig.take(replace(copied, text=f"By Ada Quill\nLINDMAR (NPA) - {BEFORE}"))
    assert states(only_story(rig.database)) == [None, None]


@pytest.mark.later
@each_row("versions", "the same text moves nothing", "again")
@pytest.mark.parametrize("outlet", ["Kite Daily", "Harbour Post"])
def test_the_same_text_moves_nothing(sqlite: Database, again: str, outlet: str) -> None:
    rig = Rig(sqlite, lambda: NOON)
    rig.take(piece("Kite Daily", BEFORE, -9))
    before = only_story(sqlite)
    rig.take(piece(outlet, again, 0))
    shown = only_story(sqlite)
    assert (shown.title, shown.summary, shown.updated) == (
        before.title,
        before.summary,
        before.updated,
    )
    assert states(shown) == [None, None]


def test_versions_bump_a_story_at_most_once_an_hour(rig: Rig) -> None:
    bumps = []
    for hours, toll in ((-9, "3"), (-8, "4"), (-7.5, "5"), (-6.9, "6")):
        rig.take(
            piece("Kite Daily", BEFORE.replace("killed 3", f"killed {toll}"), hours)
        )
        shown = only_story(rig.database)
        assert f"killed {toll}" in shown.summary
        bumps.append(shown.updated.replace(microsecond=0) - NOON)
    assert bumps == [-9 * HOUR, -8 * HOUR, -8 * HOUR, -6.9 * HOUR]


def test_a_forgotten_first_text_leaves_its_copies_and_versions_what_they_are(
    rig: Rig,
) -> None:
    rig.take(piece("Kite Daily", BEFORE, -9))
    rig.take(piece("Kite Daily", AFTER, 0))
    rig.take(piece("Kite Daily", BEFORE, -1))
    first = only_story(rig.database).articles[0]
    placing_of(rig.database).erase(ForgetCommand(name=first.id))
    assert states(only_story(rig.database)) == ["earlier", None]
    assert what_is_wrong(rig.database) == []


def test_page_text_and_explanation_show_the_older_sentence_with_its_time(
    sqlite: Database,
) -> None:
    with Newsroom(sqlite) as newsroom:
        newsroom.writer.take(
            piece("Kite Daily", BEFORE, -9), piece("Kite Daily", AFTER, 0)
        )
        newsroom.writer.render()
        shown = only_story(sqlite)
        page = newsroom.client.get(f"/stories/{shown.id}").text
        older, sentence = shown.articles[0], BEFORE.split(". ", maxsplit=1)[0] + "."
        assert "Earlier version" in page
        assert page.count(sentence) >= 1
        whole = newsroom.client.get(f"/api/v1/stories/{shown.id}").json()
        assert whole["versions"] == [{"text": sentence, "article_id": older.id}]
        assert [one["version"] for one in whole["articles"]] == ["earlier", None]
        assert (
            f'Earlier version: Kite Daily, {older.published:%Y-%m-%d %H:%M}: "{sentence}"'
            in whole["text"]
        )
        assert all(passage["article_id"] != older.id for passage in whole["lead"])
        for one in shown.articles:
            told = explanation_text(
                explain_article(StoryReader(sqlite, Tuning()), one.id, None, Tuning())
            )
            assert f'earlier: "{sentence}"' in told
            assert f"{NOON - 9 * HOUR:%Y-%m-%d %H:%M}" in told or one.id == older.id


def test_signs_that_are_not_read_of_a_language_make_no_version(rig: Rig) -> None:
    rest = (
        "Louhos tarkastettiin toukokuussa. Kaksi nosturia tuli satamasta, ja tie kylään on "
        "suljettu. Omistaja ei "
        "vastannut puheluihin. Alueen edustaja sanoi, että perheistä huolehditaan Tellinin "
        "koulussa, jonne saatiin puhelin."
    )
    for hours, toll in ((-9, "kolme"), (0, "9")):
        text = f"Louhoksen seinä kaatui torstaina ja tappoi {toll} miestä, sanoi palokunta kylässä. {rest}"
        rig.take(
            piece("Kite Daily", text, hours, "Louhoksen seinä kaatui", language="fi")
        )
    assert states(only_story(rig.database)) == [None, None]


def test_two_states_of_a_text_of_one_outlet_are_one_story(rig: Rig) -> None:
    rest = "The crowd of 40,000 saw two yellow cards. Tellin hit the post twice. The winner plays "
    "abroad next season."
    rig.take(
        piece(
            "Kite Daily",
            f"Orm lead Tellin 1-0 at half time of the cup final in New Harbour. {rest}",
            -9,
            "Orm lead Tellin 1-0 at half time",
        ),
        piece(
            "Kite Daily",
            f"Tellin beat Orm 3-1 in the cup final in New Harbour. {rest}",
            0,
            "Tellin beat Orm 3-1 to win cup",
        ),
    )
    shown = only_story(rig.database)
    assert (shown.title, states(shown)) == (
        "Tellin beat Orm 3-1 to win cup",
        ["earlier", None],
    )
    columns = article.c.id, article.c.story, article.c.version_of
    placed = queried(rig.database, select(*columns).order_by(article.c.inbox_no)).all()
    recluster(rig.database)
    assert (
        queried(rig.database, select(*columns).order_by(article.c.inbox_no)).all()
        == placed
    )
    assert only_story(rig.database).title == shown.title
    assert what_is_wrong(rig.database) == []


TAKES = [
    (
        "Grain silo collapses in Orm",
        "A grain silo collapsed in Orm on Thursday, police said.",
    ),
    (
        "1st lead: Grain silo collapses in Orm, two dead",
        "Two workers died in Orm when a silo of the mill gave way on Thursday.",
    ),
    (
        "Grain silo collapses in Orm, four dead (2nd take)",
        (
            "The toll rose to four late on Thursday. Divers went on looking for a "
            "fifth man."
        ),
    ),
]


@pytest.mark.parametrize("has_rest", [False, True], ids=["rewritten", "the rest stays"])
def test_the_newest_take_of_an_outlet_is_its_report(rig: Rig, has_rest: bool) -> None:
    for hour, (title, text) in enumerate(TAKES, start=-3):
        rig.take(piece("NPA", f"{text} {REST}" if has_rest else text, hour, title))
    shown = only_story(rig.database)
    assert shown.title == TAKES[-1][0]
    assert (shown.report_count, states(shown)) == (1, ["earlier", "earlier", None])
    assert "four" in shown.summary


def test_a_take_replaces_no_report_of_another_outlet_and_none_of_something_else(
    rig: Rig,
) -> None:
    rig.take(piece("Kite Daily", TAKES[0][1], -3, TAKES[0][0]))
    rig.take(
        piece(
            "NPA",
            "The mayor of Bersk resigned over gifts.",
            -2,
            "Mayor of Bersk resigns",
        )
    )
    rig.take(piece("NPA", TAKES[1][1], -1, TAKES[1][0]))
    assert column(rig.database, article.c.version_of) == [None, None, None]
