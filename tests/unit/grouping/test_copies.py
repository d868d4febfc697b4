"""The exact check: what is a copy, what is an excerpt, what only looks like one. All texts are invented."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import (
    CopyTuning,
    best_copy,
    excerpts_in,
    verdict,
)
from aggregator.grouping.copies.minhash import estimate, sign
from aggregator.grouping.copies.sampled_shingles import hashes_of_sketch, sketch
from aggregator.grouping.copies.shared_wording import text_reuse
from aggregator.grouping.copies.shingles import shingle_hashes, shingle_sequence
from aggregator.model.article import ComparedText
from tests.support.tables import each_row

TUNING = Tuning().section("copies", CopyTuning)
TITLE = "Harbour bridge closed after storm damages two pillars"
OTHER_TITLE = "Parliament votes to lower the tax on school meals"


def sentences(seed: int, count: int, words: int = 18) -> list[str]:
    rng = Random(seed)
    vocabulary = [
        "".join(rng.choices("abdeiklmnoprstu", k=rng.randint(3, 8)))
        for _ in range(1500)
    ]
    return [
        " ".join(rng.choices(vocabulary, k=words)).capitalize() + "."
        for _ in range(count)
    ]


def prose(seed: int, words: int) -> str:
    return " ".join(" ".join(sentences(seed, words // 18 + 1)).split()[:words])


def piece(
    text: str,
    title: str = TITLE,
    id_: str = "a",
    outlet: str | None = "Herald",
    order: int = 1,
) -> ComparedText:
    signature = sign(shingle_hashes(text), seed=TUNING.seed)
    return ComparedText(
        id=id_, text=text, title=title, outlet=outlet, order=order, signature=signature
    )


def kind(
    later: str,
    earlier: str,
    later_title: str = TITLE,
    earlier_title: str = TITLE,
    outlets: tuple[str | None, str | None] = ("Courier", "Herald"),
) -> str | None:
    found = verdict(
        piece(later, later_title, "later", outlets[0], 2),
        piece(earlier, earlier_title, "earlier", outlets[1]),
        TUNING,
    )
    return found.kind if found else None


# --- copies ------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(48, 400))
@settings(max_examples=30)
def test_the_same_text_is_a_copy_whatever_its_headline_and_outlet(
    seed: int, count: int
) -> None:
    text = prose(seed, count)
    for title in (TITLE, OTHER_TITLE, ""):
        found = verdict(
            piece(text, title), piece(text, id_="b", outlet="Herald"), TUNING
        )
        assert found is not None
        assert (found.kind, found.resemblance, found.containment, found.estimate) == (
            "copy",
            1.0,
            1.0,
            1.0,
        )
        assert found.other == "b"


@pytest.mark.parametrize("share", [5, 10, 20, 30])
def test_sentences_written_anew(share: int) -> None:
    original = sentences(1, 40)
    edited = original[:]
    for at in Random(share).sample(range(40), 40 * share // 100):
        edited[at] = sentences(100 + at, 1)[0]
    assert kind(" ".join(edited), " ".join(original)) == "copy"
    assert kind(" ".join(edited), " ".join(original), OTHER_TITLE) == "copy"


@pytest.mark.parametrize("share", [70, 60, 50, 40])
def test_a_reprint_cut_from_its_end(share: int) -> None:
    original = prose(2, 500)
    cut = " ".join(original.split()[: 5 * share])
    assert kind(cut, original) == "copy"
    assert kind(cut, original, OTHER_TITLE) == "copy", (
        "the opening stands for the headline"
    )
    assert kind(cut, original, "", "") == "copy"


def test_a_cut_from_the_middle_needs_the_headline() -> None:
    original = prose(2, 500)
    middle = " ".join(original.split()[200:420])
    assert kind(middle, original) == "copy"
    assert kind(middle, original, OTHER_TITLE) == "excerpt"


def test_extended_framed_and_reordered() -> None:
    original = sentences(3, 25)
    text = " ".join(original)
    shuffled = original[:]
    Random(1).shuffle(shuffled)
    assert kind(text + " " + prose(4, 200), text) == "copy"
    assert (
        kind(prose(5, 45) + "\n" + text + "\n" + prose(6, 60), text, OTHER_TITLE)
        == "copy"
    )
    assert kind("\n".join(shuffled), text, OTHER_TITLE) == "copy"


ALPHABETS = {
    "russian": ("абвгдежзиклмнопрстуфхц", " "),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي", " "),
    "greek": ("αβγδεζηθικλμνξοπρστυφχψω", " "),
    "hindi": ("कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह", " "),
    "chinese": ("".join(chr(at) for at in range(0x4E00, 0x5200)), ""),
    "japanese": (
        "".join(chr(at) for at in (*range(0x3042, 0x3090), *range(0x5200, 0x5400))),
        "",
    ),
    "thai": ("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอฮ", ""),
}


def written(script: str, seed: int, count: int) -> list[str]:
    """Words, or characters where no spaces are written."""
    letters, space = ALPHABETS[script]
    rng = Random(f"{script} {seed}")
    return [
        "".join(rng.choices(letters, k=rng.randint(3, 8) if space else 1))
        for _ in range(count)
    ]


@pytest.mark.parametrize("script", ALPHABETS)
def test_copies_cuts_and_excerpts_in_many_scripts(script: str) -> None:
    space = ALPHABETS[script][1]
    original = written(script, 1, 600)
    text, half, fifths = (space.join(original[:count]) for count in (600, 300, 240))
    new = written(script, 2, 120)
    edited = space.join(
        original[:180] + new[:60] + original[240:420] + new[60:] + original[480:]
    )
    excerpt = space.join(original[300:400])
    title, other = space.join(original[:8]), space.join(written(script, 3, 8))
    assert kind(edited, text, other, title) == "copy"
    assert kind(half, text, title, title) == kind(fifths, text, title, title) == "copy"
    assert kind(excerpt, text, other, title) == "excerpt"
    assert kind(space.join(written(script, 4, 600)), text, title, title) is None
    mine, theirs = (
        set(hashes_of_sketch(sketch(shingle_sequence(one), TUNING)).tolist())
        for one in (excerpt, text)
    )
    assert len(mine & theirs) >= TUNING.passage_shared, "the index would not propose it"


@pytest.mark.later
@given(st.integers(0, 10**6), st.floats(0.0, 0.35), st.booleans())
@settings(max_examples=60)
def test_which_text_came_first_changes_no_copy_of_like_length(
    seed: int, changed: float, shuffle: bool
) -> None:
    first = sentences(seed, 24)
    second = [
        new if Random(at).random() < changed else old
        for at, (old, new) in enumerate(
            zip(first, sentences(seed + 1, 24), strict=True)
        )
    ]
    if shuffle:
        Random(seed).shuffle(second)
    one, two = " ".join(first), " ".join(second)
    assert kind(one, two, TITLE, OTHER_TITLE) == kind(two, one, OTHER_TITLE, TITLE)


# --- not copies --------------------------------------------------------------------------------------------


def test_different_texts_and_empty_ones() -> None:
    assert kind(prose(1, 300), prose(2, 300)) is None
    assert kind("", prose(2, 300)) is None
    assert kind("", "") is None
    assert kind("Two words", "Two words") is None


@pytest.mark.parametrize("own", [300, 900])
@pytest.mark.parametrize("stolen", [300, 900])
@pytest.mark.parametrize("own_first", [True, False])
def test_a_page_stuffed_with_anothers_text_stays_apart(
    own: int, stolen: int, own_first: bool
) -> None:
    """Containment is 1.0 in every case, so containment alone must not merge."""
    mine = OTHER_TITLE + ". " + prose(7, own)
    theirs = TITLE + ". " + prose(8, stolen)
    attack = f"{mine}\n{theirs}" if own_first else f"{theirs}\n{mine}"
    assert kind(attack, theirs, OTHER_TITLE, TITLE) is None
    assert kind(theirs, attack, TITLE, OTHER_TITLE) in {"excerpt", None}, (
        "the victim came in later"
    )
    if own >= stolen:
        assert kind(attack, theirs, "", "") is None, (
            "without headlines nothing speaks for a copy"
        )


def test_two_parts_of_a_series_of_one_outlet() -> None:
    """Day two and day three share their background under like headlines: half of each text."""
    background = prose(9, 250)
    second, third = prose(10, 225) + " " + background, prose(11, 220) + " " + background
    title = "Strike at the harbour, day {}: what you need to know"
    assert (
        kind(third, second, title.format(3), title.format(2), ("Herald", "Herald"))
        is None
    )
    assert (
        kind(third, second, title.format(3), title.format(2), ("Courier", "Herald"))
        == "copy"
    )


def test_reports_that_share_two_fifths_stay_apart_under_one_headline() -> None:
    """As two outlets' reports built on one agency text; .41 is the most that was met."""
    background = prose(9, 200)
    assert (
        kind(prose(10, 280) + " " + background, prose(11, 280) + " " + background)
        is None
    )


def test_headlines_agree_by_most_of_their_words() -> None:
    """Three small words in common are no agreement."""
    original = prose(2, 500)
    middle = " ".join(original.split()[200:420])
    one, two = (
        "The mayor of the town opens a new school for girls",
        "The end of a long strike at the mill",
    )
    assert kind(middle, original, one, two) == "excerpt"
    assert (
        kind(middle, original, "Bridge closed: storm damages two pillars", TITLE)
        == "copy"
    )


def test_a_form_of_one_outlet_filled_in_with_other_words() -> None:
    """No numbers, no names in the headline: only that nothing shared is longer than a line gives it away."""
    rng = Random(40)
    form = " ".join(sentences(41, 25)).split()
    first, second = form[:], form[:]
    for at in range(5, len(form), 14):
        first[at], second[at] = (
            f"this{rng.randrange(10**6)}",
            f"that{rng.randrange(10**6)}",
        )
    title = "Your stars for the week"
    assert (
        kind(" ".join(second), " ".join(first), title, title, ("Herald", "Herald"))
        is None
    )
    assert (
        kind(" ".join(second), " ".join(first), title, title, ("Courier", "Herald"))
        == "copy"
    )


def test_what_shares_only_the_footer_of_its_outlet_is_no_copy() -> None:
    footer = prose(27, 80)
    first, second = f"{prose(28, 30)} {footer}", f"{prose(29, 20)} {footer}"
    assert kind(second, first, OTHER_TITLE, TITLE, ("Herald", "Herald")) is None
    assert kind(second, first, TITLE, TITLE, ("Herald", "Herald")) == "copy"
    noticed = f"{prose(30, 20)} {first}"
    assert kind(noticed, first, OTHER_TITLE, TITLE, ("Herald", "Herald")) == "copy"


def test_new_sentences_with_new_numbers_are_no_template() -> None:
    body = sentences(42, 16)
    figures = [
        f"The council of {name} {sentences(at, 1)[0]} {at} boats."
        for at, name in enumerate("ABCDE", 50)
    ]
    others = [
        f"Later in {name} {sentences(at, 1)[0]} {at} nets."
        for at, name in enumerate("ABCDE", 70)
    ]
    first = " ".join(
        one for pair in zip(figures, body[:5], strict=True) for one in pair
    ) + " ".join(body[5:])
    second = " ".join(
        one for pair in zip(others, body[:5], strict=True) for one in pair
    ) + " ".join(body[5:])
    assert kind(second, first) == "copy"


def weather(day: str, rng: Random, towns: list[str]) -> str:
    lines = [
        f"{town} will be mostly dry with some cloud by evening and a high of {rng.randrange(5, 30)} degrees "
        f"with winds from the west of up to {rng.randrange(10, 60)} kilometres an hour."
        for town in towns
    ]
    return f"Here is the forecast of our weather desk for {day}. " + " ".join(lines)


@each_row("copies", "a weather template filled in again", "outlets")
def test_a_weather_template_filled_in_again(
    outlets: tuple[str | None, str | None],
) -> None:
    towns = [
        "Northport",
        "Ashford Bay",
        "Old Mill",
        "Westing",
        "Kilnhurst",
        "Sandy Point",
        "Elm Grove",
    ]
    monday, tuesday = (
        weather(day, Random(day), towns) for day in ("Monday", "Tuesday")
    )
    title = "Weather for the coast"
    assert kind(tuesday, monday, title, title, outlets) is None
    assert kind(monday, monday, title, title, outlets) == "copy"


@pytest.mark.parametrize("outlets", [("Herald", "Herald"), ("Courier", "Herald")])
def test_a_form_with_other_names(outlets: tuple[str, str]) -> None:
    form = (
        " ".join(sentences(12, 14))
        + " {a} meet {b} tonight. "
        + " ".join(sentences(13, 14))
        + " {a} lost last week."
    )
    first, second = (
        form.format(a="Rovers", b="Wanderers"),
        form.format(a="Albion", b="Harriers"),
    )
    titles = (
        "How to watch Albion against Harriers",
        "How to watch Rovers against Wanderers",
    )
    assert kind(second, first, *titles, outlets) is None
    assert kind(first, first, titles[1], titles[1], outlets) == "copy"


def test_a_wire_update_with_another_toll_is_still_a_copy() -> None:
    body = sentences(14, 20)
    first = " ".join(
        [
            *body[:4],
            "At least 12 people were hurt, police said.",
            *body[4:],
            "The bridge opened in 1961.",
        ]
    )
    assert kind(first.replace("12 people", "15 people"), first) == "copy"


@pytest.mark.parametrize("outlets", [("Herald", "Herald"), ("Courier", "Herald")])
@pytest.mark.parametrize(
    ("headline", "opening", "is_copy"),
    [
        (
            "Bridge gives way, {} hurt",
            "A bridge gave way and injured {} walkers.",
            True,
        ),
        (
            "River level: {} cm",
            "The water stood at {} centimetres this morning.",
            False,
        ),
    ],
    ids=["a toll", "a number alone tells what the text is about"],
)
def test_the_only_other_number_in_a_headline_is_a_toll(
    headline: str, opening: str, is_copy: bool, outlets: tuple[str, str]
) -> None:
    first, second = (f"{opening.format(number)} {prose(26, 60)}" for number in (12, 15))
    found = kind(second, first, headline.format(15), headline.format(12), outlets)
    assert (found == "copy") == is_copy


# --- short texts -------------------------------------------------------------------------------------------


def test_short_texts_need_an_agreeing_headline() -> None:
    short = prose(15, 30)
    assert kind(short, short) == "copy"
    assert kind(short, short, OTHER_TITLE) is None
    assert kind(short, short, "", TITLE) == "copy"
    assert kind(prose(15, 15), prose(15, 15), "", "") is None
    notice = (
        "This is a developing story. Check back for updates as we learn more about it."
    )
    assert kind(notice, notice, OTHER_TITLE, TITLE) is None
    assert kind(" ".join([*short.split()[:20], *prose(16, 10).split()]), short) is None


@pytest.mark.parametrize("headlines", [("", ""), ("", TITLE), (TITLE, "")])
@each_row(
    "copies",
    "a form filled in twice is no copy where a headline is unknown",
    "form",
    "names",
)
def test_a_form_filled_in_twice_is_no_copy_where_a_headline_is_unknown(
    form: str, names: tuple[str, str], headlines: tuple[str, str]
) -> None:
    one, other = (form.format(name) for name in names)
    assert kind(one, other, *headlines) is None
    assert kind(one, one, *headlines) == "copy"


# --- excerpts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [45, 60, 120])
def test_an_excerpt_is_linked_and_not_merged(count: int) -> None:
    whole = prose(17, 700)
    excerpt = " ".join(whole.split()[300 : 300 + count])
    expected = "excerpt" if count >= 48 else None
    assert kind(excerpt, whole, OTHER_TITLE) == expected
    assert kind(whole, excerpt, TITLE, OTHER_TITLE) is None
    found = excerpts_in(
        piece(whole),
        [piece(excerpt, OTHER_TITLE, "x"), piece(prose(18, 60), id_="y")],
        TUNING,
    )
    assert [evidence.other for evidence in found] == (["x"] if expected else [])


# --- the best of several -----------------------------------------------------------------------------------


def edited(text: str, words: int, seed: int) -> str:
    return " ".join([*text.split()[:-words], *prose(seed, words).split()])


def test_the_best_match_is_taken() -> None:
    text = prose(20, 300)
    far, near = (
        piece(edited(text, 90, 1), id_="far", order=1),
        piece(edited(text, 30, 2), id_="near", order=2),
    )
    strange = piece(prose(21, 300), id_="strange")
    for order in ([far, near, strange], [strange, near, far]):
        found = best_copy(piece(text, id_="me"), order, TUNING)
        assert found is not None
        assert found.other == "near"
    assert best_copy(piece(text, id_="me"), [strange], TUNING) is None
    assert best_copy(piece(text, id_="me"), [], TUNING) is None


def test_a_copy_goes_before_an_excerpt_and_the_older_match_before_the_younger() -> None:
    text = prose(22, 80)
    inside = piece(
        prose(23, 500) + " " + text + " " + prose(24, 500),
        OTHER_TITLE,
        "inside",
        order=1,
    )
    young, old = (
        piece(edited(text, 8, 3), id_=name, order=order)
        for name, order in (("young", 9), ("old", 3))
    )
    found = best_copy(piece(text, id_="me"), [inside, young, old], TUNING)
    assert found is not None
    assert (found.other, found.kind) == ("old", "copy")
    found = best_copy(piece(text, id_="me"), [inside], TUNING)
    assert found is not None
    assert (found.other, found.kind) == ("inside", "excerpt")


def test_an_article_is_no_copy_of_itself() -> None:
    me = piece(prose(25, 100), id_="me")
    assert best_copy(me, [me], TUNING) is None


def test_the_number_of_texts_read_is_bounded() -> None:
    read: list[int] = []

    def flood(text: str) -> Iterator[ComparedText]:
        for at in range(10_000):
            read.append(at)
            yield piece(text, id_=str(at), order=at)

    me = piece(prose(26, 100), id_="me")
    assert best_copy(me, flood(prose(27, 100)), TUNING) is None
    assert len(read) == TUNING.exact_checks
    read.clear()
    assert best_copy(me, flood(me.text), TUNING) is not None
    assert len(read) == 1, "a twin this near needs no better one"


def test_a_forged_signature_merges_nothing() -> None:
    """The estimate is 1.0 and the texts differ: a signature can be forged."""
    victim = piece(prose(30, 300), id_="victim")
    forged = replace(piece(prose(31, 300), id_="forger"), signature=victim.signature)
    assert estimate(forged.signature, victim.signature) == 1.0
    assert best_copy(forged, [victim], TUNING) is None


# --- words of another outlet -------------------------------------------------------------------------------


def test_a_rewritten_opening_above_a_third_of_anothers_words_is_text_reuse() -> None:
    agency, own = sentences(1, 20), sentences(2, 12)
    rewritten = " ".join([*own, *agency[:6]])
    assert kind(rewritten, " ".join(agency), OTHER_TITLE) is None
    found = text_reuse(
        piece(rewritten, id_="later", outlet="Courier"),
        [piece(" ".join(agency))],
        TUNING,
    )
    assert found is not None
    assert found.other == "a"
    assert 0.25 < found.share < 0.45


@each_row("copies", "a speech that both quote is no text reuse", "opening", "closing")
def test_a_speech_that_both_quote_is_no_text_reuse(opening: str, closing: str) -> None:
    speech = f"{opening}{' '.join(sentences(3, 10))}{closing}"
    one, other = (" ".join([*sentences(seed, 10), speech]) for seed in (1, 2))
    assert (
        text_reuse(piece(one, id_="one", outlet="Courier"), [piece(other)], TUNING)
        is None
    )


def test_an_outlet_may_reuse_its_own_words_and_a_short_sentence_of_others() -> None:
    agency = sentences(1, 20)
    update = " ".join([*sentences(2, 12), *agency[:8]])
    assert (
        text_reuse(
            piece(update, id_="later", outlet="Herald"),
            [piece(" ".join(agency))],
            TUNING,
        )
        is None
    )
    note = " ".join([*agency[:1], *sentences(4, 1)])
    assert (
        text_reuse(
            piece(note, id_="note", outlet="Courier"), [piece(" ".join(agency))], TUNING
        )
        is None
    )
