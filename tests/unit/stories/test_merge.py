"""The merged story: extractive, attributed, counted."""

import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model.core import ArticleView, AttributedSentence, Fact, MergedStory
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.newest_state import newest_state
from aggregator.stories.text.plain_text import as_text
from aggregator.web.pages.views import only_by_outlet
from tests.support.stories_examples import NOON, ferry, view


def shown(merged: MergedStory) -> list[AttributedSentence]:
    """Every sentence that the merged story shows, but the titles and timed entries of its timeline."""
    reported = [
        AttributedSentence(text=i.text, article=i.article, outlet=i.outlet)
        for i in merged.timeline
        if i.kind == "told"
    ]
    return [
        *([merged.lead] if merged.lead else []),
        *(said for fact in merged.facts for said in fact.said),
        *merged.summary,
        *merged.only,
        *reported,
    ]


def saying(merged: MergedStory, words: str) -> set[str]:
    """The outlets that are shown with a fact that holds `words`."""
    facts = (fact for fact in merged.facts if any(words in said.text for said in fact.said))
    return {said.outlet or "" for fact in facts for said in fact.said}


def test_every_sentence_stands_word_for_word_in_its_article() -> None:
    articles = {article.id: article for article in ferry()}
    sentences = shown(merge(ferry()))
    assert len(sentences) > 10
    for said in sentences:
        assert said.text in articles[said.article].text
        assert said.outlet == articles[said.article].outlet


def test_a_fact_is_counted_with_all_who_say_it() -> None:
    merged = merge(ferry())
    assert saying(merged, "Joren Hale") == {"Harbour Post", "Daily Lantern"}
    fact = next(f for f in merged.facts if "Joren Hale" in f.said[0].text)
    assert (fact.outlets, fact.of) == (2, 3)


def test_what_one_outlet_has_is_no_fact_of_several() -> None:
    merged = merge(ferry())
    only = {said.text: said.outlet for said in merged.only}
    assert any("blankets and hot soup" in text for text in only)
    assert any("shares lost a tenth" in text for text in only)
    facts = {said.text for fact in merged.facts for said in fact.said}
    assert not facts & only.keys()


def flood(*texts: str) -> list[ArticleView]:
    """Reports of one flood, an hour apart, each by an outlet of its own."""
    return [
        view(f"f{n}", f"Paper {n}", title="Flood in Tarnow", text=t, hours=n) for n, t in enumerate(texts)
    ]


@pytest.mark.parametrize(
    "texts",
    [
        ("Emergency shelters have been opened in five schools of Tarnow.",
         "At the grammar school of Tarnow, one of five shelters, volunteers served 900 breakfasts by eight."),
        ("Residents of Tarnow said that a siren sounded before the water came on Saturday night.",
         "Residents of Tarnow said that no siren sounded before the water came on Saturday night."),
    ],
    ids=["figures of its own", "a no"],
)  # fmt: skip
def test_a_sentence_with_figures_or_a_no_of_its_own_does_not_count_for_another(
    texts: tuple[str, str],
) -> None:
    assert merge(flood(*texts)).facts == ()


def test_a_noun_with_an_article_needs_to_be_told_of() -> None:
    lead = "The mayor Anna Berg closed the bridge in Tarnow on Monday."
    theologian = "The theologian Paul Stone of Varna asked the county for a new ferry."
    bridge = "The old bridge was built by Varna Steel in the summer of 1950."
    merged = merge(
        [view(title="Bridge in Tarnow is closed", lead=lead, text=f"{lead}\n{theologian}\n{bridge}")]
    )
    assert [one.text for one in merged.only] == [bridge]


def test_the_lead_leads_the_fact_that_it_belongs_to() -> None:
    for merged in (merge(ferry()), merge(ferry()[:2])):
        holding = [fact for fact in merged.facts if merged.lead in fact.said]
        assert all(fact.said[0] == merged.lead for fact in holding)
        reported = as_text(merged, ferry()).partition("Timeline")[0]
        assert reported.count(merged.lead.text) == 1


def test_an_agencys_dateline_is_shown_only_where_nothing_else_can_be() -> None:
    line = "PORT ELLIS (MNA) — The ferry Marlin with 240 people on board sank off Port Ellis on Tuesday."
    wire = view("w", "Wire", title="Ferry", text=line + "\nTwo tugs from Varna tried to hold the ferry.\n"
                "The shipyard in Norrland had built the hull in the spring of that year.\n"
                "Lorry drivers from Belsk lost their freight of apples and pears.\n"
                "Insurers in Quaymouth put the damage at several millions of crowns.")  # fmt: skip
    only = [said.text for said in merge([*ferry(), wire]).only if said.article == "w"]
    assert len(only) > 1
    assert line not in only


def test_copies_speak_once() -> None:
    first = ferry()[0]
    copies = [
        view(f"copy{n}", f"Paper {n}", title=first.title, text=first.text, role="copy", copy_of="a", hours=n)
        for n in range(1, 4)
    ]
    merged = merge([*ferry(), *copies])
    assert {said.article for said in shown(merged)} == {"a", "b", "c"}
    assert all(fact.of == 3 for fact in merged.facts)


PIERS = "The harbour authority of Port Ellis closed all three piers to visitors until the end of the month."
OWN = (
    f"{PIERS}\nFishermen in Tarnow protested loudly against it.",
    f"{PIERS}\nMeteorologists expect heavy storms in Varna this week.",
)


def test_two_outlets_with_the_same_words_are_one_origin() -> None:
    articles = [view(str(n), f"Paper {n}", title=f"Piers {n}", text=OWN[n]) for n in (0, 1)]
    (fact,) = merge(articles).facts
    assert (fact.outlets, fact.of, len(fact.said)) == (1, 2, 2)
    assert "the same words in 2 outlets" in as_text(merge(articles), articles)


def test_two_outlets_of_one_name_are_two() -> None:
    articles = [
        view(str(n), "News", outlet_key=f"{n}.example", title=f"Piers {n}", text=OWN[n], hours=n)
        for n in (0, 1)
    ]
    merged = merge(articles)
    text = as_text(merged, articles)
    assert "the same words in 2 outlets" in text
    assert text.split("Only one report says")[1].split("Timeline")[0].split("\n").count("News") == 2
    assert [len(one.sentences) for one in only_by_outlet(merged.only, articles)] == [1, 1]


def test_two_reports_of_one_outlet_are_not_two_outlets() -> None:
    articles = ferry()
    same = [articles[0], view("b", "Harbour Post", title=articles[1].title, text=articles[1].text, hours=2)]
    assert all(merge(same).lead in fact.said for fact in merge(same).facts)


def test_a_story_without_texts_has_headline_and_timeline() -> None:
    merged = merge(
        [view("a", title="Ferry sinks off Port Ellis"), view("b", "Two", title="Ferry sinks", hours=1)]
    )
    assert merged.title
    assert merged.lead is None
    assert [item.article for item in merged.timeline] == ["a", "b"]
    assert merge([]).timeline == ()


def test_headings_and_captions_are_not_shown() -> None:
    text = "Panic in the harbour\n" + ferry()[0].text + "\nPhoto: Lena Moor"
    merged = merge([view("a", title="Ferry sinks", text=text), *ferry()[1:]])
    assert not any(said.text in ("Panic in the harbour", "Photo: Lena Moor") for said in shown(merged))


HASH_SEED_SCRIPT = """
    import sys
    from tests.support.stories_examples import ferry
    from aggregator.stories.text.merged_text import merge
    from aggregator.stories.text.plain_text import as_text
    import msgspec
    merged = merge(ferry())
    sys.stdout.buffer.write(msgspec.json.encode(merged) + as_text(merged, ferry()).encode())
"""


@pytest.mark.later
@pytest.mark.slow
def test_the_page_is_byte_equal_under_different_hash_seeds() -> None:
    pages = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(HASH_SEED_SCRIPT)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4711")
    ]
    assert len(pages[0]) > 1000
    assert pages[0] == pages[1] == pages[2]


def test_the_text_names_who_says_what() -> None:
    text = as_text(merge(ferry()), ferry())
    assert text.startswith(
        "Ferry Marlin sinks off Port Ellis, at least 14 killed\n3 articles, 3 outlets, 3 independent reports"
    )
    assert "2 of 3 outlets: " in text
    assert "Daily Lantern: " in text


def test_reports_of_unknown_outlets_are_distinguished_by_their_titles() -> None:
    unknown = [msgspec.structs.replace(article, outlet=None) for article in ferry()]
    text = as_text(merge(unknown), unknown)
    said = text.split("\n\nTimeline")[0]
    assert "unknown outlet" not in said
    assert "— “Ferry Marlin sinks off Port…”" in said
    assert "“Why did the Marlin sink?”, 2025-" in said


def test_reports_tell_what_they_are_a_copy_of() -> None:
    copy = view("copy", None, title="Ferry sinks", role="copy", copy_of="a", wire="AFP", hours=1)
    articles = [*ferry(), copy]
    assert "- unknown outlet: Ferry sinks (copy of Harbour Post) (agency: AFP)" in as_text(
        merge(articles), articles
    )


def test_one_report_is_rendered_without_comparing_it_and_reprints_are_credited() -> None:
    alone = as_text(merge(ferry()[:1]), ferry()[:1])
    assert "Only one" not in alone
    assert "blankets and hot soup" in alone
    copy = view("copy", "Fourth", title="Ferry sinks", role="copy", copy_of="a", hours=1)
    articles = [*ferry(), copy]
    assert "Only one report says\nHarbour Post and 1 reprint\n" in as_text(merge(articles), articles)


def test_the_lead_of_one_report_begins_where_it_can_be_shown() -> None:
    texts = (
        "When I wrote this, the dyke held.",
        "The dyke of Belsk broke on Sunday.",
        "I was wrong about the dyke.",
    )
    merged = merge([view("a", "The dyke broke", text="\n".join(texts), lead=" ".join(texts))])
    assert [said.text for said in merged.summary] == [texts[1]]


@pytest.mark.later
@pytest.mark.slow
def test_a_huge_story_is_bounded() -> None:
    sentence = "Group {n} of the police searched street {m} of Port Ellis for the captain Joren Hale."
    articles = [
        view(f"id{n}", f"Outlet {n}", title=f"Search {n}", hours=n,
             text=" ".join(sentence.format(n=n, m=m) for m in range(50)))
        for n in range(30)
    ]  # fmt: skip
    merged = merge(articles)
    assert len({said.article for said in shown(merged)}) <= 24
    assert len(merged.facts) <= 12


VOCABULARY = """Marlin Port Ellis sank killed 14 19 people said denied reports the a “ ” " ... ! ? Tuesday
November 31 5 km $3 million % not 1999 00:10 p.m. U.S. \u4e2d\u6587 , . — dozens at least"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=60).map(" ".join), max_size=4), st.booleans())
def test_any_text_gives_a_faithful_story(texts: list[str], dated: bool) -> None:
    published = NOON if dated else None
    articles: list[ArticleView] = [
        view(f"x{n}", f"Outlet {n}" if n != 2 else None, title=text[:40], text=text, published=published)
        for n, text in enumerate(texts)
    ]
    merged = merge(articles)
    text_of = {article.id: article.text for article in articles}
    assert all(said.text in text_of[said.article] for said in shown(merged))
    assert as_text(merged, articles) == as_text(merge(articles[::-1]), articles[::-1])


def test_a_sentence_of_the_summary_that_is_a_fact_is_shown_once_with_its_outlets() -> None:
    """Of the few sentences that a page and an item of a feed open with."""

    def said(text: str, article: str = "a") -> AttributedSentence:
        return AttributedSentence(text=text, article=article, outlet=f"Outlet {article}")

    lead, second = said("The Marlin sank off Port Ellis."), said("Its captain Joren Hale was arrested.")
    fact = Fact(said=(said(second.text, "b"), said("Police arrested Joren Hale.", "c")), outlets=2, of=3)
    other = Fact(said=(said("Divers search it."), said("The wreck is searched.", "b")), outlets=2, of=3)
    merged = MergedStory(
        title="Ferry sinks", lead=lead, summary=(lead, second), facts=(fact, other), only=(), timeline=()
    )
    assert newest_state(merged).state == (Fact(said=(lead,), outlets=1, of=1), fact, other)
    assert newest_state(merged, sentences=2).facts == (other,)
