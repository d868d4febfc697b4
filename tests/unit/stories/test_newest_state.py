"""The few sentences that a page and a feed item open with."""

from aggregator.model.core import AttributedSentence, Fact, MergedStory
from aggregator.stories.text.newest_state import newest_state


def said(text: str, article: str = "a") -> AttributedSentence:
    return AttributedSentence(text=text, article=article, outlet=f"Outlet {article}")


def test_a_sentence_of_the_summary_that_is_a_fact_is_shown_once_with_its_outlets() -> None:
    lead, second = said("The Marlin sank off Port Ellis."), said("Its captain Joren Hale was arrested.")
    fact = Fact(said=(said(second.text, "b"), said("Police arrested Joren Hale.", "c")), outlets=2, of=3)
    other = Fact(said=(said("Divers search it."), said("The wreck is searched.", "b")), outlets=2, of=3)
    merged = MergedStory(
        title="Ferry sinks", lead=lead, summary=(lead, second), facts=(fact, other), only=(), timeline=()
    )
    assert newest_state(merged).state == (Fact(said=(lead,), outlets=1, of=1), fact, other)
    assert newest_state(merged, sentences=2).facts == (other,)
