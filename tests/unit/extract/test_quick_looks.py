"""What is asked first because it costs little gives the answers that the full question gives."""

import re
import unicodedata
from importlib.resources import files

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.extract.language.date_forms import plain_digits
from aggregator.extract.phrases import words
from aggregator.text.lines import count_words, fold_line, has_words

_NOTICES = yaml.safe_load(
    files("aggregator.extract").joinpath("notices.yaml").read_text(encoding="utf-8")
)
_PRINTED = st.text(
    alphabet=[*map(chr, range(32, 127)), *"\t\xa0«»–—‘’“”„…•"], max_size=120
)


@pytest.mark.later
@pytest.mark.parametrize(
    "entry", _NOTICES["consent"]["contains"], ids=lambda entry: entry["keywords"]
)
def test_a_sentence_of_a_consent_dialogue_holds_a_word_that_is_looked_for_first(
    entry: dict[str, str],
) -> None:
    held = entry["keywords"].split("|")
    assert held == [word.lower() for word in held]

    @settings(
        max_examples=10,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(st.from_regex(re.compile(entry["contains"], re.IGNORECASE)))
    def holds_one(sentence: str) -> None:
        # No one writes "\u017fite" for "site"
        plain = unicodedata.normalize("NFKC", sentence).lower()
        assert any(word in plain for word in held), sentence

    holds_one()


@given(_PRINTED)
def test_marks_of_print_stand_between_words(line: str) -> None:
    assert ("e", *words(line)) == words(f"é {line}"), (
        "the same words where a letter asks for the long way"
    )


@given(st.text(max_size=80))
def test_letters_alone_lose_their_accents(line: str) -> None:
    plain = unicodedata.normalize("NFKD", line.casefold())
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    assert fold_line(line) == " ".join(
        re.findall(r"\w+", kept if not line.casefold().isascii() else plain)
    )


@given(st.text(alphabet="0٣۴७９：．／，،－a م", max_size=30))
def test_digits_of_all_scripts_are_plain_ones(line: str) -> None:
    plain = plain_digits(line)
    assert len(plain) == len(line)
    assert [int(c) for c in plain if c.isdecimal()] == [
        int(c) for c in line if c.isdecimal()
    ]
    assert all(c.isascii() for c in plain if c != "م")


@given(st.text(alphabet="ab 中\n", min_size=1_990, max_size=2_010))
@settings(max_examples=20)
def test_a_long_line_has_as_many_words_as_its_halves(line: str) -> None:
    assert (
        count_words(f"{line} {line}")
        == len(line.replace("中", " ").split()) * 2 + (2 * line.count("中") + 1) // 2
    )


@given(
    st.text(alphabet="aé. \n", max_size=40) | st.text(alphabet="中文。", max_size=12),
    st.integers(1, 8),
)
def test_the_first_words_tell_whether_there_are_so_many(text: str, least: int) -> None:
    assert has_words(text, least) == (count_words(text) >= least)
