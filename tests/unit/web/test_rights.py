"""No reader but the owner gets more words of an article than allowed, however a story is made up."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model.core import AgreedFigure, AttributedSentence, MergedStory, StoryView
from aggregator.model.read_model import ArticleDetail
from aggregator.web.excerpts import bounded_article, count_words, first_words, for_item, for_reader
from tests.support.written_stories import a_story, an_article, the_ferry


def _words_carried(story: StoryView, merged: MergedStory | None, article_id: str) -> int:
    """Words of one article in all that goes out; a text that is part of another one is there once."""
    article = next(article for article in story.articles if article.id == article_id)
    texts = {article.title, article.lead, article.text}
    if merged:
        said = [*merged.only, *(s for f in merged.facts for s in f.said)]
        said += [merged.lead] if merged.lead else []
        texts |= {each.text for each in [*said, *merged.timeline] if each.article == article_id}
    bare = {text.removesuffix(" …") for text in texts} - {""}
    return sum(
        count_words(text) for text in bare if not any(text != other and text in other for other in bare)
    )


def test_the_owner_sees_everything() -> None:
    story, merged = the_ferry()
    assert for_reader(story, merged, "owner", 10) == (story, merged)


def test_others_get_excerpts_and_no_article_text() -> None:
    story, merged = for_reader(*the_ferry(), "excerpt", 60)
    assert [article.text for article in story.articles] == [""] * 5
    assert story.summary
    assert merged
    assert merged.facts
    for article in story.articles:
        assert _words_carried(story, merged, article.id) <= 60


def test_a_shown_sentence_may_be_shown_again_without_counting_twice() -> None:
    lead = "Seven words stand in this very sentence."
    article = an_article(title="Two words", lead=lead, text=lead)
    merged = MergedStory(
        title="Two words",
        lead=AttributedSentence(text=lead, article=article.id, outlet=article.outlet),
        facts=(),
        only=(),
        timeline=(),
    )
    story, shown = for_reader(a_story(article, summary=lead), merged, "excerpt", 9)
    assert story.summary == story.articles[0].lead == lead
    assert shown
    assert shown.lead == merged.lead


def test_nosnippet_leaves_title_and_link_alone() -> None:
    article = an_article(nosnippet=True, lead="A lead.", text="A lead. And more.")
    story, _ = for_reader(a_story(article, summary="A lead."), None, "all", 60)
    assert (story.summary, story.articles[0].lead, story.articles[0].text) == ("", "", "")
    assert (story.articles[0].title, story.articles[0].url) == (article.title, article.url)


def test_a_summary_of_unknown_origin_is_left_out_when_one_article_forbids_snippets() -> None:
    story = a_story(an_article(), an_article(nosnippet=True), summary="Whose sentence is this?")
    assert for_reader(story, None, "excerpt", 60)[0].summary == ""


def test_noarchive_keeps_the_full_text_in_even_where_all_may_read() -> None:
    kept = an_article(noarchive=True, lead="Short lead.", text="Short lead.\n" + "word " * 90)
    free = an_article(lead="Other lead.", text="Other lead.\n" + "word " * 90)
    story, _ = for_reader(a_story(kept, free), None, "all", 60)
    assert (story.articles[0].text, story.articles[0].lead) == ("", "Short lead.")
    assert story.articles[1].text == free.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("four words are here", 4),
        ("dash – counts", 3),
        ("al-Assad’s 3,500 men.", 6),
        ("台風が東京に接近", 4),
        ("x" * 400, 34),
        ('"' * 90_000, 7_500),
        ("ข่าวด่วน", 4),
    ],
)
def test_words_are_counted_in_every_script(text: str, words: int) -> None:
    assert count_words(text) == words


@given(st.text(alphabet="ab’'-–“.,(é 5\n", max_size=60))
def test_whoever_counts_by_spaces_or_by_letters_counts_no_more(text: str) -> None:
    assert count_words(text) >= max(len(text.split()), len(re.findall(r"\w+", text)))


def test_a_cut_is_marked_and_an_uncut_text_is_not() -> None:
    assert first_words("one two, three", 2) == "one two …"
    assert first_words("one two three", 3) == "one two three"
    assert first_words("one", 0) == ""


@pytest.mark.parametrize("title", ["former " * 12, "Ferry in fog"])
def test_a_headline_that_no_article_carries_any_more_counts_for_all_of_them(title: str) -> None:
    long = " ".join(f"word{n}" for n in range(100))
    articles = [an_article(title=f"Ferry in fog {n}", lead=long, text=long + str(n)) for n in range(2)]
    story = a_story(*articles, title=title.strip(), summary="")
    said = tuple(
        AttributedSentence(text=f"s{n} is said.", article=articles[0].id, outlet=None) for n in range(20)
    )
    merged = MergedStory(title=title.strip(), lead=None, facts=(), only=said, timeline=())
    former = count_words(title) if "former" in title else 0
    for bounded, reported in (for_reader(story, merged, "excerpt", 30), for_item(story, merged, 30)):
        assert bounded.title == title.strip()
        assert reported is not None
        for article in bounded.articles:
            of_it = sum(count_words(one.text) for one in reported.only if one.article == article.id)
            shown = former + count_words(article.title) + count_words(article.lead.removesuffix(" …")) + of_it
            assert shown <= 30
            assert shown >= 10 or article is not bounded.articles[0], "the rest may be shown"


def test_a_lead_and_the_title_of_any_copy_that_prints_it_stay_within_the_words_together() -> None:
    lead = " ".join(f"lead{n}" for n in range(100))
    article = an_article(title="Ferry in fog", lead=lead)
    copies = tuple(
        an_article(title=" ".join(f"t{n}" for n in range(long)), nosnippet=quiet, copy_of=article.id)
        for long, quiet in ((12, False), (20, True), (50, True))
    )
    one = ArticleDetail(article=article, story="s", story_title=article.title, revisions=0, copies=copies)
    bounded = bounded_article(one, "excerpt", 30)
    assert count_words(bounded.article.lead.removesuffix(" …")) == 18
    assert [count_words(copy.title.removesuffix(" …")) for copy in bounded.copies] == [12, 20, 30]
    assert bounded_article(one, "owner", 30) == one


def test_a_figure_that_agrees_is_shown_whole_or_not_at_all() -> None:
    story, merged = the_ferry()
    said = tuple(
        AttributedSentence(
            text=" ".join(f"{article.id}{n}" for n in range(30)), article=article.id, outlet="O"
        )
        for article in story.articles[:2]
    )
    same = AgreedFigure(words="30", said=said, outlets=2, of=2)
    alone = MergedStory(title=merged.title, lead=None, facts=(), only=(), timeline=(), agreed=(same,))
    bare = msgspec.structs.replace(story, summary="")
    for words, kept in ((80, (same,)), (32, ())):
        shown = for_reader(bare, alone, "excerpt", words)[1]
        assert shown is not None
        assert shown.agreed == kept
