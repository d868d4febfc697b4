"""What is counted as one fact, what only stands side by side, and what differs; each rule on and off."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from aggregator.model.core import ArticleView, MergedStory
from aggregator.stories.counts import count
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.tuning import shipped_tuning
from tests.support.stories_examples import NOON, view

FILLED = (
    "Rescuers from Varna brought blankets to the school.\nThe bakery in Ellis gave away bread on Sunday "
    "morning.\nEngineers of the harbour checked every pump in the lower town.\nA choir sang for the helpers "
    "in the evening.",
    "The railway to Belsk was shut for the whole weekend.\nInsurers expect many claims from farmers along "
    "the river.\nFishermen lost eleven boats and most of their nets.\nThe weather service sees no more rain "
    "until Friday.",
    "Quaymouth sent two tugs and a crane.\nA painter showed his pictures of storms in the town hall.\nThe "
    "ferry to Norrland sailed again on Saturday evening.\nChildren built dams of sand on the beach of Lund.",
)


def reported(*texts: str, **tuning: Any) -> MergedStory:
    return merge(reports(*texts), tuning=msgspec.structs.replace(shipped_tuning(), **tuning))


def reports(*texts: str, hours: int = 1, outlets: tuple[str, ...] = ()) -> list[ArticleView]:
    """Reports of one event, each with sentences that no other has."""
    return [
        view(
            f"r{n}",
            outlets[n] if outlets else f"Paper {n}",
            title="Flood in Tarnow",
            text=f"{text}\n{FILLED[n % 3]}",
            published=NOON + dt.timedelta(hours=n * hours),
        )
        for n, text in enumerate(texts)
    ]


def counted(merged: MergedStory, text: str) -> bool:
    return any(said.text == text for fact in merged.facts for said in fact.said)


PUMPS = (
    "Joren Hale of the Arrel Dyke Union showed the council of Port Ellis old pumps, rusty gates, cracked "
    "pipes and empty sheds in March.",
    "Thieves took old pumps, gates, pipes and copper wire from sheds of the Arrel Dyke Union in Port Ellis "
    "while Joren Hale ate lunch with his brother, a painter of ships and storms.",
)
CHARGES = (
    "Charges against the treasurer for tampering with a computer in Tarnow are still pending.",
    "After the treasurer left, the prosecutor in Tarnow spoke of an end of the pending charges in return for "
    "a deal about the computer and the car.",
)
CANDIDATES = (
    "The spokeswoman Ada Lund said on Monday that the mayor did not meet any other candidates for the post "
    "of dyke warden.",
    "The spokeswoman Ada Lund said on Monday that she would not identify the four candidates for the post of "
    "dyke warden.",
)


@pytest.mark.parametrize(
    ("pair", "rule"),
    [
        (PUMPS, {"named_share_max": 1.1}),
        (CHARGES, {"shared_words_min": 0.0}),
    ],
    ids=["names alone", "too few words"],
)
def test_what_is_only_near_is_not_counted(pair: tuple[str, str], rule: dict[str, float]) -> None:
    assert counted(reported(*pair, **rule), pair[0])  # without the rule
    assert not counted(reported(*pair), pair[0])


def test_sentences_that_say_no_to_two_things_are_no_fact() -> None:
    assert not counted(reported(*CANDIDATES), CANDIDATES[0])


@pytest.mark.parametrize(
    ("names", "outlets"),
    [("A A A", 1), ("A B B", 2), ("A B C", 3), ("Reuters www.reuters.com Paper", 2)],
    ids=["one outlet", "two outlets", "three outlets", "two spellings"],
)
def test_a_fact_counts_outlets_and_not_reports(names: str, outlets: int) -> None:
    line = "Police in Tarnow arrested the warden {} of the dyke on Sunday evening in a hotel at the harbour."
    texts = [line.format(word) for word in ("Emrys Boll", "Emrys Boll, 52,", "Emrys Boll there")]
    written = reports(*texts, outlets=tuple(names.split()))
    merged = merge(written, tuning=msgspec.structs.replace(shipped_tuning(), same_words_share=9.0))
    (fact,) = merged.facts
    assert "warden" in fact.said[0].text
    assert (fact.outlets, fact.of, len(fact.said)) == (outlets, outlets, 3)
    assert fact.of == count(written).outlet_count


def test_two_outlets_with_the_same_words_beside_a_third_are_one_origin() -> None:
    line = (
        "Police in Tarnow arrested the warden Emrys Boll on Sunday night in a hotel at the harbour of Ellis."
    )
    other = (
        "The warden Emrys Boll was arrested by police in a hotel in Tarnow near the harbour on Sunday night."
    )
    merged = reported(line, line, other)
    (fact,) = [each for each in merged.facts if "warden" in each.said[0].text]
    assert (fact.outlets, fact.of) == (2, 3)
    ((one, two),) = fact.same_words
    assert fact.said[one].text == fact.said[two].text == line
    assert "2 of 3 outlets, the same words in 2 outlets" in as_text(merged, reports(line, line, other))


def test_the_same_quotation_in_other_words_is_two_origins() -> None:
    quote = "“We closed the gates of the Arrel dyke at nine and saw no water until ten,”"
    merged = reported(
        f"{quote} said warden Emrys Boll.", f"In Tarnow, Emrys Boll told reporters: {quote[:-2]}.”"
    )
    (fact,) = [each for each in merged.facts if "gates" in each.said[0].text]
    assert (fact.outlets, fact.same_words) == (2, ())


TANKS = "The army sent {} tanks to the bridge in Tarnow on Sunday evening after the looting of shops."


def test_sentences_with_other_figures_are_not_one_fact() -> None:
    first, of_other = TANKS.format("five"), TANKS.replace("after", "following")
    assert not counted(reported(first, of_other.format("three")), first)
    assert counted(reported(first, of_other.format("five")), first)


def test_figures_that_agree_are_shown_with_their_outlets() -> None:
    merged = reported(
        "Councillors will pay $2.8 million for the new pumps of the Arrel dyke in Belsk.",
        "Councillors in Belsk approved 2.8 million dollars for new pumps at the Arrel dyke on Friday.",
        "The new pumps of the Arrel dyke cost $2.8 million, the ministry in Quaymouth wrote.",
    )
    (same,) = merged.agreed
    assert (same.words, same.outlets, same.of) == ("$2.8 million for the new pumps", 3, 3)
    assert {said.outlet for said in same.said} == {"Paper 0", "Paper 1", "Paper 2"}


def test_a_figure_is_shown_with_what_it_counts_and_once() -> None:
    merged = reported(
        "The flood of the Arrel broke the dyke of Belsk on Sunday and killed 14.",
        "Sunday's flood of the Arrel in Belsk broke a dyke and killed 14 people, the county said.",
        "The flood of the Arrel, which killed 14 people in Belsk, cost the county $3 million.",
        "The flood of the Arrel in Belsk cost the county $3 million.",
    )
    assert [same.words for same in merged.agreed] == ["killed 14", "$3 million"]


@pytest.mark.parametrize(("further", "agreeing"), [(3, True), (20, False)])
def test_a_sentence_of_many_figures_is_a_table_and_agrees_with_nobody(further: int, agreeing: bool) -> None:
    table = " ".join(f"Quay {number} sold {number + 11}000 tons."[:-1] + "," for number in range(further))
    sentence = f"The harbour of Tarnow sold $2.8 million of fish, {table} the board said."
    merged = reported(sentence, sentence.replace("board", "port board of Tarnow"))
    assert bool(merged.agreed) == agreeing


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hundreds of people stood on the Arrel dyke.", "Hundreds of people left the Arrel dyke."),
        ("Three shops at the Arrel dyke lost all goods.", "The Arrel dyke saw three shops lose all goods."),
    ],
    ids=["nobody counted", "shared by chance"],
)
def test_soft_figures_agree_with_nobody(one: str, other: str) -> None:
    assert reported(one, other).agreed == ()
