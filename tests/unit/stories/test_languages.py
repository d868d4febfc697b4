"""Stories in other languages than English: sentences, words, speakers."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from aggregator.model.article import ArticleView
from aggregator.stories.plain_text import as_text
from aggregator.stories.quotations import speaker_of
from aggregator.stories.rendering import title_sentence
from aggregator.stories.story_sentences import sentences_of_report
from aggregator.stories.story_words import heads, tokens
from tests.support.stories_examples import NOON, check_words, story_text, view
from tests.support.tables import each_row

STORIES = Path(__file__).parents[2] / "data" / "tellings"
LANGUAGES = sorted(path.stem for path in STORIES.glob("*.jsonl"))


def reports(language: str) -> list[ArticleView]:
    lines = (STORIES / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        view(
            f"{language}{n}",
            record["outlet"],
            title=record["title"],
            text=record["text"],
            language=language,
            published=NOON + timedelta(hours=record["hours"]),
            hours=record["hours"],
        )
        for n, record in enumerate(map(json.loads, lines))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_reports_are_heard_word_for_word(language: str) -> None:
    articles = reports(language)
    shown = story_text(articles)
    check_words(shown, articles)
    assert len(shown.lead) >= 2
    heard = {p.article_id for p in (*shown.lead, *shown.openings)}
    in_lead = heads(" ".join(p.text for p in shown.lead), language).keys()
    for article in articles:
        told = heads(title_sentence(article), language).keys()
        assert article.id in heard or len(told & in_lead) > 2 / 3 * len(told)
    assert story_text(articles[::-1]) == shown
    assert articles[1].title in as_text(shown, articles) or articles[
        0
    ].title in as_text(shown, articles)


@each_row(
    "stories_languages",
    "sentences end where the language ends them",
    "language",
    "whole",
)
def test_sentences_end_where_the_language_ends_them(language: str, whole: str) -> None:
    assert whole in {
        s for report in reports(language) for s in sentences_of_report(report.text, "")
    }


@each_row(
    "stories_languages",
    "a speaker is found by the verbs of the language",
    "language",
    "text",
    "speaker",
)
def test_a_speaker_is_found_by_the_verbs_of_the_language(
    language: str, text: str, speaker: str
) -> None:
    assert speaker_of(text, language) == speaker


def test_elided_articles_are_words_of_their_own() -> None:
    words = [word for word, _ in tokens("L’usine d’Albi n’ouvre pas.", "fr")]
    assert words == ["usine", "albi", "ouvre", "pas"]
    assert list(heads("l'usine", "fr")) == list(heads("usine", "fr"))
