"""Words are read once, and what is known of them does not depend on what was read before."""

from threading import Thread

from aggregator.text.reading import LONGEST_WORD, Column, lexicon_of, read
from aggregator.text.tokens import parts
from tests.support.tables import each_row, numbered


def length_of(word: str) -> int:
    return len(word)


@each_row(
    "reading",
    "parts end where the script changes and keep marks",
    "text",
    "language",
    "found",
)
def test_parts_end_where_the_script_changes_and_keep_marks(
    text: str, language: str, found: str
) -> None:
    words_of_text = parts(text, language)
    assert [word for word, *_ in words_of_text] == found.split()
    assert all(text[start:end] == word for word, start, end, _ in words_of_text)


def test_a_full_lexicon_is_replaced_and_a_reading_keeps_its_own() -> None:
    lengths = Column(length_of)
    before = read("", "one seven", "sw")
    assert lengths.of(before.lexicon, before.numbers).tolist() == [3, 5]
    read("", " ".join(numbered("w%n", 39_000)), "sw")
    read("", " ".join(numbered("v%n", 39_000)), "sw")
    after = read("", "seven eleven", "sw")
    assert after.lexicon is not before.lexicon
    assert lengths.of(after.lexicon, after.numbers).tolist() == [5, 6]
    assert lengths.of(before.lexicon, before.numbers).tolist() == [3, 5]


def test_long_words_take_no_room() -> None:
    reading = read("", f"{'x' * 5000} {'x' * 6000}", "en")
    assert reading.numbers[0] == reading.numbers[1]
    assert all(len(word) <= LONGEST_WORD for word in reading.lexicon.words)


def test_threads_number_words_alike() -> None:
    lexicon = lexicon_of("eo")
    texts = [
        [f"w{number % 97}x{number % 89}" for number in range(start, start + 4000)]
        for start in range(8)
    ]
    found: dict[int, list[int]] = {}

    def number(place: int) -> None:
        found[place] = lexicon.numbers(texts[place]).tolist()

    threads = [Thread(target=number, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(
        [lexicon.words[n] for n in found[place]] == texts[place] for place in range(8)
    )
    assert len(set(lexicon.words)) == len(lexicon.words)
