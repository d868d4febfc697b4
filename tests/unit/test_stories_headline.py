"""The title and the summary of a story."""

import msgspec
import pytest

from aggregator.stories.headline import headline
from aggregator.stories.summary import summary
from tests.unit.stories_examples import ferry, view


def test_the_title_that_tells_most_wins_over_question_and_label() -> None:
    assert headline(ferry(), None) == "Ferry Marlin sinks off Port Ellis, at least 14 killed"


def test_the_order_of_the_articles_does_not_matter() -> None:
    assert headline(ferry()[::-1], None) == headline(ferry(), None)


@pytest.mark.parametrize(
    ("title", "outlet", "clean"),
    [
        ("Quake shakes Tarnow | Daily Lantern", "Daily Lantern", "Quake shakes Tarnow"),
        ("Quake shakes Tarnow - Daily Lantern", "Daily Lantern", "Quake shakes Tarnow"),
        ("Quake shakes Tarnow – The Tarnow Times", None, "Quake shakes Tarnow"),
        ("Quake shakes Tarnow » World » News", None, "Quake shakes Tarnow"),
        ("Quake shakes Tarnow - no one was hurt", "Daily Lantern", "Quake shakes Tarnow - no one was hurt"),
        ("Storm – the worst times are over", None, "Storm – the worst times are over"),
        ("Quake shakes Tarnow - lantern.example", "lantern.example", "Quake shakes Tarnow"),
        ("| Daily Lantern", "Daily Lantern", "Daily Lantern"),
    ],
)
def test_outlet_names_are_cut_from_titles(title: str, outlet: str | None, clean: str) -> None:
    assert headline([view(title=title, outlet=outlet)], None) == clean


def test_the_shown_title_stays_when_the_new_one_is_hardly_better() -> None:
    old = "Ferry Marlin sinks off Port Ellis, at least 14 killed"
    fresher = view(
        "d",
        "Evening Bell",
        title="Ferry Marlin sinks off Port Ellis, at least 19 killed",
        hours=9,
        text=ferry()[0].text,
    )
    articles = [*ferry(), fresher]
    assert headline(articles, None) == fresher.title
    assert headline(articles, old) == old


def test_a_clearly_better_title_replaces_the_shown_one() -> None:
    assert (
        headline(ferry(), "Why did the Marlin sink?")
        == "Ferry Marlin sinks off Port Ellis, at least 14 killed"
    )


def test_a_title_that_no_report_has_any_more_goes() -> None:
    assert headline(ferry(), "An article that was moved away") == headline(ferry(), None)


def test_a_live_blog_names_the_story_only_when_it_is_alone() -> None:
    blog = view("l", title="Ferry Marlin sinks off Port Ellis: rescue under way", role="container", hours=9)
    assert headline([*ferry(), blog], None) != blog.title
    assert headline([blog], None) == blog.title


def test_without_titles_the_lead_speaks() -> None:
    lead = (
        "A ferry sank near the harbour of Port Ellis on Tuesday evening, and many people are still missing."
    )
    assert (
        headline([view(lead=lead)], None)
        == "A ferry sank near the harbour of Port Ellis on Tuesday evening, and many…"
    )
    assert headline([view()], None) == ""


def test_equal_titles_are_decided_the_same_way_every_time() -> None:
    twins = [
        view("a", "One", title="Bridge closed in Tarnow"),
        view("b", "Two", title="Tarnow bridge is closed"),
    ]
    assert headline(twins, None) == headline(twins[::-1], None)


def test_a_shouted_title_loses() -> None:
    loud = view("a", "One", title="FERRY MARLIN SINKS OFF PORT ELLIS, 14 KILLED", hours=1)
    calm = view("b", "Two", title="Ferry Marlin sinks off Port Ellis, 14 killed")
    assert headline([loud, calm], None) == calm.title


def test_a_column_that_opens_on_somebody_unnamed_loses() -> None:
    news = view(
        "a",
        "One",
        title="Bridge in Tarnow closed after cracks are found in two pillars",
        lead="The bridge in Tarnow was closed on Monday after cracks were found in two pillars.",
    )
    column = view(
        "b",
        "Two",
        title="Tarnow, the bridge, the cracks, and now the bill for the pillars",
        hours=1,
        lead="She has not slept. The bridge in Tarnow is closed, cracks in two pillars.",
    )
    assert headline([news, column], None) == news.title


def test_of_one_text_that_many_print_the_originals_title_is_weighed_whatever_came_first() -> None:
    lead = "The bridge in Tarnow was closed on Monday after cracks were found in two pillars."
    original = view("a", "One", title="Bridge in Tarnow closed after cracks are found", lead=lead)
    reprint = view("b", "Two", title="CRACKS! TARNOW BRIDGE SHUT IN SHOCK", lead=lead, hours=1)
    first = msgspec.structs.replace(original, role="copy", copy_of="b")
    assert headline([first, reprint], None) == original.title
    assert (
        headline([original, msgspec.structs.replace(reprint, role="copy", copy_of="a")], None)
        == original.title
    )


def test_summary_is_of_the_report_whose_title_is_shown() -> None:
    other = view(
        "d",
        "Evening Bell",
        title="Marlin: what divers saw",
        hours=3,
        lead="Divers from Port Ellis reached the wreck of the ferry Marlin on Thursday morning.",
    )
    assert summary([*ferry(), other], 60, shown_title=other.title) == other.lead
    leaning = msgspec.structs.replace(other, lead="They saw it. It lay still.")
    assert summary([*ferry(), leaning], 60, shown_title=other.title) != leaning.lead


def test_summary_is_the_lead_of_one_report_within_the_limit() -> None:
    text = summary(ferry(), 60)
    assert text in {article.lead for article in ferry()}


def test_summary_takes_whole_sentences() -> None:
    lead = "The bridge in Tarnow was closed on Monday. It is old. Engineers found cracks in its pillars."
    assert summary([view(title="Bridge", lead=lead)], 12) == "The bridge in Tarnow was closed on Monday."
    assert summary([view(title="Bridge", lead=lead)], 60) == lead


def test_a_first_sentence_that_is_too_long_is_cut() -> None:
    lead = "The bridge in Tarnow, which had been closed twice before, was shut after engineers found cracks."
    assert summary([view(lead=lead)], 5) == "The bridge in Tarnow, which…"


@pytest.mark.parametrize("max_words", [1, 10, 60])
def test_summary_never_says_more_than_allowed_in_scripts_without_blanks(max_words: int) -> None:
    lead = "塔尔诺大桥周一关闭因为工程师在两个桥墩上发现了裂缝预计维修需要几个月的时间" * 8 + "。"
    text = summary([view(lead=lead, language="zh")], max_words)
    assert 0 < len(text) <= 2 * max_words + 1


def test_articles_that_forbid_snippets_are_not_quoted() -> None:
    articles = [view("a", lead="The bridge in Tarnow is closed for good.", nosnippet=True)]
    assert summary(articles, 60) == ""
    second = view("b", "Two", title="Bridge", lead="Tarnow has lost its bridge, engineers said.")
    assert summary([*articles, second], 60) == second.lead
    assert summary(articles, 0) == ""
