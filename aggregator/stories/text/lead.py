"""The lead and the facts of a merged story, so that no sentence is told twice."""

from aggregator.model.core import Fact, MergedStory


def lead_and_facts(merged: MergedStory) -> tuple[Fact | None, tuple[Fact, ...]]:
    """The lead with those who say the same, and the other facts.

    A lead that nobody else says is a fact of one; None without a lead.
    """
    if merged.lead is None:
        return None, merged.facts
    lead = next((fact for fact in merged.facts if fact.said[0] == merged.lead), None)
    if lead is None:
        return Fact(said=(merged.lead,), outlets=1, of=1), merged.facts
    return lead, tuple(fact for fact in merged.facts if fact is not lead)
