"""The title and the summary of a story."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.model.article import ArticleView
from aggregator.stories.lead import lead_of, summary
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.stories.titles.title import headline, is_fit
from benchmarks.briefs import cleaned
from tests.support.stories_examples import NOON, ferry, view
from tests.support.tables import each_row, mapping, named_parts

SINKS = "Ferry Marlin sinks off Port Ellis, at least 14 killed"


def best(articles: Sequence[ArticleView], shown: str | None) -> str:
    return headline(articles, shown).title


def articles_of(row: dict[str, Any]) -> list[ArticleView]:
    """Return the articles of a row: those of the sunk ferry, if it says so, and its own."""
    own = [
        view(**{"id_" if name == "id" else name: value for name, value in one.items()})
        for one in row.get("articles", ())
    ]
    return [*(ferry() if row.get("ferry") else ()), *own]


TITLES, SUMMARIES, LEADS = (
    mapping("titles_and_leads", name) for name in ("titles", "summaries", "leads")
)


@pytest.mark.parametrize("name", TITLES)
def test_the_title_of_a_story_and_its_reason(name: str) -> None:
    row = TITLES[name]
    chosen = headline(
        articles_of(row),
        row.get("shown"),
        prefer=row.get("prefer", ()),
        afresh=row.get("afresh", False),
    )
    assert named_parts(chosen, row["gives"]) == row["gives"]


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_summary_of_a_story(name: str) -> None:
    row = SUMMARIES[name]
    words = row.get("words", 60)
    text = summary(articles_of(row), words, shown_title=row.get("shown"))
    assert text.startswith(row["begins"]) if "begins" in row else text == row["gives"]


@pytest.mark.parametrize("name", LEADS)
def test_the_report_that_gives_the_lead(name: str) -> None:
    row = LEADS[name]
    article, _ = lead_of(articles_of(row), shipped_tuning(), row.get("shown"))
    assert article.id == row["gives"]


@each_row("headline", "outlet names are cut from titles", "title", "outlet", "clean")
def test_outlet_names_are_cut_from_titles(
    title: str, outlet: str | None, clean: str
) -> None:
    assert best([view(title=title, outlet=outlet)], None) == clean


@pytest.mark.parametrize("max_words", [60, 20, 8])
def test_the_first_sentence_of_a_summary_does_not_depend_on_its_length(
    max_words: int,
) -> None:
    whole = summary(ferry(), 60)
    assert whole.startswith(summary(ferry(), max_words).removesuffix("…"))


@each_row("headline", "a surname alone opens no story", "opening", "title", "is_shown")
def test_a_surname_alone_opens_no_story(
    opening: str, title: str, is_shown: bool
) -> None:
    further = "Mayor Emrys Boll, Ada Rel and State Police saw the pillars, police in Barrel told the county."
    report = view("a", "One", title="Bridge in Tarnow closed", lead=opening)
    other = view("b", "Two", title="Pillars", lead=further, hours=1)
    chosen = lead_of([report, other], shipped_tuning(), title)
    assert chosen == ((report, [opening]) if is_shown else (other, [further]))


def test_the_lead_is_the_first_sentence_of_the_summary_whatever_its_length() -> None:
    for title in (SINKS, None):
        lead = lead_of(ferry(), shipped_tuning(), title)
        assert lead is not None
        article, (sentence,) = lead
        assert sentence in article.text
        for words in (5, 20, 60, 130):
            first = summary(ferry(), words, shown_title=title).removesuffix("…")
            assert first.startswith(sentence) or sentence.startswith(first)


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


# --- reasons -----------------------------------------------------------------------------------------------


@each_row("headline", "the reason for another title is said", "shown", "reason")
def test_the_reason_for_another_title_is_said(shown: str, reason: str) -> None:
    later = view("d", "Evening Bell", title=shown, hours=9, text=ferry()[0].text)
    others = [] if shown.startswith("No") else [later]
    chosen = headline([*ferry(), *others], shown)
    assert (chosen.title, chosen.article, chosen.reason) == (SINKS, "a", reason)


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


# --- languages ---------------------------------------------------------------------------------------------


@each_row(
    "headline", "bait and labels lose in each language", "language", "faulty", "plain"
)
def test_bait_and_labels_lose_in_each_language(
    language: str, faulty: str, plain: str
) -> None:
    loud = view("a", "One", title=faulty, hours=3, language=language)
    assert best([loud, view("b", "Two", title=plain, language=language)], None) == plain


@each_row(
    "headline", "plain statements have no fault in their language", "language", "title"
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
        NOON + timedelta(hours=9),
    )
    own = {
        "id": "zz",
        "title": title,
        "outlet": "Third",
        "published": time,
        "effective_at": time,
    }
    copy = replace(original, role="copy", copy_of=original.id, **own)
    assume(all(article.title for article in articles))
    assert headline([*articles, copy], shown.title).title == shown.title


@pytest.mark.parametrize(
    "text",
    [
        "The mayor of Ovrath was arrested on Monday over two crowns. He denies it. Prosecutors searched the house.",
        "The bishop of Varna fell from a ladder on Monday in a hall. It broke. Nobody died. Two nuns saw it fall.",
        "Tellin yakınındaki eski barajın onarımı pazartesi günü başladı. Yol kapanacak. Köylüler onarımı istiyordu.",
        "特林附近的旧水坝周一开始维修。道路关闭。工程师说在墙上发现了十一条裂缝。",
    ],
)
def test_no_sentence_is_left_out_of_the_middle_of_a_summary(text: str) -> None:
    article = cleaned("a", {"source": "kite", "title": "Ovrath", "text": text}, NOON)
    assert summary([article], 60) == text
