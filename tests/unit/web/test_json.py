"""The JSON of stories is what was promised, key by key."""

import datetime as dt
import json
from typing import get_args

import msgspec
import pytest

from aggregator.model.core import AttributedSentence, CopyEvidence, Evidence, Fact, Reason, RunnerUp, Stage
from aggregator.web.sanitise import encode_json
from aggregator.web.story_json import page_of, reason_in_words, story_in_list, whole_story
from tests.support.written_stories import a_story, an_article, the_ferry

STORY_KEYS = [
    "id", "title", "summary", "language", "first_published", "last_published", "updated", "article_count",
    "outlet_count", "unknown_outlet_count", "report_count", "names", "topics", "articles",
]  # fmt: skip
ARTICLE_KEYS = [
    "id", "outlet", "url", "title", "published", "seen", "language", "copy_of", "wire", "kind", "role",
]  # fmt: skip


def test_a_list_has_exactly_the_promised_keys_and_nothing_of_the_texts() -> None:
    story, _ = the_ferry()
    page = json.loads(encode_json(page_of([story], "cursor")))
    assert page["next"] == "cursor"
    assert list(page["stories"][0]) == STORY_KEYS
    assert all(list(article) == ARTICLE_KEYS for article in page["stories"][0]["articles"])


def test_what_is_unknown_is_null_and_stays_in_place() -> None:
    bare = an_article(outlet=None, url=None, published=None, language=None)
    page = json.loads(encode_json(page_of([a_story(bare, language=None)], None)))
    assert page["next"] is None
    article = page["stories"][0]["articles"][0]
    assert list(article) == ARTICLE_KEYS
    assert [article[k] for k in ("outlet", "url", "published", "language", "copy_of", "wire")] == [None] * 6


def test_times_are_utc_with_a_z_whatever_zone_they_came_in() -> None:
    east = dt.timezone(dt.timedelta(hours=5, minutes=30))
    article = an_article(published=dt.datetime(2026, 11, 20, 1, 0, tzinfo=east))
    story = json.loads(encode_json(story_in_list(a_story(article))))
    assert story["articles"][0]["published"] == "2026-11-19T19:30:00Z"
    assert story["first_published"] == "2026-11-19T19:30:00Z"


def test_updated_keeps_the_fraction_that_tells_bumps_apart() -> None:
    story, _ = the_ferry()
    assert json.loads(encode_json(story_in_list(story)))["updated"] == "2026-11-20T00:04:11.250000Z"


def test_jsonl_is_a_story_a_line_even_with_line_breaks_in_titles() -> None:
    stories = [a_story(title="one\ntwo\u2028three"), a_story(title="four")]
    lines = b"\n".join(encode_json(story_in_list(one)) for one in stories).splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["one\ntwo\u2028three", "four"]


def test_one_story_adds_text_timeline_and_how_each_article_came_in() -> None:
    whole = json.loads(encode_json(whole_story(*the_ferry())))
    reported = {
        "text", "sections", "timeline", "agreed", "merge_version",
        "trails", "earlier", "later", "related", "summarised",
    }  # fmt: skip
    assert set(whole) == {*STORY_KEYS, *reported}
    extra = {"lead", "author", "published_origin", "published_precision", "reason", "kind_reason"}
    assert all(set(article) == {*ARTICLE_KEYS, *extra} for article in whole["articles"])
    assert whole["articles"][0]["author"] == "Ines Karlow"
    assert whole["timeline"][-1]["time"] is None
    assert whole["timeline"][-1]["clock"] == "12:00"


def test_every_paragraph_of_the_merged_text_names_who_says_it() -> None:
    story, merged = the_ferry()
    outlets = {article.outlet for article in story.articles}
    paragraphs = json.loads(encode_json(whole_story(story, merged)))["text"].split("\n")
    assert len(paragraphs) == 1 + 2 + 2
    for paragraph in paragraphs:
        sentence, names = paragraph.removesuffix(")").rsplit(" (", 1)
        assert set(names.split(", ")) <= outlets
        assert any(sentence in article.text for article in story.articles)


def test_without_a_merged_text_the_summary_stands_for_it() -> None:
    story, _ = the_ferry()
    whole = json.loads(encode_json(whole_story(story, None)))
    assert whole["text"] == story.summary
    assert whole["timeline"] == []


@pytest.mark.parametrize("stage", get_args(Stage))
def test_every_stage_has_its_words(stage: Stage) -> None:
    reported = reason_in_words(an_article(evidence=Evidence(stage=stage, score=2.0, need=1.0)))
    assert reported
    assert ("2.00" in reported) == (stage in ("event", "second look"))


def test_reasons_are_sentences_for_people() -> None:
    shares = ("lead", 0.2, 0.4), ("days_apart", 3.0, -0.9), ("own_names", 0.8, 2.0)
    reasons = tuple(Reason(name=name, value=value, share=share) for name, value, share in shares)
    runner_up = RunnerUp(story="s", score=0.1, need=1.0)
    event = Evidence(stage="event", score=2.5, need=1.0, reasons=reasons, runner_up=runner_up)
    copy = CopyEvidence(other="art9", resemblance=0.912, containment=0.99, estimate=0.9)
    excerpt = msgspec.structs.replace(copy, kind="excerpt")
    assert reason_in_words(an_article()) is None
    assert reason_in_words(an_article(evidence=event)) == (
        "reports the same event, score 2.50, threshold 1.00; most similar in own names, lead"
    )
    as_copy = reason_in_words(an_article(evidence=Evidence(stage="copy", copy=copy)))
    assert as_copy == "the same text as art9: 91% of all three-word runs are shared"
    as_excerpt = reason_in_words(an_article(evidence=Evidence(stage="copy", copy=excerpt)))
    assert as_excerpt == "an excerpt: 99% of it is in art9"


def test_the_text_tells_the_lead_once_and_names_who_wrote_it() -> None:
    story, merged = the_ferry()
    assert merged.lead is not None
    same = AttributedSentence(text="The same in other words.", article="ferryisle", outlet="Island Weekly")
    backed = Fact(said=(merged.lead, same), outlets=2, of=4)
    both = msgspec.structs.replace(merged, facts=(*merged.facts, backed))
    whole = json.loads(encode_json(whole_story(story, both)))
    text = whole["text"]
    assert text.startswith(f"{merged.lead.text} ({merged.lead.outlet})\n")
    assert text.count(merged.lead.text) == 1
    lead, *facts = [one for one in whole["sections"] if one["kind"] in ("lead", "fact")]
    assert [(one["text"], one["article_ids"]) for one in lead["sentences"]] == [
        (merged.lead.text, [merged.lead.article])
    ]
    assert [one["article_ids"] for one in facts[-1]["sentences"]] == [[merged.lead.article], ["ferryisle"]]
