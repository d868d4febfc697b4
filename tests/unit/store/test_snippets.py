"""The few words shown around a hit."""

from aggregator.store.search.query import Phrase
from aggregator.store.search.snippets import snippet

DAM = Phrase(words=("dam",))


def _marked(text: str, *words: str) -> list[str]:
    shown, marks = snippet(text, [Phrase(words=(word,)) for word in words])
    return [shown[a:b] for a, b in marks]


def test_the_words_are_shown_where_most_of_them_stand_together() -> None:
    filler = (
        "and then the people of the valley spoke of other things for a long while " * 6
    )
    text = f"The dam broke. {filler}The owner of the dam said that every siren had sounded."
    assert _marked(text, "dam", "siren") == ["dam", "siren"]


def test_the_first_of_equal_places_is_taken() -> None:
    filler = (
        "and then the people of the valley spoke of other things for a long while " * 6
    )
    shown, _ = snippet(f"The dam broke. {filler}The dam had been old.", [DAM])
    assert shown.startswith("The dam broke.")
    assert snippet("", [DAM]) == ("", ())
