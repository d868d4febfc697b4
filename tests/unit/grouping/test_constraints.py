"""Constraints: what corrections state about two articles, and that the later one counts."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from aggregator.store.stories.corrections import Constraint, ConstraintTable


def together(correction: int, *articles: str) -> list[Constraint]:
    return [
        Constraint(correction=correction, article=one, relation="together")
        for one in articles
    ]


def apart(correction: int, one: str, other: str) -> list[Constraint]:
    sides = enumerate((one, other))
    return [
        Constraint(correction=correction, article=article, relation="apart", side=side)
        for side, articles in sides
        for article in articles
    ]


NAMES = st.sets(st.sampled_from("abcdef"), min_size=1, max_size=4).map(
    lambda names: "".join(sorted(names))
)
CORRECTIONS = st.lists(st.tuples(NAMES, NAMES, st.booleans()), max_size=6)


@given(CORRECTIONS, st.integers())
def test_partners_are_mutual_and_no_order_of_rows_matters(corrections, seed):
    constraints = []
    said: dict[frozenset[str], str] = {}
    for number, (one, other, is_merge) in enumerate(corrections, start=1):
        left, right = set(one), set(other) - set(one)
        if is_merge:
            constraints += together(number, *(left | right))
            said |= {
                frozenset((a, b)): "together"
                for a in left | right
                for b in left | right
                if a != b
            }
        else:
            constraints += apart(number, "".join(left), "".join(right))
            said |= {frozenset((a, b)): "apart" for a in left for b in right}
    Random(seed).shuffle(constraints)
    table = ConstraintTable(constraints)
    for name in "abcdef":
        with_, never = table.linked_articles(name)
        assert with_ == {
            b
            for b in "abcdef"
            if said.get(frozenset((name, b))) == "together" and b != name
        }
        assert never == {
            b for b in "abcdef" if said.get(frozenset((name, b))) == "apart"
        }
