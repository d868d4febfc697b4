"""What a story shows: the lead of one report, what each other says first, and all of it word for word."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.stories.lead import (
    LEAD_PARAGRAPHS,
    LEAD_WORDS,
    lead_paragraphs,
    summary,
)
from aggregator.stories.plain_text import as_text
from aggregator.stories.rendering import (
    render,
    reports_of,
    title_sentence,
)
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.text.lines import count_words
from tests.support.stories_examples import (
    FERRY_A,
    NOON,
    check_words,
    ferry,
    story_text,
    view,
)
from tests.support.tables import mapping, numbered

SANK = "The ferry Marlin sank off Port Ellis on Tuesday evening."
DIVERS = "Divers from Varna will search the wreck of the ferry on Thursday."
PUMPS = "Engineers checked every pump in the lower town of Tarnow."


def opening(*lines: str, title: str = "A ferry sinks") -> str:
    """What a report with these lines tells under its title."""
    return title_sentence(view(title=title, text="\n".join(lines)))


def openings(lead: str, *others: str, language: str = "en") -> list[str]:
    """What reports of one sentence tell beside a lead, each an hour later than the one before.

    `language`: of the lead.
    """
    articles = [
        view("0", "Outlet", title="A ferry sinks", text=lead, language=language)
    ]
    for n, text in enumerate(others, 1):
        articles.append(
            view(str(n), f"Outlet {n}", title="Ferry", text=text, lead="", hours=n)
        )
    shown = story_text(articles)
    assert [p.text for p in shown.lead] == [lead]
    return [p.text for p in shown.openings]


LEADS, OPENINGS, BEGINNINGS = (
    mapping("leads_and_openings", name) for name in ("leads", "openings", "beginnings")
)


@pytest.mark.parametrize("name", LEADS)
def test_paragraphs_of_a_lead(name: str) -> None:
    lines = LEADS[name]["lines"]
    assert lead_paragraphs("\n".join(lines), SANK) == LEADS[name]["shows"]


@pytest.mark.parametrize("name", OPENINGS)
def test_the_sentence_that_a_report_tells_under_its_title(name: str) -> None:
    row = OPENINGS[name]
    assert (
        opening(*row["lines"], title=row.get("title", "A ferry sinks")) == row["shows"]
    )


@pytest.mark.parametrize("name", BEGINNINGS)
def test_where_a_lead_begins(name: str) -> None:
    row = BEGINNINGS[name]
    text, lead = "\n".join(row["lines"]), " ".join(row["lines"])
    report = view("a", title=row["title"], text=text, lead=lead)
    bare = view("b", title=f"{row['title']} again", text="", lead="")
    assert [p.text for p in story_text([report, bare]).lead] == row["shows"]


# --- the lead ----------------------------------------------------------------------------------------------


def test_a_lead_is_three_paragraphs_of_one_report_that_follow_each_other() -> None:
    shown = story_text(ferry())
    assert [p.text for p in shown.lead] == FERRY_A.split("\n")[:LEAD_PARAGRAPHS]
    assert {p.article_id for p in shown.lead} == {"a"}


def test_a_lead_ends_with_the_last_sentence_that_is_within_its_words() -> None:
    forty = " ".join([SANK] * 4)
    boats = " ".join(
        ["Small boats brought 212 survivors to the village of Tarnow."] * 4
    )
    lines = [forty, boats, boats]
    assert lead_paragraphs("\n".join([*lines, boats]), SANK) == lines
    passages = lead_paragraphs("\n".join(f"{line} {line}" for line in lines), SANK)
    assert [count_words(p) for p in passages] == [80, 50]
    assert sum(map(count_words, passages)) == LEAD_WORDS


@pytest.mark.parametrize(("opens", "closes"), ["“”", '""', "«»"])
def test_a_lead_does_not_end_within_a_quotation(opens: str, closes: str) -> None:
    quoted = " ".join(
        numbered("We closed the gate number %n of the harbour at nine.", 20)
    )
    text = f"{SANK} {opens}{quoted}{closes} Anna Berg said."
    assert lead_paragraphs(text, SANK) == [SANK]
    over_paragraphs = f"{SANK}\n{opens}We closed the gates at nine.\n{opens}Nobody was there,{closes} she said."
    assert lead_paragraphs(over_paragraphs, SANK) == [SANK]


def test_an_article_that_is_alone_begins_as_its_author_has_it() -> None:
    lines = [
        "I rewrote my site generator.",
        "Should you use it? The old one took a minute.",
        "It is one file now.",
    ]
    post = view(
        "a", title="Rewriting a generator", text="\n".join(lines), lead=" ".join(lines)
    )
    assert story_text([post]).lead[0].text == lines[0]
    assert summary([post], 60) == " ".join(lines)
    credited = replace(
        post, lead=f"A boat on the Arrel (AP Photo/Ann Lee). {post.lead}"
    )
    assert summary([credited], 60) == " ".join(lines)


# --- openings ----------------------------------------------------------------------------------------------


def test_a_sentence_that_those_above_have_by_half_is_left_out() -> None:
    again = "The ferry Marlin sank off Port Ellis on Tuesday evening with {} on board."
    assert openings(SANK, again.format("the engineers Joren Hale and Anna Berg")) == []
    told = again.format("the three engineers Joren Hale, Anna Berg and Lena Moor")
    assert openings(SANK, told) == [told]
    assert openings(SANK, told, told) == [told]


@pytest.mark.parametrize("language", ["de", "ja", "ru"])
def test_words_are_told_whatever_the_language_of_the_lead(language: str) -> None:
    again = "Engineers checked the lower pumps of Tarnow and the gates."
    assert openings(again, again, language=language) == []


def test_the_newest_opening_is_first_and_the_one_that_differs_most_is_second() -> None:
    near = "The ferry Marlin sank, and divers of Varna search the wreck."
    nearer = "The ferry Marlin sank as engineers and tugs of Halverne watched."
    assert openings(SANK, PUMPS, nearer, near) == [near, PUMPS, nearer]


def test_every_outlet_is_heard_whether_it_counts_or_not() -> None:
    odd = view("odd", "Odd", title="Pumps", text=PUMPS, counts_as_report=False)
    assert story_text([*ferry(), odd]).opening_of("odd") == PUMPS
    odd = replace(odd, is_little_known=True)
    assert story_text([*ferry(), odd]).opening_of("odd") == ""
    # A source with standing vouches for the text that it prints
    printed = view("p", "Paper", title="Pumps", text=PUMPS, copy_of="odd", role="copy")
    assert story_text([*ferry(), odd, printed]).opening_of("odd") == PUMPS


LONG = "The gates of the harbour were closed at nine in the evening and nobody was there to see the water."


@pytest.mark.parametrize(("opens", "closes"), ["“”", '""', "«»"])
@pytest.mark.parametrize(
    "between", [" ", "\n"], ids=["one paragraph", "several paragraphs"]
)
def test_a_sentence_inside_a_quotation_is_its_speakers_and_no_opening(
    opens: str, closes: str, between: str
) -> None:
    quoted = between.join(
        [f"{opens}{LONG}", *[LONG] * 6, f"{LONG}{closes} Anna Berg said."]
    )
    assert len(quoted) > 600
    assert opening(quoted) == ""
    assert opening(f"{quoted}\n{DIVERS}") in ("", DIVERS)
    assert opening(DIVERS, quoted) == DIVERS


def test_articles_that_may_not_be_quoted_are_named_and_not_quoted() -> None:
    articles = [
        *ferry()[:2],
        view(
            "n", "Silent", title="Ferry", text=FERRY_A + "\n" + DIVERS, nosnippet=True
        ),
    ]
    shown = story_text(articles)
    assert "n" not in {p.article_id for p in (*shown.lead, *shown.openings)}
    assert story_text(articles[2:]).lead == ()
    assert "Silent, 2025-03-12 12:00: Ferry" in as_text(shown, articles)


def test_a_little_known_source_opens_no_paragraph_beside_known_ones() -> None:
    new = view("n", "New", title="Ferry", text=DIVERS, hours=9, is_little_known=True)
    beside = story_text([*ferry()[:2], new])
    assert "n" not in {p.article_id for p in (*beside.lead, *beside.openings)}
    first_day = [replace(article, is_little_known=True) for article in ferry()[:2]]
    shown = story_text([*first_day, new])
    assert "n" in {p.article_id for p in (*shown.lead, *shown.openings)}


def test_a_copy_that_leads_stands_for_its_original_and_both_are_named() -> None:
    cut = view(
        "a",
        "Wire",
        title="Ferry sinks",
        lead="The ferry Marlin sank off [...]",
        text=FERRY_A,
    )
    copy = view(
        "b",
        "Paper",
        title="Ferry sinks",
        text=FERRY_A,
        role="copy",
        copy_of="a",
        hours=1,
    )
    part = view(
        "e", "Digest", title="Ferry", text=DIVERS, role="excerpt", copy_of="a", hours=2
    )
    other = view("c", "Third", title="Ferry", text=DIVERS, hours=3)
    articles = [cut, copy, part, other]
    shown = story_text(articles, "Ferry Marlin sinks off Port Ellis on Tuesday")
    assert {p.article_id for p in shown.lead} == {"b"}
    assert {p.article_id for p in shown.openings} == {"c"}
    assert (
        "(Paper, 2025-03-12 13:00) (printed by Wire, Digest in part, too)"
        in as_text(shown, articles)
    )


def test_an_opening_in_german_is_new_by_the_words_of_german() -> None:
    lead = "Die Fähre Marlin sank am Dienstag vor dem Hafen, nachdem sie einen Felsen gerammt hatte."
    again = "Nachdem sie vor dem Hafen einen Felsen gerammt hatte, sank die Fähre Marlin am Dienstag."
    divers = "Taucher suchen am Abend nach Booten der Insel."
    told = {}
    for other in (again, divers):
        first = view("a", "Eins", title="Fähre gesunken", text=lead, language="de")
        second = view("b", "Zwei", title="Taucher", text=other, language="de", hours=1)
        told[other] = [p.text for p in story_text([first, second], lead).openings]
    assert told == {again: [], divers: [divers]}


# --- the whole story ---------------------------------------------------------------------------------------


def test_the_text_is_the_lead_and_then_the_others_the_newest_first() -> None:
    shown = story_text(ferry())
    lead, other = (
        "\n\n".join(p.text for p in shown.lead),
        {p.article_id: p.text for p in shown.openings},
    )
    assert as_text(shown, ferry()) == (
        f"{lead} (Harbour Post, 2025-03-12 12:00)\n\n"
        f"North Courier, 2025-03-12 17:00: Live: Port Ellis mourns ferry victims - North Courier\n"
        f"{other['c']}\n\n"
        f"Daily Lantern, 2025-03-12 14:00: Why did the Marlin sink? | Daily Lantern\n{other['b']}"
    )


def test_opinions_and_live_blogs_stand_apart_and_only_an_explainer_is_heard() -> None:
    column = view(
        "op", "Column", title="A disgrace", text=PUMPS, hours=6, kind="opinion"
    )
    why = view(
        "why", "Guide", title="Why ferries sink", text=PUMPS, hours=7, kind="explainer"
    )
    blog = view(
        "blog", "Ticker", title="Ferry live", text=DIVERS, hours=8, role="container"
    )
    articles = [*ferry(), column, why, blog]
    shown = story_text(articles)
    assert {p.article_id for p in shown.openings} == {"c", "b", "why"}
    assert as_text(shown, articles).split("\n\n")[-3:] == [
        "Ticker, 2025-03-12 20:00: Ferry live [live]",
        f"Guide, 2025-03-12 19:00: Why ferries sink [explainer]\n{PUMPS}",
        "Column, 2025-03-12 18:00: A disgrace [opinion]",
    ]


@pytest.mark.parametrize("kind", ["opinion", "explainer", "withdrawal"])
def test_a_lead_that_is_no_report_is_marked(kind: str) -> None:
    article = view("op", "Column", title="A disgrace", text=PUMPS, kind=kind)
    text = as_text(story_text([article]), [article])
    assert text == f"{PUMPS} (Column, 2025-03-12 12:00) [{kind}]"


def test_a_report_with_nothing_new_speaks_unless_the_lead_says_the_same() -> None:
    lead = "The old bridge of Tarnow was closed on Monday after cracks were found in two of its pillars."
    other = "It is the old bridge of Tarnow that its inspectors shut."
    articles = [
        view("a", "One", title="Bridge of Tarnow closed after cracks", text=lead),
        view("b", "Two", title="Old bridge of Tarnow shut", text=other, hours=-1),
        view("c", "Three", title="Tarnow closes bridge", text=lead.replace("old ", ""), hours=-2),
    ]  # fmt: skip
    shown = story_text(articles, "Bridge of Tarnow closed after cracks")
    assert {p.article_id for p in shown.lead} == {"a"}
    assert [(p.article_id, p.text) for p in shown.openings] == [("b", other)]


def test_copies_are_named_under_their_original_and_say_nothing_themselves() -> None:
    second = ferry()[1]
    copies = [
        view(
            f"copy{n}",
            outlet,
            title=second.title,
            text=second.text,
            role="copy",
            copy_of="b",
            hours=3 + n,
        )
        for n, outlet in enumerate(("Paper", None))
    ]
    articles = [*ferry(), *copies]
    shown = story_text(articles)
    assert [p.article_id for p in shown.openings] == ["c", "b"]
    text = as_text(shown, articles)
    assert (
        "Why did the Marlin sink? | Daily Lantern (printed by Paper, unknown outlet, too)\n"
        in text
    )
    assert text.count(shown.opening_of("b")) == 1


def test_a_time_is_shown_as_precisely_as_it_is_known() -> None:
    day = view("d", "Daily", title="Day", published_precision="day", hours=1)
    undated = view("u", "Undated", title="Never", published=None, hours=2)
    polled = view("p", "Polled", title="Seen", published_origin="poll", hours=3)
    articles = [*ferry()[:1], day, undated, polled]
    lines = as_text(story_text(articles), articles).split("\n\n")[3:]
    assert lines == ["Polled: Seen", "Undated: Never", "Daily, 2025-03-12: Day"]


def test_a_story_of_one_article_has_a_lead_and_repeats_no_text() -> None:
    rendering = render("Ferry sinks", ferry()[:1], shipped_tuning())
    assert rendering.text == ""
    assert rendering.shown.lead
    assert (rendering.shown.openings, rendering.shown.quotations) == ((), ())


def test_of_many_reports_each_outlet_has_its_newest_first_and_known_ones_go_before() -> (
    None
):
    cap = shipped_tuning().reports_cap
    flood = [
        view(f"f{n:02}", "Flooder", title=f"Ferry {n}", hours=n) for n in range(2 * cap)
    ]
    strange = [view("s", "Stranger", title="Ferry", hours=99, is_little_known=True)]
    chosen = [
        report.id
        for report in reports_of([*ferry(), *flood, *strange], shipped_tuning())
    ]
    assert len(chosen) == cap
    assert {"a", "b", "c", f"f{2 * cap - 1}"} <= set(chosen)
    assert "s" not in chosen


HASH_SEED_SCRIPT = """
    import sys
    import msgspec
    from aggregator.stories.plain_text import as_text
    from tests.support.stories_examples import story_text
    from tests.support.stories_examples import ferry
    shown = story_text(ferry())
    sys.stdout.buffer.write(msgspec.json.encode(shown) + as_text(shown, ferry()).encode())
"""


@pytest.mark.later
def test_a_story_is_byte_equal_under_different_hash_seeds() -> None:
    stories = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(HASH_SEED_SCRIPT)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    ]
    assert len(stories[0]) > 1000
    assert stories[0] == stories[1] == stories[2]


SENTENCES = [
    SANK, DIVERS, PUMPS, LONG, f"“{LONG}", f"{LONG}” Berg said.", "Mayor Anna Berg closed the bridge.",
    "“We will not stop searching for them,” Berg said.", "« Nous", "FILE PHOTO: A ferry.", "Photo: Lena",
    '"We saw no water at all until ten," Joren Hale told us.', "Click here to subscribe to it.", "He did.",
    "\u00a0", "中文。", "It cost 5.3 million…", "A heading", "“", '"',
]  # fmt: skip
TEXTS = st.lists(
    st.lists(st.sampled_from(SENTENCES), max_size=6).map(" ".join), max_size=6
).map("\n".join)


@pytest.mark.later
@settings(max_examples=150)
@given(st.lists(TEXTS, max_size=4), st.booleans())
def test_of_any_articles_all_that_is_shown_stands_in_the_article_named(
    texts: list[str], dated: bool
) -> None:
    articles: list[ArticleView] = [
        view(
            f"x{n}",
            f"Outlet {n}" if n != 2 else None,
            title=text[:40],
            text=text,
            published=NOON if dated else None,
        )
        for n, text in enumerate(texts)
    ]
    shown = story_text(articles)
    check_words(shown, articles)
    assert len({p.article_id for p in shown.lead}) <= 1
    assert len(shown.lead) <= LEAD_PARAGRAPHS
    assert sum(count_words(p.text) for p in shown.lead) <= LEAD_WORDS
    assert len(shown.quotations) <= 6
    assert story_text(articles[::-1]) == shown
    assert as_text(shown, articles) == as_text(shown, articles[::-1])
