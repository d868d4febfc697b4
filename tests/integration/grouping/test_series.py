"""Series of one form: entries of one source that differ by a name are a story each."""

from collections import defaultdict
from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from tests.support.articles import HOUR, NOON, Clock, Rig, record
from tests.support.rows import queried
from tests.support.story_checks import correct, partition, reclustering, what_is_wrong
from tests.support.tables import each_row, mapping

# By subject: the headline and the text of a form, and what fills it.
_FORMS = mapping("series", "forms")


def _series(form: str, source: str = "Office") -> list[Entry]:
    title, text, fillings = _FORMS[form]
    entries = []
    for number, filling in enumerate(fillings):
        entries.append(
            record(
                source,
                f"{source}-{number}",
                title.format(*filling),
                text.format(*filling),
                url=f"https://{source.lower().replace(' ', '')}.example/{number}",
                published=NOON + number * HOUR,
            )
        )
    return entries


def _stories(database: Database) -> list[list[str]]:
    """Return the headlines of the articles of each story."""
    stories = defaultdict(list)
    for row in queried(
        database, select(article.c.story, article.c.title).order_by(article.c.inbox_no)
    ):
        stories[row.story].append(row.title)
    return list(stories.values())


@pytest.mark.parametrize(
    "form",
    [
        form
        if form in ("one headline", "planning notices")
        else pytest.param(form, marks=pytest.mark.later)
        for form in _FORMS
    ],
)
def test_each_entry_of_a_series_is_a_story(database: Database, form: str) -> None:
    entries = _series(form)
    Rig(database, Clock(NOON + 3 * 24 * HOUR)).take(*entries)
    assert [len(story) for story in _stories(database)] == [1] * len(entries)


_BULLETINS = mapping("series", "bulletins")


def _bulletins(form: str, apart: timedelta, first: datetime = NOON) -> list[Entry]:
    title, text = _BULLETINS[form]
    entries = []
    for number in range(4):
        filling = [(17 * number + 5 * place) % 49 + 31 for place in range(4)]
        entries.append(
            record(
                "Office",
                str(number),
                title.format(*filling),
                text.format(*filling),
                url=f"https://office.example/{number}",
                published=first + number * apart,
            )
        )
    return entries


@pytest.mark.parametrize("form", _BULLETINS)
@pytest.mark.parametrize("days", [1, 7])
def test_bulletins_that_differ_in_numbers_are_a_story_a_day(
    database: Database, form: str, days: int
) -> None:
    bulletins = _bulletins(form, days * 24 * HOUR + timedelta(minutes=2))
    Rig(database, Clock(NOON + 60 * 24 * HOUR)).take(*bulletins)
    assert [len(story) for story in _stories(database)] == [1] * 4


def test_versions_of_one_day_and_of_other_times_of_day_are_no_bulletins(
    database: Database,
) -> None:
    Rig(database, Clock(NOON + 60 * 24 * HOUR)).take(*_bulletins("river", 5 * HOUR))
    assert [len(story) for story in _stories(database)] == [4]


def test_versions_that_are_dated_to_the_day_are_no_bulletins(
    database: Database,
) -> None:
    midnight = NOON.replace(hour=0, minute=0, second=0)
    Rig(database, Clock(NOON + 60 * 24 * HOUR)).take(
        *_bulletins("river", 24 * HOUR, midnight)
    )
    assert [len(story) for story in _stories(database)] == [4]


def test_a_series_of_more_than_a_shingle_is_searched_for_stays_apart(
    database: Database,
) -> None:
    title, text, fillings = _FORMS["advisories in German"]
    names = [
        f"{first}{second} {kind}"
        for first in ("Kest", "Lark", "Ost", "Pell")
        for second in ("rel", "wing", "mark")
        for kind in ("Mail", "Router", "Proxy", "Wiki", "Forum")
    ]
    entries = []
    for number, name in enumerate(names):
        filling = (name, *fillings[number % len(fillings)][1:])
        entries.append(
            record(
                "Office",
                str(number),
                title.format(*filling),
                text.format(*filling),
                published=NOON + number * HOUR,
            )
        )
    Rig(database, Clock(NOON + 9 * 24 * HOUR)).take(*entries)
    assert [len(story) for story in _stories(database)] == [1] * 60


def test_reports_of_others_join_their_entry(database: Database) -> None:
    series = _series("advisories in German")
    reports = [
        record(
            "Lantern",
            "l",
            "Lücke in Tarnfeld VPN wird ausgenutzt",
            "Angreifer nutzen eine Lücke in der Software Tarnfeld VPN, mit der Firmen ihre Netze verbinden. "
            "Das Landesamt für Netze rät, Tarnfeld VPN 4.2 sofort einzuspielen. Nach Angaben des "
            "Herstellers Tarnfeld sind 3.000 Geräte betroffen, einige in Krankenhäusern von Lindmar.",
            published=NOON + 9 * HOUR,
        ),
        record(
            "Courier",
            "c",
            "Tarnfeld VPN: Krankenhäuser in Lindmar betroffen",
            "Nach der Lücke in Tarnfeld VPN haben Krankenhäuser in Lindmar ihre Zugänge gesperrt. Der "
            "Hersteller Tarnfeld hat die Version 4.2 veröffentlicht, 3.000 Geräte sind nach seinen Angaben "
            "noch offen. Das Landesamt für Netze rät zur Eile.",
            published=NOON + 11 * HOUR,
        ),
    ]
    Rig(database, Clock(NOON + 3 * 24 * HOUR)).take(*series, *reports)
    together = [story for story in _stories(database) if len(story) > 1]
    assert len(together) == 1
    assert {report.title for report in reports} <= set(together[0])


_RELEASE_NOTES = (
    "What's Changed\nFixes a crash when the pattern file is empty by @dev0 in #{0}\nAdds dark mode by @dev0 "
    "in #{0}\nFull Changelog: v2.3.9...{1}"
)


@pytest.mark.later
@each_row("series", "each release of each project is a story", "versions")
@pytest.mark.parametrize("outlet", ["loomkit", None])
def test_each_release_of_each_project_is_a_story(
    database: Database, versions: tuple[str, str], outlet: str | None
) -> None:
    entries = []
    for project in ("loomkit", "ferryd", "quarry"):
        for version in versions:
            name = f"Release notes from {project}"
            entries.append(
                record(
                    name,
                    f"{project}-{version}",
                    version,
                    _RELEASE_NOTES.format(1, version),
                    outlet=outlet or name,
                    url=f"https://hub.example/org0/{project}/releases/tag/{quote(version, safe='')}",
                )
            )
    Rig(database, Clock(NOON + 24 * HOUR)).take(*entries)
    assert sorted(_stories(database)) == sorted(
        [f"{p} {v}"] for p in ("loomkit", "ferryd", "quarry") for v in versions
    )


def test_what_tells_of_one_release_is_one_story(database: Database) -> None:
    Rig(database, Clock(NOON + 24 * HOUR)).take(
        record(
            "Release notes from loomkit",
            "1",
            "v3.0.0",
            "What's Changed\nPlans larger patterns by @dev0 in #7\nDrops the old shuttle format by @dev1 in "
            "#9\nThe planner of loomkit now needs half the memory for wide looms.",
            url="https://hub.example/org0/loomkit/releases/tag/v3.0.0",
        ),
        record(
            "Loomkit blog",
            "2",
            "Announcing loomkit 3.0.0",
            "Today we release loomkit 3.0.0. It plans larger patterns, the planner of loomkit needs half "
            "the memory for wide looms, and the old shuttle format is dropped.",
            published=NOON + HOUR,
        ),
        record(
            "Release notes from loomkit",
            "3",
            "v2.9.7",
            "What's Changed\nFixes a crash when the pattern file is empty by @dev0 in #5",
            url="https://hub.example/org0/loomkit/releases/tag/v2.9.7",
        ),
        record(
            "Lantern",
            "4",
            "Loomkit 3.0 plans larger patterns",
            "The weaving software Loomkit plans larger patterns in version 3.0, which its developers "
            "released on Tuesday. The planner needs half the memory for wide looms. Files in the old "
            "shuttle format have to be converted.",
            published=NOON + 2 * HOUR,
        ),
        record(
            "Courier",
            "5",
            "Weavers welcome Loomkit 3.0 with larger patterns",
            "Weavers welcomed Loomkit 3.0 on Tuesday. The weaving software plans larger patterns, and its "
            "planner needs half as much memory for wide looms. The old shuttle format is gone.",
            published=NOON + 3 * HOUR,
        ),
    )
    stories = _stories(database)
    assert sorted(map(len, stories)) == [1, 4], stories


_TOLL = (
    "LINDMAR (NPA) - A wall of the Tellin quarry fell on Thursday and killed {0} workers, the fire service "
    "said. The quarry had been inspected in May. Two cranes were sent from the harbour, and the road to the "
    "village stays closed. The owner, Bersk Stone, did not answer calls. A spokesman of the region said "
    "that families were being looked after in the school of Tellin, where a telephone line was set up."
)


@each_row("series", "versions of a text stay one story", "tolls")
def test_versions_of_a_text_stay_one_story(
    database: Database, tolls: tuple[str, ...]
) -> None:
    entries = [
        record(
            "Kite Daily",
            str(n),
            f"Quarry wall falls, {toll} workers dead",
            _TOLL.format(toll),
            url=f"https://kite.example/{n}",
            published=NOON + n * HOUR,
        )
        for n, toll in enumerate(tolls)
    ]
    Rig(database, Clock(NOON + 24 * HOUR)).take(*entries)
    assert len(_stories(database)) == 1


def test_what_a_person_put_together_stays_together(database: Database) -> None:
    first, second, *others = _series("wind warnings")
    rig = Rig(database, Clock(NOON + 24 * HOUR))
    rig.take(first, second)
    ((origin, together),) = partition(database).items()
    split = correct(database, "split", origin, articles=(max(together),))
    correct(database, "merge", *split.stories)
    rig.restart()
    rig.take(*others)
    assert sorted(map(len, _stories(database))) == [1] * len(others) + [2]
    assert what_is_wrong(database, rig.pipeline.placer) == []


def test_the_same_notice_again_is_a_copy_of_its_own_entry(database: Database) -> None:
    series = _series("road works")
    again = replace(series[1], guid="again", url="https://office.example/again")
    reprint = record(
        "Lantern",
        "reprint",
        series[2].title,
        series[2].text,
        published=NOON + 9 * HOUR,
    )
    Rig(database, Clock(NOON + 24 * HOUR)).take(*series, again, reprint)
    titles = [entry.title for entry in series]
    expected = [[titles[0]], [titles[1]] * 2, [titles[2]] * 2, [titles[3]]]
    assert sorted(_stories(database)) == sorted(expected)


@pytest.mark.later
@pytest.mark.parametrize("form", ["wind warnings", "advisories in German"])
def test_rows_alone_decide_about_a_series(database: Database, form: str) -> None:
    entries = _series(form)
    rig = Rig(database, Clock(NOON + 24 * HOUR))
    for entry in entries:
        rig.take(entry)
        rig.restart()
    assert [len(story) for story in _stories(database)] == [1] * len(entries)
    assert what_is_wrong(database, rig.pipeline.placer) == []
    assert reclustering(database).difference(None).changed_stories == 0
