"""Who is quoted, and how the quotations of a story are shown."""

import pytest

from aggregator.model.core import ArticleView, MergedStory
from aggregator.stories.facts.quotations import full_names, speaker_of
from aggregator.stories.facts.sentence_similarity import read_features
from aggregator.stories.facts.source_sentences import read_reports
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.tuning import shipped_tuning
from tests.support.stories_examples import view

NAMES = "The owners met Joren Hale, Anna Berg of Port Ellis, Bluewave Lines, Maine and the Harbour Office."
QUOTED = "“The ferry was safe and every inspection proved it”"


@pytest.mark.parametrize(
    ("sentence", "speaker"),
    [
        (f"{QUOTED[:-1]},” Joren Hale said.", "Joren Hale"),
        (f"{QUOTED[:-1]},” said Joren Hale, the captain.", "Joren Hale"),
        (f"{QUOTED[:-1]},” said Mr. Hale.", "Hale"),
        (f"{QUOTED[:-1]},” Anna Berg, the mayor of Port Ellis, later told reporters.", "Anna Berg"),
        (f"{QUOTED[:-1]},” said Bluewave press secretary Anna Berg.", "Bluewave press secretary Anna Berg"),
        (f"{QUOTED[:-1]},” the Harbour Office said in a statement.", "Harbour Office"),
        (f"Anna Berg said: {QUOTED}.", "Anna Berg"),
        (f"{QUOTED[:-1]},” the envoy to Maine Anna Berg said.", ""),
        (f"{QUOTED[:-1]},” said Maine's envoy in a long statement.", ""),
        (f"{QUOTED[:-1]},” he said.", ""),
        (f"{QUOTED[:-1]},” the Maine Republican said.", ""),
        (f"{QUOTED[:-1]},” he told Joren Hale.", ""),
        (f"{QUOTED[:-1]},” the Ellis Times wrote.", ""),
        ("Joren Hale called it a “safe ferry” and said that he would sail again next week.", ""),
    ],
)
def test_the_speaker_of_a_quotation(sentence: str, speaker: str) -> None:
    reports = read_reports([view("a", text=f"{NAMES}\n{sentence}")], shipped_tuning())
    assert speaker_of(read_features(reports)[-1]) == speaker


@pytest.mark.parametrize(
    ("names", "full"),
    [
        (["Berg", "Senator Anna Berg of Port Ellis"], ["Senator Anna Berg of Port Ellis"] * 2),
        (["Mayor Berg", "Anna K. Berg", "Anna Berg"], ["Anna K. Berg"] * 3),
        (["Anna Berg", "Joren Berg", "Berg"], ["Anna Berg", "Joren Berg", "Berg"]),
        (["Harbour Office", "Tax Office"], ["Harbour Office", "Tax Office"]),
    ],
)
def test_a_speaker_is_recognized_by_the_last_name_and_told_apart_by_the_first(
    names: list[str], full: list[str]
) -> None:
    assert [full_names(names)[name] for name in names] == full


def test_a_quotation_stands_under_its_own_speaker_beside_one_of_the_same_name() -> None:
    other = "“Nobody in the harbour office ever listened to the captains,” Marianne Hale said."
    one = view("a", "One", text=f"{NAMES}\n{QUOTED[:-1]},” Joren Hale said.\n{other}")
    merged = merge([one, view("b", "Two", text="The Marlin sank on Tuesday off Port Ellis.")])
    assert {fact.speaker: fact.said[0].text for fact in merged.quotations} == {
        "Joren Hale": f"{QUOTED[:-1]},” Joren Hale said.",
        "Marianne Hale": other,
    }


@pytest.fixture(scope="module")
def articles() -> list[ArticleView]:
    first = (
        "The ferry Marlin sank off Port Ellis on Tuesday evening.\n"
        "“We will not stop searching for the missing passengers,” Mayor Anna Berg said.\n"
        "“The inspection in October was a farce from beginning to end,” the engineer Paul Stone said.\n"
        "A crane from Varna is to lift 40 cars from the deck in Tarnow bay, according to the Harbour Office."
    )
    second = (
        "The Marlin, a ferry, sank on Tuesday evening off Port Ellis in calm weather.\n"
        "“We will not stop searching for the missing passengers,” said Berg at the quay.\n"
        "The engineer Paul Stone had written reports on the Marlin.\n"
        "According to the Harbour Office, a crane from Varna will lift 40 cars from the deck in Tarnow bay."
    )
    return [
        view("a", "Harbour Post", title="Ferry sinks", text=first),
        view("b", "Daily Lantern", title="Marlin sinks off Port Ellis", text=second, hours=2),
        view("c", "Evening Mail", title="Ferry sinks", text=first, hours=3, role="copy", copy_of="a"),
        view("d", None, title="What the harbour heard on Tuesday night", text=second, hours=4, role="copy",
             copy_of="b"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def merged(articles: list[ArticleView]) -> MergedStory:
    return merge(articles)


def test_quotations_are_apart_and_shown_once(merged: MergedStory) -> None:
    by_speaker = {fact.speaker: fact for fact in merged.quotations}
    assert set(by_speaker) == {"Mayor Anna Berg", "Paul Stone"}
    assert by_speaker["Mayor Anna Berg"].outlets == 2
    assert by_speaker["Paul Stone"].outlets == 1
    quoted = {said.text for fact in merged.quotations for said in fact.said}
    elsewhere = [said for fact in merged.facts for said in fact.said] + [*merged.only, *merged.summary]
    assert not quoted.intersection(said.text for said in elsewhere)


def test_a_report_of_what_was_said_is_not_under_the_name_of_its_speaker() -> None:
    words = "The ferry Marlin had passed every inspection in May"
    texts = f"{NAMES}\n“{words},” Joren Hale said.", f"{NAMES}\n{words}."
    merged = merge([view("a", "One", text=texts[0]), view("b", "Two", text=texts[1])])
    (quotation,) = merged.quotations
    assert [said.outlet for said in quotation.said] == ["One"]


def test_all_articles_that_have_a_sentence_are_behind_it(
    merged: MergedStory, articles: list[ArticleView]
) -> None:
    said = [said for fact in (*merged.facts, *merged.quotations) for said in fact.said]
    for one in (*said, *merged.only, *merged.summary):
        assert {one.article, *one.also} == {a.id for a in articles if one.text in a.text}
        assert one.time is not None
    text = as_text(merged, articles)
    assert "Paul Stone said.  — Harbour Post, Evening Mail" in text
    assert "— Daily Lantern, “What the harbour heard on…”" in text


def test_an_opinion_is_listed_by_its_title_only(articles: list[ArticleView]) -> None:
    text = "The ferry Marlin was a disgrace.\n“Nobody there ever cared about the Marlin,” Joren Hale said."
    column = view("e", "Daily Column", title="A disgrace", text=text, hours=5, kind="opinion")
    merged = merge([*articles, column])
    said = [said for fact in (*merged.facts, *merged.quotations) for said in fact.said]
    assert "e" not in {one.article for one in (*said, *merged.only, *merged.summary, *merged.timeline)}
    assert "- Daily Column: A disgrace" in as_text(merged, [*articles, column])
