"""The JSON of stories is what was promised, key by key."""

import json
from datetime import datetime, timedelta, timezone
from typing import get_args

import pytest
from msgspec.structs import replace

from aggregator.model.evidence import CopyEvidence, Evidence, Reason, RunnerUp, Stage
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import (
    page_of,
    reason_in_words,
    story_in_list,
    whole_story,
)
from tests.support.tables import rows
from tests.support.written_stories import a_story, an_article, the_ferry

STORY_KEYS = rows("json", "story keys")
ARTICLE_KEYS = rows("json", "article keys")


def test_a_list_has_exactly_the_promised_keys_and_nothing_of_the_texts() -> None:
    story, _ = the_ferry()
    page = json.loads(encode_json(page_of([story], "cursor")))
    assert page["next"] == "cursor"
    assert list(page["stories"][0]) == STORY_KEYS
    assert all(
        list(article) == ARTICLE_KEYS for article in page["stories"][0]["articles"]
    )


def test_what_is_unknown_is_null_and_stays_in_place() -> None:
    bare = an_article(outlet=None, url=None, published=None, language=None)
    page = json.loads(encode_json(page_of([a_story(bare, language=None)], None)))
    assert page["next"] is None
    article = page["stories"][0]["articles"][0]
    assert list(article) == ARTICLE_KEYS
    assert [
        article[k]
        for k in ("outlet", "url", "published", "language", "copy_of", "wire")
    ] == [None] * 6


def test_times_are_utc_with_a_z_whatever_zone_they_came_in() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    article = an_article(published=datetime(2026, 11, 20, 1, 0, tzinfo=east))
    story = json.loads(encode_json(story_in_list(a_story(article))))
    assert story["articles"][0]["published"] == "2026-11-19T19:30:00Z"
    assert story["first_published"] == "2026-11-19T19:30:00Z"


def test_updated_keeps_the_fraction_that_tells_bumps_apart() -> None:
    story, _ = the_ferry()
    assert (
        json.loads(encode_json(story_in_list(story)))["updated"]
        == "2026-11-20T00:04:11.250000Z"
    )


def test_jsonl_is_a_story_a_line_even_with_line_breaks_in_titles() -> None:
    stories = [a_story(title="one\ntwo\u2028three"), a_story(title="four")]
    lines = b"\n".join(encode_json(story_in_list(one)) for one in stories).splitlines()
    assert [json.loads(line)["title"] for line in lines] == [
        "one\ntwo\u2028three",
        "four",
    ]


def test_one_story_adds_what_it_shows_and_how_each_article_came_in() -> None:
    whole = json.loads(encode_json(whole_story(*the_ferry())))
    added = {
        "text",
        "lead",
        "quotations",
        "earlier",
        "later",
        "related",
        "storyline_stories",
        "versions",
    }
    assert set(whole) == {*STORY_KEYS, *added}
    extra = {
        "opening", "lead", "author", "published_origin", "published_precision", "reason", "kind_reason",
        "html", "enclosures",
    }  # fmt: skip
    assert all(set(article) == {*ARTICLE_KEYS, *extra} for article in whole["articles"])
    assert whole["articles"][0]["author"] == "Ines Karlow"


def test_every_text_of_a_story_names_the_article_in_which_it_stands() -> None:
    story, shown = the_ferry()
    whole = json.loads(encode_json(whole_story(story, shown)))
    texts = {article.id: article.text for article in story.articles}
    assert [set(passage) for passage in whole["lead"]] == [{"text", "article_id"}] * 2
    for passage in whole["lead"]:
        assert passage["text"] in texts[passage["article_id"]]
    openings = {
        one["id"]: one["opening"] for one in whole["articles"] if one["opening"]
    }
    assert set(openings) == {"ferrywire", "ferryisle"}, (
        "not that of the lead, no copy, no live blog"
    )
    assert all(opening in texts[id_] for id_, opening in openings.items())
    (quotation,) = whole["quotations"]
    assert set(quotation) == {"speaker", "text", "article_ids"}
    assert (quotation["speaker"], quotation["article_ids"]) == (
        "Marta Dahl",
        ["ferryisle"],
    )
    assert quotation["text"] in texts["ferryisle"]


def test_the_text_is_the_lead_with_its_source_and_then_what_the_others_say_the_newest_first() -> (
    None
):
    story, shown = the_ferry()
    text = json.loads(encode_json(whole_story(story, shown)))["text"]
    first, second, *others = text.split("\n\n")
    assert (first, second) == (
        shown.lead[0].text,
        f"{shown.lead[1].text} (The Harbour Post, 2026-11-19 21:10)",
    )
    assert others == [
        "Island Weekly, 2026-11-19 23:20: ‘We heard a long scrape’: islanders take in ferry passengers\n"
        f"{shown.opening_of('ferryisle')}",
        "Northern Courier, 2026-11-19 22:05: Passengers taken off stranded ferry near Lind "
        f"(printed by Eastgate Gazette, too)\n{shown.opening_of('ferrywire')}",
        "Radio Meridian, 2026-11-19 23:55: Live: the Aurelia rescue, minute by minute [live]",
    ]


def test_a_story_that_is_not_rendered_has_its_summary_as_text() -> None:
    story, _ = the_ferry()
    whole = json.loads(encode_json(whole_story(story, None)))
    assert whole["text"] == story.summary
    assert (whole["lead"], whole["quotations"]) == ([], [])
    assert {article["opening"] for article in whole["articles"]} == {""}


@pytest.mark.parametrize("stage", get_args(Stage))
def test_every_stage_has_its_words(stage: Stage) -> None:
    reported = reason_in_words(
        an_article(evidence=Evidence(stage=stage, score=2.0, need=1.0))
    )
    assert reported
    assert ("2.00" in reported) == (stage in ("event", "second look"))


def test_reasons_are_sentences_for_people() -> None:
    shares = ("lead", 0.2, 0.4), ("days_apart", 3.0, -0.9), ("own_names", 0.8, 2.0)
    reasons = tuple(
        Reason(name=name, value=value, share=share) for name, value, share in shares
    )
    runner_up = RunnerUp(story="s", score=0.1, need=1.0)
    event = Evidence(
        stage="event", score=2.5, need=1.0, reasons=reasons, runner_up=runner_up
    )
    copy = CopyEvidence(other="art9", resemblance=0.912, containment=0.99, estimate=0.9)
    excerpt = replace(copy, kind="excerpt")
    assert reason_in_words(an_article()) is None
    assert reason_in_words(an_article(evidence=event)) == (
        "reports the same event, score 2.50, threshold 1.00; most similar in own names, lead"
    )
    as_copy = reason_in_words(an_article(evidence=Evidence(stage="copy", copy=copy)))
    assert as_copy == "the same text as art9: 91% of all three-word runs are shared"
    as_excerpt = reason_in_words(
        an_article(evidence=Evidence(stage="copy", copy=excerpt))
    )
    assert as_excerpt == "an excerpt: 99% of it is in art9"
