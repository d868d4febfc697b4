"""A text that has nothing to do with a story does not join it under the headline of one of its reports."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.cli.explain_command import explanation_text
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.model.entry import Authority, Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import story
from tests.support import articles
from tests.support.articles import NOON, Clock, Rig, page_of, record, trust
from tests.support.rows import queried, written_by
from tests.support.story_checks import (
    correct,
    undo,
    what_is_wrong,
)

HEADLINE = "Levee on the Arrel breaks, Pennmouth under water"
FLOOD, FLOOD_ELSEWHERE, STRIKE = (
    " ".join(text.split())
    for text in (articles.FLOOD, articles.FLOOD_ELSEWHERE, articles.STRIKE)
)
ADVERTISEMENTS = (
    """Slimona drops helped me lose twelve kilos in a month, and my doctor could not believe it. Order
three bottles today and pay for two. Thousands of happy customers write to us every week. The
secret is a berry from the mountains, which burns fat while you sleep. Free delivery ends tonight,
so do not wait. Results may differ.""",
    """Play at Golden Harbour casino and get two hundred free spins with your first deposit. Our slots
pay out more than any others, and winners get their money within an hour. Sign up with the code
LEVEL and double your chances. Play responsibly. Bonus conditions apply to all new accounts that
are opened before the end of the month.""",
)
SENTENCES = (
    "Play at Golden Harbour casino tonight and get two hundred free spins with your first deposit.",
    "Slimona drops helped me lose twelve kilos in a month, so order three bottles today and pay for two.",
    "Our garden furniture is reduced by half until Sunday, with free delivery of every lounge and parasol.",
)
SPAM = "https://spam.example/feed"

OWN_REPORT = """Rescue teams in boats searched the drowned streets of Pennmouth for two people who have been
missing since the Arrel broke its levee. Mayor Brandt let everyone below the market square leave at once.
Engineers say a failed pump station let the river rise further. The bodies of four victims were found, the
railway to Calmouth stays shut, and classes begin again on Wednesday at the earliest."""


@pytest.fixture
def rig(sqlite: Database) -> Rig:
    rig = Rig(sqlite)
    rig.take(
        record("Herald", "1", HEADLINE, FLOOD),
        record(
            "Post",
            "2",
            "Four dead as Pennmouth is flooded",
            FLOOD_ELSEWHERE,
        ),
        record("Echo", "3", "Pennmouth levee gives way", FLOOD),
    )
    return rig


@pytest.mark.parametrize("body", [*ADVERTISEMENTS, *SENTENCES, STRIKE])
@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize(
    ("authority", "is_known"),
    [
        pytest.param("page", False, id="push"),
        pytest.param("foreign", False, id="new feed", marks=pytest.mark.later),
        pytest.param(
            "foreign", True, id="feed of the day before", marks=pytest.mark.later
        ),
        pytest.param("handed", False, id="file", marks=pytest.mark.later),
    ],
)
def test_another_text_under_the_headline_and_minute_of_a_report_stays_out(
    rig: Rig, authority: Authority, is_known: bool, times: int, body: str
) -> None:
    """Nor does the headline let it in that it repeats."""
    if is_known:
        trust(rig.database, [SPAM])
        rig.restart()
    (placed,) = rig.take(
        record(
            SPAM,
            "x",
            HEADLINE,
            f"{HEADLINE}. " * times + " ".join(body.split()),
            url="https://spam.example/x",
            outlet="spam.example",
            authority=authority,
        )
    )
    assert placed.outcome == "founded"


def test_the_second_look_leaves_it_out_too(sqlite: Database) -> None:
    tuning = Tuning({"events": {"reassess_every": 1}})
    rig = Rig(sqlite, Clock(NOON), tuning)
    (_, spam, _) = rig.take(
        record("Herald", "1", HEADLINE, FLOOD),
        record(
            "Unknown",
            "x",
            HEADLINE,
            " ".join(ADVERTISEMENTS[0].split()),
        ),
        record(
            "Post",
            "2",
            "Four dead as Pennmouth is flooded",
            FLOOD_ELSEWHERE,
        ),
    )
    (flood,) = rig.take(record("Echo", "3", HEADLINE, " ".join(OWN_REPORT.split())))
    rig.take(record("Times", "9", "Dock workers walk out in Sennick", STRIKE))
    assert reports(sqlite) == [3, 1, 1]
    words = explanation_text(
        explain_article(StoryReader(sqlite), spam.article, flood.article, tuning)
    )
    assert "it has the headline of a report" in words


def test_the_bare_headline_is_a_report_of_the_story(rig: Rig) -> None:
    """What stays out is the text, not the headline."""
    (placed,) = rig.take(record("Unknown", "x", HEADLINE, ""))
    assert placed.outcome == "joined"


# --- what counts as a report -------------------------------------------------------------------------------

ADVERTISEMENT = "Pennmouth levee: Golden Harbour casino gives two hundred free spins."


def of_feed(
    guid: str, title: str, text: str, source: str = SPAM, **more: object
) -> Entry:
    return record(
        source,
        guid,
        title,
        text,
        authority="foreign",
        outlet=source,
        **more,
    )


def reports(database: Database) -> list[int]:
    """The reports that each story counts, in the order of stories."""
    live = (
        select(story.c.report_count)
        .where(story.c.redirect_to.is_(None))
        .order_by(story.c.story_no)
    )
    return list(queried(database, live).scalars())


def is_sound(rig: Rig) -> bool:
    return what_is_wrong(rig.database, rig.pipeline.placer) == []


@pytest.mark.parametrize("is_trusted", [False, True])
@pytest.mark.parametrize("authority", ["foreign", "handed"])
def test_an_advertisement_under_a_headline_does_not_count_whoever_prints_it(
    rig: Rig, authority: Authority, is_trusted: bool
) -> None:
    assert reports(rig.database) == [2]
    entry = replace(of_feed("x", HEADLINE, ADVERTISEMENT), authority=authority)
    trust(
        rig.database,
        [SPAM if authority == "foreign" else f"{SPAM} {SPAM}"] if is_trusted else [],
    )
    rig.restart()
    (placed,) = rig.take(entry)
    assert placed.outcome == "joined"
    assert reports(rig.database) == [2]
    words = explanation_text(
        explain_article(StoryReader(rig.database), placed.article, None, rig.all_tuning)
    )
    assert "not counted as a report: its text shares too little" in words
    assert is_sound(rig)


def test_a_report_of_an_unknown_source_counts_if_it_tells_what_others_tell(
    rig: Rig,
) -> None:
    text = """We spent the night on the roof. The Arrel came over the levee near the market square, and the
firefighters fetched us with their boat towards morning. Mayor Ilse Brandt had told everybody to leave. The
pump station stood still, and no train goes to Calmouth."""
    (placed,) = rig.take(of_feed("x", HEADLINE, " ".join(text.split())))
    assert placed.outcome == "joined"
    assert reports(rig.database) == [3]


def test_advertisements_do_not_vouch_for_each_other(rig: Rig) -> None:
    """Neither another one of the same words nor a copy makes it a report, nor does a merge."""
    for number in range(3):
        name = f"https://spam{number}.example/feed"
        other = ADVERTISEMENT.replace("today", f"until {number}")
        rig.take(of_feed("x", HEADLINE, other.replace("hundred ", ""), source=name))
    roles = [
        rig.take(
            of_feed(str(n), HEADLINE, ADVERTISEMENT, source=f"https://copy{n}.example")
        )[0]
        for n in (1, 2)
    ]
    assert {one.outcome for one in roles} <= {"joined", "copy"}
    assert reports(rig.database) == [2]
    assert is_sound(rig)
    trust(rig.database, ["Times Times"])
    rig.restart()
    strike = rig.take(record("Times", "9", "Dock workers walk out in Sennick", STRIKE))[
        0
    ]
    assert strike.story is not None
    assert roles[0].story is not None
    assert reports(rig.database) == [2, 1]
    correct(rig.database, "merge", roles[0].story, strike.story)
    rig.restart()
    assert reports(rig.database) == [3]
    assert is_sound(rig)


def test_who_moves_it_by_hand_makes_it_count_and_undo_takes_it_back(rig: Rig) -> None:
    (placed,) = rig.take(of_feed("x", HEADLINE, ADVERTISEMENT))
    strike = rig.take(record("Echo", "9", "Dock workers walk out in Sennick", STRIKE))[
        0
    ]
    assert strike.story is not None
    assert reports(rig.database) == [2, 1]
    correct(rig.database, "move", strike.story, articles=(placed.article,))
    assert reports(rig.database) == [2, 2]
    undo(rig.database)
    assert reports(rig.database) == [2, 1]
    rig.restart()
    assert is_sound(rig)


@pytest.mark.parametrize(
    ("teaser", "text", "counted"),
    [
        ("", OWN_REPORT, 3),
        ("", ADVERTISEMENT, 2),
        (FLOOD, f"{ADVERTISEMENT} Sign up with this code.", 2),
    ],
)
def test_a_late_page_decides_whether_its_headline_counts(
    rig: Rig, teaser: str, text: str, counted: int
) -> None:
    n = rig.waits(of_feed("x", HEADLINE, teaser, url="https://spam.example/x"))
    written_by(rig.database, pending_pages.release_copies, [n])
    assert [one.outcome for one in rig.place()] == ["copy" if teaser else "joined"]
    assert reports(rig.database) == [2]
    rig.comes(
        n, page_of(" ".join(text.split()[-60:]), HEADLINE), "https://spam.example/x"
    )
    assert reports(rig.database) == [counted]
    assert is_sound(rig)


def test_a_page_that_comes_with_a_revision_decides_it_too(rig: Rig) -> None:
    rig.take(of_feed("x", HEADLINE, "", url="https://spam.example/x"))
    assert reports(rig.database) == [2]
    own = " ".join(OWN_REPORT.split())
    (placed,) = rig.take(
        of_feed("x", f"{HEADLINE} again", own, url="https://spam.example/x")
    )
    assert (placed.outcome, reports(rig.database)) == ("revised", [3])
    assert is_sound(rig)


def test_a_flood_of_reports_that_do_not_count_keeps_no_other_from_counting(
    rig: Rig,
) -> None:
    for number in range(rig.all_tuning.values("pairs")["compared_reports"] + 3):
        rig.take(
            of_feed(
                f"x{number}",
                HEADLINE,
                f"Prize {number} waits for {number + 7} players.",
            )
        )
    assert reports(rig.database) == [2]
    rig.take(
        of_feed(
            "y",
            HEADLINE,
            " ".join(OWN_REPORT.split()),
            source="https://honest.example/feed",
        )
    )
    assert reports(rig.database) == [3]


def test_bare_headlines_can_neither_confirm_nor_deny(database: Database) -> None:
    """On the first day no source is known."""
    rig = Rig(database)
    for number, text in enumerate(
        ("", FLOOD, FLOOD_ELSEWHERE, " ".join(OWN_REPORT.split()))
    ):
        rig.take(
            of_feed(
                str(number), HEADLINE, text, source=f"https://{number}.example/feed"
            )
        )
    assert reports(rig.database) == [4]
