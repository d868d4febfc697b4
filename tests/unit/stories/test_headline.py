"""The title and the summary of a story."""

import datetime as dt
from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aggregator.model.article import ArticleView
from aggregator.stories.lead import lead_of, summary
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.stories.titles.title import Headline, headline, is_fit
from tests.support.stories_examples import NOON, ferry, view
from tests.support.tables import rows

SINKS = "Ferry Marlin sinks off Port Ellis, at least 14 killed"


def best(articles: Sequence[ArticleView], shown: str | None) -> str:
    return headline(articles, shown).title


def told(id_: str, title: str, text: str, **more: Any) -> ArticleView:
    return view(id_, f"Paper {id_}", title=title, text=text, **more)


def later(title: str, outlet: str = "Evening Bell", **more: Any) -> ArticleView:
    return view("d", outlet, title=title, hours=9, text=ferry()[0].text, **more)


def test_the_title_that_tells_most_wins_over_question_and_label() -> None:
    assert (
        best(ferry(), None) == "Ferry Marlin sinks off Port Ellis, at least 14 killed"
    )


@pytest.mark.parametrize(
    ("title", "outlet", "clean"),
    rows("headline", "outlet names are cut from titles"),
)
def test_outlet_names_are_cut_from_titles(
    title: str, outlet: str | None, clean: str
) -> None:
    assert best([view(title=title, outlet=outlet)], None) == clean


def test_the_shown_title_stays_when_the_new_one_is_hardly_better() -> None:
    time = NOON + dt.timedelta(hours=3)
    fresher = later(
        "Ferry Marlin sinks in the night off Port Ellis, at least 14 killed",
        effective_at=time,
    )
    articles = [*ferry(), fresher]
    assert best(articles, None) == SINKS
    assert headline(articles, fresher.title) == Headline(fresher.title, "d")


def test_a_live_blog_names_the_story_only_when_it_is_alone() -> None:
    blog = view(
        "l",
        title="Ferry Marlin sinks off Port Ellis: rescue under way",
        role="container",
        hours=9,
    )
    assert best([*ferry(), blog], None) != blog.title
    assert best([blog], None) == blog.title


def test_without_titles_the_lead_speaks() -> None:
    shown = "A ferry sank near the harbour of Port Ellis on Tuesday evening, and many"
    assert best([view(lead=f"{shown} people are still missing.")], None) == f"{shown}…"
    assert best([view()], None) == ""


def test_of_one_text_that_many_print_the_originals_title_is_weighed_whatever_came_first() -> (
    None
):
    lead = "The bridge in Tarnow was closed on Monday after cracks were found in two pillars."
    original = view(
        "a", "One", title="Bridge in Tarnow closed after cracks are found", lead=lead
    )
    reprint = view(
        "b", "Two", title="CRACKS! TARNOW BRIDGE SHUT IN SHOCK", lead=lead, hours=1
    )
    first = msgspec.structs.replace(original, role="copy", copy_of="b")
    assert best([first, reprint], None) == original.title
    second = msgspec.structs.replace(reprint, role="copy", copy_of="a")
    assert best([original, second], None) == original.title


def test_summary_is_of_the_report_whose_title_is_shown() -> None:
    lead = "Divers from Port Ellis reached the wreck of the ferry Marlin on Thursday morning."
    other = view(
        "d", "Evening Bell", title="Marlin: what divers saw", hours=3, lead=lead
    )
    assert summary([*ferry(), other], 60, shown_title=other.title).startswith(
        other.lead
    )
    leaning = msgspec.structs.replace(other, lead="They saw it. It lay still.")
    assert summary([*ferry(), leaning], 60, shown_title=other.title) != leaning.lead


def test_summary_takes_a_text_of_one_line_without_a_full_stop_but_none_that_was_cut() -> (
    None
):
    words = "Divers reached the wreck of the ferry Marlin off Port Ellis"
    for end, is_quoted in (("", True), (".", True), ("…", False), ("...", False)):
        one = view(
            "d", "Evening Bell", title="Divers reach the ferry Marlin", lead=words + end
        )
        other = view(
            "e",
            "Star",
            title="Ferry",
            lead="The county asked the ferry Marlin's owner for papers.",
        )
        assert (
            summary([one, other], 60, shown_title=one.title).startswith(words)
            is is_quoted
        )


def test_summary_does_not_end_behind_an_abbreviation() -> None:
    lead = "The county sued then-Sen. Emrys Boll of Tampa, Fla. Thursday over the bridge in Tarnow."
    assert summary([view(title="Bridge", lead=lead)], 60) == lead


@pytest.mark.parametrize("max_words", [60, 20, 8])
def test_the_first_sentence_of_a_summary_does_not_depend_on_its_length(
    max_words: int,
) -> None:
    whole = summary(ferry(), 60)
    shorter = summary(ferry(), max_words)
    assert whole.startswith(shorter.removesuffix("…"))


def test_a_summary_is_of_one_report_whose_lead_names_what_the_title_does() -> None:
    plain = "A ferry sank on Tuesday off Port Ellis in a storm that lasted until the morning."
    scene = "Fog lay over the harbour of the old town when the first boats came back with their nets."
    told = [
        view("p", "One", title="A boat", lead=plain),
        view("s", "Two", title="Fog", lead=scene, hours=1),
    ]
    assert summary(told, 60, shown_title="Ferry sinks off Port Ellis") == plain


@pytest.mark.parametrize(
    ("opening", "title", "is_shown"),
    rows("headline", "a surname alone opens no story"),
)
def test_a_surname_alone_opens_no_story(
    opening: str, title: str, is_shown: bool
) -> None:
    further = "Mayor Emrys Boll, Ada Rel and State Police saw the pillars, police in Barrel told the county."
    report = view("a", "One", title="Bridge in Tarnow closed", lead=opening)
    other = view("b", "Two", title="Pillars", lead=further, hours=1)
    chosen = lead_of([report, other], shipped_tuning(), title)
    assert chosen == ((report, opening) if is_shown else (other, further))


def test_the_lead_is_what_most_reports_open_with_and_no_reaction() -> None:
    closed = "The county closed the bridge in Tarnow on Monday after engineers found cracks in two pillars."
    again = "Engineers found cracks in two pillars of the bridge in Tarnow, which the county closed on Monday."
    quip = "Tarnow bridge closed: Emrys Boll of the harbour party rejects what he calls a joke about his town."
    reports = [
        view("a", "One", title="County closes bridge", lead=closed),
        view("b", "Two", title="Cracks found in bridge", lead=again, hours=1),
        view("c", "Three", title="Boll rejects closure", lead=quip, hours=2),
    ]
    for shown_title in ("Tarnow bridge closed", None):
        article, _ = lead_of(reports, shipped_tuning(), shown_title) or (None, "")
        assert article in reports[:2]


@pytest.mark.parametrize(
    "sentence",
    [
        "The sharp reply came from the owners of the ferry Marlin.",
        "Under the terms agreed by the owners of the ferry Marlin, its crew is paid for a year.",
        "During the tense exchanges, owners of the ferry Marlin remained silent.",
        "Divers also intend to search the wreck of the ferry Marlin off Port Ellis.",
        "If approved by the owners, the search of the ferry Marlin off Port Ellis begins.",
    ],
)
def test_a_lead_is_no_sentence_that_goes_on_from_another(sentence: str) -> None:
    told = "Crews raised the hull of a ship."
    articles = [
        view("a", "A", title="Ferry Marlin sank off Port Ellis", lead=sentence),
        view("b", "B", title="Ferry Marlin lost", lead=f"{told} It was old."),
    ]
    assert summary(articles, 60).startswith(told)


def test_a_definite_noun_opens_under_a_title_that_has_it() -> None:
    sentence = "The reply came from the owners of the ferry Marlin on Monday."
    articles = [
        view("a", "A", title="Ferry owners reply", lead=sentence),
        view("b", "B", title="Ferry Marlin owners", lead="Crews raised the hull."),
    ]
    assert summary(articles, 60) == sentence


@pytest.mark.parametrize("kind", ["report", "list"])
def test_an_example_or_a_list_leads_no_story_that_others_report(kind: str) -> None:
    person = "Joren Hale counts rents at a kitchen table in Port Ellis every month."
    lead = person if kind == "report" else "Rents in Port Ellis rose, in five pictures."
    articles = [
        view("a", "A", title="Rents in Port Ellis rise", lead=lead, kind=kind),
        view(
            "b",
            "B",
            title="Rents rise",
            lead="Landlords asked for a tenth more rent on Monday.",
        ),
        view(
            "c",
            "C",
            title="Rents up",
            lead="Tenants of the town must pay a tenth more rent.",
        ),
    ]
    assert summary(articles, 60)[:7] in ("Landlor", "Tenants")


def test_a_report_a_day_newer_gives_the_lead_of_equal_ones() -> None:
    old = view(
        "z",
        "One",
        title="Bridge closes",
        lead="The bridge in Tarnow will be closed on Monday, police said.",
    )
    new = view(
        "a",
        "Two",
        title="Bridge closes",
        lead="The bridge in Tarnow was closed on Monday, police said.",
    )
    for hours, chosen in ((0, old), (24, new)):
        newer = msgspec.structs.replace(
            new, effective_at=NOON + dt.timedelta(hours=hours)
        )
        lead = lead_of([old, newer], shipped_tuning(), "Police close the bridge")
        assert lead is not None
        assert lead[0].id == chosen.id


def test_the_lead_is_the_first_sentence_of_the_summary_whatever_its_length() -> None:
    for title in (SINKS, None):
        lead = lead_of(ferry(), shipped_tuning(), title)
        assert lead is not None
        assert lead[1] in lead[0].text
        for words in (5, 20, 60, 130):
            first = summary(ferry(), words, shown_title=title).removesuffix("…")
            assert first.startswith(lead[1]) or lead[1].startswith(first)


def test_summary_takes_whole_sentences() -> None:
    lead = "The bridge in Tarnow was closed on Monday. It is quite old. Engineers found cracks in its pillars."
    assert (
        summary([view(title="Bridge", lead=lead)], 11)
        == "The bridge in Tarnow was closed on Monday."
    )
    assert summary([view(title="Bridge", lead=lead)], 60) == lead


def test_a_first_sentence_that_is_too_long_is_cut() -> None:
    lead = "The bridge in Tarnow, which had been closed twice before, was shut after engineers found cracks."
    assert summary([view(lead=lead)], 5) == "The bridge in Tarnow, which…"


@pytest.mark.parametrize("max_words", [1, 10, 60])
def test_summary_never_says_more_than_allowed_in_scripts_without_blanks(
    max_words: int,
) -> None:
    lead = (
        "塔尔诺大桥周一关闭因为工程师在两个桥墩上发现了裂缝预计维修需要几个月的时间" * 8
        + "。"
    )
    text = summary([view(lead=lead, language="zh")], max_words)
    assert 0 < len(text) <= 2 * max_words + 1


def test_articles_that_forbid_snippets_are_not_quoted() -> None:
    articles = [
        view("a", lead="The bridge in Tarnow is closed for good.", nosnippet=True)
    ]
    assert summary(articles, 60) == ""
    second = view(
        "b", "Two", title="Bridge", lead="Tarnow has lost its bridge, engineers said."
    )
    assert summary([*articles, second], 60) == second.lead
    assert summary(articles, 0) == ""


# --- reasons -----------------------------------------------------------------------------------------------


def test_a_later_title_with_a_higher_toll_goes_before_the_older_one() -> None:
    higher = later("Ferry Marlin sinks off Port Ellis, at least 19 killed")
    chosen = headline([*ferry(), higher], SINKS, afresh=True)
    assert (chosen.title, chosen.reason) == (higher.title, "it is newer")
    before = NOON - dt.timedelta(hours=9)
    earlier = later(
        "Ferry Marlin sinks off Port Ellis, at least 12 killed", effective_at=before
    )
    assert best([*ferry(), earlier], None) == SINKS
    assert best([*ferry(), later("Port Ellis after the storm")], None) == SINKS


MEET = "Boll and Hale to meet in Tarnow over the Arrel dam"
WRAP_UP = "Boll and Hale wrap up Tarnow talks over Arrel dam"


def talks() -> list[ArticleView]:
    lead = "Emrys Boll and Joren Hale {} in Tarnow over the Arrel dam, both governments said."
    return [
        view("a", "One", title=MEET, lead=lead.format("will meet")),
        view(
            "c", "Three", title=WRAP_UP, lead=lead.format("ended their talks"), hours=9
        ),
    ]


def test_a_title_that_the_newest_report_refutes_gives_way() -> None:
    assert best(talks()[:1], None) == MEET
    assert headline(talks(), None).title == WRAP_UP
    assert headline(talks(), MEET, afresh=True).reason == "it is newer"


def test_a_title_a_few_hours_newer_is_not_preferred() -> None:
    *first, last = talks()
    soon = msgspec.structs.replace(last, effective_at=NOON + dt.timedelta(hours=3))
    assert best([*first, soon], None) == MEET


def test_a_title_that_gave_way_to_a_newer_one_does_not_come_back() -> None:
    fourth = view(
        "d", "Four", title="Boll to meet Hale over dam", lead=talks()[0].lead, hours=10
    )
    assert headline([*talks(), fourth], WRAP_UP).title == WRAP_UP


def test_the_style_of_an_opinion_costs_its_title_and_does_not_forbid_it() -> None:
    ends = "Jury ends first day over the Marlin in Port Ellis without a verdict"
    jury = {"title": ends, "lead": f"{ends}. It sank.", "kind": "explainer"}
    opens = view(
        "a",
        "One",
        title="Jury to open",
        lead="The jury over the Marlin in Port Ellis will meet.",
    )
    by_style = {"kind_evidence": "style of the text, 0.54 above the limit"}
    telling = view("b", "Two", hours=9, style=0.54, **by_style, **jury)
    assert headline([opens, telling], opens.title, afresh=True).title == ends
    argued = msgspec.structs.replace(telling, style=9.0)
    assert headline([opens, argued], opens.title, afresh=True).title == opens.title
    labelled = view("b", "Two", hours=9, kind_evidence="section: Opinion", **jury)
    assert headline([opens, labelled], opens.title, afresh=True).title == opens.title


def test_words_of_an_article_that_may_not_be_quoted_are_no_title() -> None:
    silent = view(
        "a",
        "One",
        title="",
        lead="The ferry Marlin sank off Port Ellis.",
        nosnippet=True,
    )
    other = view("b", "Two", title="", lead="Divers look for the ferry.", hours=1)
    assert headline([silent], None).title == ""
    assert headline([silent, other], None).title == "Divers look for the ferry."


def test_an_explainer_leads_only_where_it_tells_most_though_its_style_costs() -> None:
    style = {
        "kind": "explainer",
        "kind_evidence": "style of the text, 0.54 above the limit",
        "style": 0.54,
        "hours": 30,
    }
    closed = "The county closed the bridge in Tarnow on Monday after engineers found cracks in two pillars."
    report = view("a", "One", title="Bridge in Tarnow closed", lead=closed)
    boats = "Engineers told the county on Monday to keep cars off it, and boats too."
    again = view("b", "Two", title="Bridge closed", lead=boats, hours=1)
    why = "The bridge in Tarnow was closed by the county, and boats matter more than cars in such a town."
    explainer = view(
        "c", "Three", title="What became of a bridge in Tarnow", lead=why, **style
    )
    chosen, _ = lead_of([report, again, explainer], shipped_tuning(), report.title) or (
        None,
        "",
    )
    assert chosen in (report, again)


def test_a_whole_copy_is_asked_for_a_title_and_a_lead_that_are_cut() -> None:
    lead = "The bridge in Tarnow was closed on Monday after cracks were found in two of its pillars."
    cut = view(
        "a",
        "One",
        title="Bridge in Tarnow closed after…",
        lead="The bridge in Tarnow was closed […]",
    )
    whole = {
        "title": "Bridge in Tarnow closed after cracks are found",
        "lead": lead,
        "copy_of": "a",
    }
    copy = view("b", "Two", hours=1, role="copy", **whole)
    assert headline([cut, copy], None) == Headline(copy.title, "b")
    assert lead_of([cut, copy], shipped_tuning(), copy.title) == (copy, lead)
    unknown = view("b", "Two", hours=1, role="copy", is_little_known=True, **whole)
    assert headline([cut, unknown], None).article == "a"
    assert lead_of([cut, unknown], shipped_tuning(), None) == (cut, cut.lead)


def test_a_number_of_dead_is_a_title() -> None:
    assert (
        best([view("a", "One", title="404 dead in Arrel flood")], None)
        == "404 dead in Arrel flood"
    )


@pytest.mark.parametrize(
    "title", ["404 Not Found", "Page not found", "News", "20.11.2026", "«»"]
)
def test_a_title_that_tells_nothing_gives_way_to_the_lead(title: str) -> None:
    bare = view("x", title=title, lead="A ferry sank near the harbour.")
    assert headline([bare], None).title == bare.lead


@pytest.mark.parametrize(
    ("raw", "title"),
    [
        ("Tolm raises the fares -- 2nd Update", "Tolm raises the fares"),
        ("Arrel?s mayor won?t resign", "Arrel’s mayor won’t resign"),
    ],
)
def test_titles_are_mended(raw: str, title: str) -> None:
    assert best([view("a", "One", title=raw)], None) == title


@pytest.mark.parametrize(
    ("shown", "reason"),
    rows("headline", "the reason for another title is said"),
)
def test_the_reason_for_another_title_is_said(shown: str, reason: str) -> None:
    others = [] if shown.startswith("No") else [later(shown)]
    chosen = headline([*ferry(), *others], shown)
    assert (chosen.title, chosen.article, chosen.reason) == (SINKS, "a", reason)


def test_reports_take_the_name_of_a_story_from_a_live_blog_and_from_the_words_of_a_lead() -> (
    None
):
    blog = view("l", title="Ferry Marlin: the night", role="container")
    gone = "no report has the previous title any more"
    assert headline([*ferry(), blog], blog.title).reason == gone
    bare = view(
        "x", lead="A ferry sank near the harbour of Port Ellis on Tuesday evening."
    )
    shown = headline([bare], None)
    assert (shown.title, shown.article) == (bare.lead, None)
    assert headline([*ferry(), bare], shown.title).reason == gone
    older = view(
        "y", lead="Port Ellis, a harbour town, has seen a ferry sink.", hours=-5
    )
    assert headline([bare, older], shown.title) == shown


def test_over_twenty_reports_the_title_changes_rarely_and_never_back() -> None:
    titles = [
        "Ferry sinks off Port Ellis",
        "Ferry Marlin sinks off Port Ellis, many missing",
        "Dozens missing after ferry Marlin goes down near Port Ellis",
        "Why did the Marlin sink?",
        "Marlin disaster: Port Ellis waits for news of the missing",
    ]
    articles = [
        view(
            f"{n:02}",
            f"Paper {n}",
            title=titles[n % 5],
            hours=n,
            text=ferry()[n % 3].text,
        )
        for n in range(20)
    ]
    shown: list[str] = []
    for end in range(1, 21):
        present = shown[-1] if shown else None
        title = headline(articles[:end], present, afresh=end.bit_count() == 1).title
        if not shown or title != shown[-1]:
            assert title not in shown
            shown.append(title)
    assert len(shown) <= 3


# --- outlets that go first ---------------------------------------------------------------------------------


def test_the_title_of_a_preferred_outlet_goes_before_a_better_one() -> None:
    plain = later("A night of fog and fear", outlet="Evening Bell")
    articles = [*ferry(), plain]
    assert headline(articles, None).title == SINKS
    assert headline(articles, None, prefer=["evening bell"]).title == plain.title
    chosen = headline(
        articles, SINKS, prefer=["Nobody", "Evening Bell", "Harbour Post"]
    )
    assert (chosen.title, chosen.reason) == (plain.title, "it is of a preferred outlet")
    assert headline(articles, plain.title, prefer=["Evening Bell"]).reason is None
    assert (
        headline(articles, plain.title, prefer=["Harbour Post", "Evening Bell"]).title
        == SINKS
    )


def test_among_titles_with_a_fault_the_preferred_outlets_goes_first() -> None:
    asked = view("a", "Harbour Post", title="Why did the Marlin sink?")
    other = view(
        "b", "Evening Bell", title="What sank the Marlin off Port Ellis?", hours=1
    )
    for one in (asked, other):
        assert (
            headline([asked, other], None, prefer=[one.outlet or ""]).title == one.title
        )


def test_a_preferred_outlets_bait_is_bait() -> None:
    assert (
        headline(
            [*ferry(), later("What sank the Marlin?")], None, prefer=["Evening Bell"]
        ).title
        == SINKS
    )


def test_a_preferred_outlets_own_words_on_an_agencys_text_count() -> None:
    reprint = later("Marlin lost near Port Ellis", role="copy", copy_of="a")
    assert headline([*ferry(), reprint], None).title == SINKS
    assert (
        headline([*ferry(), reprint], SINKS, prefer=["Evening Bell"]).title
        == reprint.title
    )


# --- languages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "faulty", "plain"),
    rows("headline", "bait and labels lose in each language"),
)
def test_bait_and_labels_lose_in_each_language(
    language: str, faulty: str, plain: str
) -> None:
    loud = view("a", "One", title=faulty, hours=3, language=language)
    calm = view("b", "Two", title=plain, language=language)
    assert best([loud, calm], None) == plain


@pytest.mark.parametrize(
    ("language", "title"),
    rows("headline", "plain statements have no fault in their language"),
)
def test_plain_statements_have_no_fault_in_their_language(
    language: str, title: str
) -> None:
    assert is_fit(title, title, language)


# --- whatever the titles are -------------------------------------------------------------------------------

_TITLES = st.sampled_from(
    [
        SINKS,
        "Why?",
        "LIVE: MARLIN",
        "Ferry sinks",
        "Marlin: 19 killed",
        "Port Ellis mourns ferry victims",
        "",
    ]
)


@st.composite
def _stories(
    draw: st.DrawFn,
    roles: tuple[str, ...] = ("report", "report", "copy", "container", "excerpt"),
) -> list[ArticleView]:
    return [
        view(
            f"{n:02}",
            draw(st.sampled_from(["One", "Two", None])),
            title=draw(_TITLES),
            hours=draw(st.integers(0, 5)),
            role=draw(st.sampled_from(roles)),
            copy_of=draw(st.sampled_from([None, "00", "gone"])),
            text=draw(st.sampled_from([one.text for one in ferry()])),
        )
        for n in range(draw(st.integers(1, 6)))
    ]


@pytest.mark.later
@given(
    _stories(),
    st.one_of(st.none(), _TITLES),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.booleans(),
)
def test_order_decides_nothing_what_is_chosen_stays_and_a_change_has_its_reason(
    articles: list[ArticleView],
    shown: str | None,
    chance: Random,
    preferred: bool,
    afresh: bool,
) -> None:
    prefer = ["Two"] if preferred else []
    chosen = headline(articles, shown, prefer=prefer, afresh=afresh)
    shuffled = list(articles)
    chance.shuffle(shuffled)
    assert headline(shuffled, shown, prefer=prefer, afresh=afresh) == chosen
    again = headline(articles, chosen.title, prefer=prefer, afresh=afresh)
    assert (again.title, again.reason) == (chosen.title, None)
    assert (chosen.reason is None) == (shown is None or chosen.title == shown)


@pytest.mark.later
@given(_stories(roles=("report", "copy")), st.integers(0, 5))
def test_one_more_copy_changes_no_title(
    articles: list[ArticleView], number: int
) -> None:
    shown = headline(articles, None)
    original = articles[number % len(articles)]
    title, time = (
        "Ferry Marlin sinks off Port Ellis: 14 killed, dozens missing",
        NOON + dt.timedelta(hours=9),
    )
    own = {
        "id": "zz",
        "title": title,
        "outlet": "Third",
        "published": time,
        "effective_at": time,
    }
    copy = msgspec.structs.replace(original, role="copy", copy_of=original.id, **own)
    assume(all(article.title for article in articles))
    assert headline([*articles, copy], shown.title).title == shown.title


def test_an_opinion_leaves_the_title_when_a_report_comes() -> None:
    report = told("r", "Ferry Marlin sinks off Port Ellis, 14 killed", "Text.")
    opinion = told("o", "The harbour office sank the Marlin", "Text.", kind="opinion")
    assert headline([opinion], None).title == opinion.title
    chosen = headline([opinion, report], opinion.title)
    assert chosen.title == report.title
    assert chosen.reason == "no report has the previous title any more"


def test_a_title_with_wrong_characters_is_taken_last() -> None:
    text = "The ferry Marlin sank off Port Ellis on Tuesday."
    wrong = told("a", "Ferry Marlin doesnÃ¢â‚¬â„¢t arrive, sinks off Port Ellis", text)
    assert (
        headline([wrong, told("b", "Ferry sinks off Ellis", text)], None).article == "b"
    )


def test_a_plan_leaves_the_title_for_the_done_act_when_it_is_chosen_afresh() -> None:
    text = "Varna imposes tariffs on steel from Tarnow, the ministry of trade said on Monday."
    planned = told("a", "Varna to impose tariffs on Tarnow steel", text)
    done = told("b", "Varna imposes tariffs on Tarnow steel", text)
    assert headline([planned, done], planned.title).title == planned.title
    assert headline([planned, done], planned.title, afresh=True).title == done.title


def test_a_question_is_not_taken_because_it_tells_a_later_stage() -> None:
    text = "The mayor of Tarnow opened the bridge over the Arrel."
    before = told("a", "Mayor of Tarnow opens the bridge over the Arrel", text)
    text = "The bridge over the Arrel in Tarnow collapsed, the mayor said."
    question = told(
        "b", "How the bridge over the Arrel in Tarnow collapsed", text, hours=30
    )
    assert headline([before, question], None).title == before.title
