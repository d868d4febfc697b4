"""The newest state of a story: the few sentences that its page and its feed items open with."""

from typing import NamedTuple

from aggregator.model.core import AttributedSentence, Fact, MergedStory
from aggregator.text.lines import count_words

FEW_SENTENCES = 3  # with fewer, statements of single reports are added (a brief of news agencies: 3 to 5)
MOST_SENTENCES = 5
PAGE_WORDS = 110  # of a page: what a reader reads in half a minute
_ENDS = " .!?…\"'”’»"


def lead_and_facts(merged: MergedStory) -> tuple[Fact | None, tuple[Fact, ...]]:
    """Return the lead as a fact, and the other facts, so that no sentence is shown twice.

    A lead that no other outlet states is a fact of one outlet; None without a lead.
    """
    if merged.lead is None:
        return None, merged.facts
    lead = next((fact for fact in merged.facts if fact.said[0] == merged.lead), None)
    if lead is None:
        return Fact(said=(merged.lead,), outlets=1, of=1), merged.facts
    return lead, tuple(fact for fact in merged.facts if fact is not lead)


class NewestState(NamedTuple):
    """`state`: the opening, each sentence with the outlets that state it; and what is not in it."""

    state: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    only: tuple[AttributedSentence, ...]


def newest_state(
    merged: MergedStory, *, sentences: int = MOST_SENTENCES, words: int = PAGE_WORDS
) -> NewestState:
    """Return the summary, then the newest facts, then the newest statements of single reports.

    At most `sentences` sentences and `words` words; the summary is never cut. A sentence that says the same
    as the title is left out unless there is no other.
    """
    lead, facts = lead_and_facts(merged)
    stated = {fact.said[0].text: fact for fact in facts}
    rest = (stated.get(one.text) or _alone(one) for one in merged.summary[1:])
    summary = () if lead is None else (lead, *rest)
    opening = [fact for fact in summary if not repeats(fact.said[0].text, merged.title)]
    state = opening or list(summary)
    left = words - sum(count_words(fact.said[0].text) for fact in state)
    first_only = {one.article: one for one in reversed(merged.only)}.values()
    newest_only = sorted(first_only, key=lambda one: one.time.timestamp() if one.time else 0.0, reverse=True)
    further = [fact for fact in facts if fact not in summary]
    for most, candidates in ((sentences, further), (min(FEW_SENTENCES, sentences), map(_alone, newest_only))):
        for fact in candidates:
            needed = count_words(fact.said[0].text)
            if len(state) < most and needed <= left and not repeats(fact.said[0].text, merged.title):
                state.append(fact)
                left -= needed
    shown = {fact.said[0] for fact in state}
    return NewestState(
        state=tuple(state),
        facts=tuple(fact for fact in facts if fact.said[0] not in shown),
        only=tuple(one for one in merged.only if one not in shown),
    )


def repeats(text: str, title: str) -> bool:
    """Return whether a sentence is the title again, with or without its full stop."""
    return _bare(text) == _bare(title)


def _bare(text: str) -> str:
    return " ".join(text.split()).strip(_ENDS).casefold()


def _alone(sentence: AttributedSentence) -> Fact:
    return Fact(said=(sentence,), outlets=1, of=1)
