"""Which forms of a word a search asks for."""

import pytest

from aggregator.extract.language.inflections import list_inflections
from tests.support.tables import each_row

_FAMILIES = """
talk talks talked talking
stop stops stopped stopping
visit visits visited visiting
commit commits committed committing
control controls controlled controlling
agree agrees agreed agreeing
free frees freed freeing
shoe shoes shoeing
hope hopes hoped hoping
box boxes boxed boxing
pass passes passed passing
focus focuses focused focusing
veto vetoes vetos vetoed vetoing
try tries tried trying
play plays played playing
die dies died
buzz buzzes buzzed buzzing
call calls called calling
ban bans banned banning
"""
_STRANGERS = """
news new; evening even; herring her; shed she; feed fee; seed see; called cal; missed mis; cases cas
doing doe; thing the; hamas hama; aids aid; tried tri; losing los; carried carrie; string str; hopping hope
united unit; university universe; conversation conversion; institute institution; general generally
police policy; business busy; organ organize; process processor; talk talker
"""


@pytest.mark.parametrize(
    "family", [line.split() for line in _FAMILIES.split("\n") if line]
)
def test_each_form_of_a_word_has_the_others(family: list[str]) -> None:
    for form in family:
        assert set(family) <= set(list_inflections(form)), form
        assert list_inflections(form)[0] == form


@pytest.mark.parametrize(
    "pair", [pair.split() for pair in _STRANGERS.strip().replace("\n", ";").split(";")]
)
def test_a_word_that_only_looks_like_a_form_is_not_asked_for(pair: list[str]) -> None:
    first, second = pair
    assert second not in list_inflections(first)
    assert first not in list_inflections(second)


@each_row("inflections", "what is no english word is left alone", "word")
def test_what_is_no_english_word_is_left_alone(word: str) -> None:
    assert list_inflections(word) == [word]


@pytest.mark.parametrize(
    "pair", ["estado estados", "ministre ministres", "hora horas", "iran irans"]
)
def test_the_plural_with_s_is_found_in_every_language(pair: str) -> None:
    one, many = pair.split()
    assert many in list_inflections(one)
    assert one in list_inflections(many)


def test_forms_are_few() -> None:
    for word in f"{_FAMILIES} {_STRANGERS}".replace(";", " ").split():
        assert len(list_inflections(word)) <= 16


@pytest.mark.parametrize(
    "pair",
    ["כנסת הכנסת", "כנסת ובכנסת", "בירושלים ירושלים", "הבית בית", "ולירושלים מירושלים"],
)
def test_hebrew_words_are_found_behind_their_prefixes(pair: str) -> None:
    one, other = pair.split()
    assert other in list_inflections(one)


def test_a_hebrew_word_that_begins_like_a_prefix_stays_whole() -> None:
    assert "שלום" not in list_inflections("כלום")
    assert "כלום" not in list_inflections("שלום")
