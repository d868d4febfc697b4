"""Differences between two headlines of one pattern that show two different events.

Two headlines are aligned: the words they share, and the words that replace each other. Counts show no
difference: newsrooms count dead, injured and jobs differently, and differently again later.
"""

import functools
from difflib import SequenceMatcher
from typing import Final, Literal, NamedTuple

from aggregator.cluster.vetoes.headline_tokens import (
    NAME,
    NO_NAME,
    HeadlineWord,
    ParsedHeadline,
    VetoInput,
    VetoTuning,
    are_near,
    is_deed,
    month_of,
    name_likelihood,
    places,
    plain_words,
    read_headline,
    states_of,
    weekday_of,
    without_outlet,
    words_of,
)

_LONGEST_TITLE: Final = (
    40  # words (three times as many characters in scripts without spaces): limits the time
)


class AlignmentSlot(NamedTuple):
    """A gap between shared words and its content in either headline, as word indexes."""

    left: tuple[int, ...]
    right: tuple[int, ...]


class AlignedHeadlines(NamedTuple):
    """Two aligned headlines."""

    one: VetoInput
    other: VetoInput
    left: ParsedHeadline
    right: ParsedHeadline
    shared: int  # words that are in both
    shorter: int  # words of the shorter headline
    in_order: float  # share of the shorter headline's words that both have in the same order
    slots: tuple[AlignmentSlot, ...]


def compare(one: VetoInput, other: VetoInput) -> AlignedHeadlines | None:
    """Align two headlines word by word, or return None if they share too little to be of one pattern."""
    left = read_headline(without_outlet(one), one.language)
    right = read_headline(without_outlet(other), other.language)
    shorter = min(len(left.keys), len(right.keys))
    if max(len(left.keys), len(right.keys)) > (_LONGEST_TITLE if left.has_spaces else 3 * _LONGEST_TITLE):
        return None
    unmatched = list(right.keys)
    shared = 0
    for key in left.keys:
        if key in unmatched:
            unmatched.remove(key)
            shared += 1
    if shorter == 0 or shared * 2 < shorter or not _share_content(left, right):
        return None
    matcher = SequenceMatcher(None, left.keys, right.keys, autojunk=False)
    codes = matcher.get_opcodes()
    in_order = sum(a2 - a1 for tag, a1, a2, _, _ in codes if tag == "equal")
    slots = tuple(
        AlignmentSlot(_only(left, right, range(a1, a2)), _only(right, left, range(b1, b2)))
        for tag, a1, a2, b1, b2 in codes
        if tag == "replace"
    )
    return AlignedHeadlines(one, other, left, right, shared, shorter, in_order / shorter, slots)


def _share_content(left: ParsedHeadline, right: ParsedHeadline) -> bool:
    """Return whether both have a content word: a shared date or article alone is not enough."""
    if not left.has_spaces:
        return True
    return any(
        word.is_content and word.sort == "word" and word.key in right.keys and not _is_of_calendar(word, left)
        for word in left.words
    )


def _is_of_calendar(word: HeadlineWord, headline: ParsedHeadline) -> bool:
    return weekday_of(word, headline.language) is not None or month_of(word, headline.language) is not None


def _only(mine: ParsedHeadline, others: ParsedHeadline, places_: range) -> tuple[int, ...]:
    """Return those words that are nowhere in the other headline: a moved word was not replaced."""
    if not mine.has_spaces:
        return tuple(places_)
    return tuple(at for at in places_ if mine.keys[at] not in others.keys)


def is_one_build(pair: AlignedHeadlines, slot: AlignmentSlot, tuning: VetoTuning) -> bool:
    """Return whether the headlines share most words when the content of the slot counts as one word."""
    filled = max(len(slot.left), len(slot.right), 1)
    return pair.shared >= tuning.template_share * (max(pair.shorter - filled, 0) + 1)


def is_all(pair: AlignedHeadlines, slot: AlignmentSlot, most: int) -> bool:
    """Return whether at most `most` words of either headline differ outside this slot.

    Two newsrooms that report one event differ in more than one place; two instances of a pattern do not.
    """
    return all(len(words) <= most for words in beside(pair, slot))


def beside(pair: AlignedHeadlines, slot: AlignmentSlot) -> tuple[frozenset[int], frozenset[int]]:
    """Return the words without counterpart outside the slot, of either headline."""
    left, right = loose(pair)
    return left - set(slot.left), right - set(slot.right)


@functools.lru_cache(maxsize=64)  # called for each slot of a pair
def loose(pair: AlignedHeadlines) -> tuple[frozenset[int], frozenset[int]]:
    """Return the words of either headline that the other does not have in any form."""
    left, right = pair.left, pair.right
    return _without_counterpart(left, right), _without_counterpart(right, left)


def _without_counterpart(mine: ParsedHeadline, others: ParsedHeadline) -> frozenset[int]:
    """Return the content words, without numbers, that the other headline does not have in any form."""
    if not mine.has_spaces:
        return frozenset()
    return frozenset(
        at
        for at, word in enumerate(mine.words)
        if word.is_content
        and word.sort == "word"
        and word.key not in others.keys
        and not any(are_near(word.key, key) for key in others.keys)
    )


HeadlineDifference = Literal["actors", "row", "day", "figure", "score", "name", "deed", "object"]
Units = Literal["magnitude", "measures", "prices"]
_MOST_BESIDE: Final = 1  # words of either headline that may differ besides a number, a day or an action
_MOST_BESIDE_OBJECT: Final = 2  # the same for recalled products: the reason of the recall differs too
_LONGEST_ACTOR: Final = 3  # words; "El Real Madrid"
_LONGEST_ACTOR_CHARS: Final = 5  # in scripts without spaces
_STEM: Final = 4  # first characters of a name that are searched in a lead: endings vary


def difference(pair: AlignedHeadlines, tuning: VetoTuning) -> HeadlineDifference | None:
    """Return the kind of the first difference that shows two events, or None."""
    if _actors(pair):
        return "actors"
    if _places(pair, tuning):
        return "name"
    for slot in pair.slots:
        kind = _in_slot(pair, slot, tuning)
        if kind is not None:
            return kind
    if _deeds(pair, tuning):
        return "deed"
    return "object" if _objects(pair) else None


def _in_slot(pair: AlignedHeadlines, slot: AlignmentSlot, tuning: VetoTuning) -> HeadlineDifference | None:
    """Return the kind of difference in one slot."""
    if not is_all(pair, slot, _MOST_BESIDE) or not is_one_build(pair, slot, tuning):
        return None
    left = [pair.left.words[at] for at in slot.left]
    right = [pair.right.words[at] for at in slot.right]
    checks: tuple[tuple[HeadlineDifference, bool], ...] = (
        ("row", _rows(pair, slot)),
        ("day", _days(pair, left, right)),
        ("figure", _figures(pair, left, right, tuning)),
        ("score", _scores(left, right)),
        ("name", _names(pair, slot)),
    )
    return next((kind for kind, differs in checks if differs), None)


# --- numbers and days --------------------------------------------------------------------------------------


def _rows(pair: AlignedHeadlines, slot: AlignmentSlot) -> bool:
    """Return whether two members of one sequence are named: "12th ...", or a number after "stage"."""
    left = [row for at in slot.left if (row := _place_in_row(pair.left, at))]
    right = [row for at in slot.right if (row := _place_in_row(pair.right, at))]
    for of, mine in left:
        for same, theirs in right:
            if of & same and mine != theirs:
                return not (_has_value(pair.other, mine) or _has_value(pair.one, theirs))
    return False


def _place_in_row(headline: ParsedHeadline, at: int) -> tuple[frozenset[str], float] | None:
    """Return the sequence and the position: ({"sanctions", "package"}, 12) for "12th sanctions package"."""
    word = headline.words[at]
    if word.sort == "ordinal":
        following = frozenset(headline.keys[at + 1 : at + 3]) or frozenset({""})
        versions = words_of("versions", "any")
        return None if any(versions.holds(key) for key in following) else (following, word.value)
    if word.sort == "number" and at and words_of("numbered", headline.language).holds(headline.keys[at - 1]):
        return frozenset({headline.keys[at - 1]}), word.value
    return None


def _has_value(veto_input: VetoInput, value: float) -> bool:
    """Return whether the lead has this position in a sequence."""
    if not veto_input.lead:
        return False
    lead_words = read_headline(veto_input.lead, veto_input.language).words
    return any(word.sort == "ordinal" and word.value == value for word in lead_words)


def _days(pair: AlignedHeadlines, left: list[HeadlineWord], right: list[HeadlineWord]) -> bool:
    """Return whether weekday, month or day of the month differ."""
    language, versions = pair.left.language, words_of("versions", "any")
    if versions.met_in(pair.left) or versions.met_in(pair.right):
        return False  # "last updated at": a date of the page, not of the event
    for sense in (weekday_of, month_of):
        mine = {found for word in left if (found := sense(word, language))}
        theirs = {found for word in right if (found := sense(word, language))}
        if mine and theirs and not mine & theirs:
            return True
    mine_days, their_days = _month_days(pair.left, left), _month_days(pair.right, right)
    return bool(mine_days and their_days and not mine_days & their_days)


def _month_days(headline: ParsedHeadline, some: list[HeadlineWord]) -> set[float]:
    """Return the numbers next to the name of a month."""
    days = set()
    for word in some:
        if word.sort not in ("number", "ordinal") or not 1 <= word.value <= 31:
            continue
        at = headline.words.index(word)
        near = headline.words[max(0, at - 1) : at] + headline.words[at + 1 : at + 3]
        if any(month_of(one, headline.language) for one in near) or headline.title.startswith(
            ("月", "日"), word.end
        ):
            days.add(word.value)
    return days - {0.0}


def _figures(
    pair: AlignedHeadlines, left: list[HeadlineWord], right: list[HeadlineWord], tuning: VetoTuning
) -> bool:
    """Return whether measured numbers of one unit differ: magnitude, points, price or age, not a count."""
    mine = [word for word in left if word.sort == "number"]
    theirs = [word for word in right if word.sort == "number"]
    for a, b in zip(mine, theirs, strict=False):
        if _measured(pair.left, a, "magnitude") and _measured(pair.right, b, "magnitude"):
            return abs(a.value - b.value) > tuning.same_magnitude
        units: Units = "prices" if _have_prices(pair) else "measures"
        measured = _measured(pair.left, a, units) and _measured(pair.right, b, units)
        if measured or (_is_age(pair.left, a) and _is_age(pair.right, b)):
            low, high = sorted((a.value, b.value))
            return high > low * (tuning.same_price if units == "prices" else tuning.same_measure)
    return False


def _have_prices(pair: AlignedHeadlines) -> bool:
    """Return whether both are about a market price or a jackpot; reports state other sums differently."""
    priced = words_of("priced", "any")
    return priced.met_in(pair.left) and priced.met_in(pair.right)


def _measured(headline: ParsedHeadline, word: HeadlineWord, of: Units) -> bool:
    """Return whether one of these units is directly before or after the number."""
    units = plain_words(of)
    if not headline.has_spaces:
        before, behind = headline.title[: word.start], headline.title[word.end :].lstrip("个強弱.0")
        return any(before.endswith(unit) or behind.startswith(unit) for unit in units.exact)
    at = headline.words.index(word)
    near = headline.words[max(0, at - 1) : at] + headline.words[at + 1 : at + 2]
    return any(units.holds(one.key) for one in near)


def _is_age(headline: ParsedHeadline, word: HeadlineWord) -> bool:
    """Return whether the number is an age after a person: ", 24," or "(24)"."""
    before, behind = headline.title[: word.start].rstrip()[-1:], headline.title[word.end :][:1]
    return before in (",", "(") and behind in (",", ")") and 1 <= word.value <= 115


def _scores(left: list[HeadlineWord], right: list[HeadlineWord]) -> bool:
    """Return whether the results differ; "3-1" and "1-3" are one result."""
    mine = [sorted(word.key.split("-")) for word in left if word.sort == "score"]
    theirs = [sorted(word.key.split("-")) for word in right if word.sort == "score"]
    return bool(mine and theirs) and mine[0] != theirs[0]


# --- names -------------------------------------------------------------------------------------------------


def _names(pair: AlignedHeadlines, slot: AlignmentSlot) -> bool:
    """Return whether one name replaces another."""
    left = [at for at in slot.left if _can_fill(pair.left, at)]
    right = [at for at in slot.right if _can_fill(pair.right, at)]
    if not left or not right:
        return False
    if _small_words(pair.left, slot.left) != _small_words(pair.right, slot.right):
        return False
    if not _are_names(pair, left, right) or not _frame_matches(pair, slot):
        return False
    return not _are_one_name(pair, left, right)


def _are_one_name(pair: AlignedHeadlines, left: list[int], right: list[int]) -> bool:
    """Return whether either name is elsewhere in the other report, or one may abbreviate the other."""
    mine, theirs = [pair.left.keys[at] for at in left], [pair.right.keys[at] for at in right]
    if any(are_near(name, key) for name in mine for key in pair.right.keys):
        return True
    if any(are_near(name, key) for name in theirs for key in pair.left.keys):
        return True
    if _may_abbreviate(pair.left, left, theirs) or _may_abbreviate(pair.right, right, mine):
        return True
    return _named_in(mine[-1], pair.other) or _named_in(theirs[-1], pair.one)


def _may_abbreviate(headline: ParsedHeadline, slot: list[int], names: list[str]) -> bool:
    """Return whether a word of capitals may abbreviate several words: "IE" for "Internet Explorer"."""
    word = headline.words[slot[0]]
    if len(slot) != 1 or len(names) < 2 or not word.spelt.isupper():
        return False
    return any(name[0] in word.key for name in names)


def _small_words(headline: ParsedHeadline, slot: tuple[int, ...]) -> list[str]:
    """Return prepositions and the like: "marries Jared Pobre" and "marries in Mexico" swap no names."""
    return [headline.keys[at] for at in slot if not headline.words[at].is_content]


def _are_names(pair: AlignedHeadlines, left: list[int], right: list[int]) -> bool:
    """Return whether both slots end with a name.

    In title case, where every word is capitalised, the slots must contain nothing else.
    """
    ends = name_likelihood(pair.left, left[-1]), name_likelihood(pair.right, right[-1])
    if NO_NAME in ends:
        return False
    if pair.left.is_title_case or pair.right.is_title_case:
        inner = [name_likelihood(pair.left, at) for at in left] + [
            name_likelihood(pair.right, at) for at in right
        ]
        are_last = left[-1] == len(pair.left.words) - 1 and right[-1] == len(pair.right.words) - 1
        return NO_NAME not in inner and (NAME in ends or (are_last and len(left) == len(right)))
    return NAME in ends


def _frame_matches(pair: AlignedHeadlines, slot: AlignmentSlot) -> bool:
    """Return whether nothing else differs, or one more capitalised word in the same position."""
    if is_all(pair, slot, 0):
        return True
    others = [one for one in pair.slots if one is not slot and (one.left or one.right)]
    if not is_all(pair, slot, 1) or len(others) != 1 or pair.left.is_title_case or pair.right.is_title_case:
        return False
    further = zip((pair.left, pair.right), beside(pair, slot), others[0], strict=True)
    return all(
        len(words) == 1 and words <= set(filled) and headline.words[min(words)].spelt[0].isupper()
        for headline, words, filled in further
    )


def _can_fill(headline: ParsedHeadline, at: int) -> bool:
    word = headline.words[at]
    return word.sort == "word" and word.is_content


def _named_in(name: str, veto_input: VetoInput) -> bool:
    stem = name[: max(_STEM, len(name) - 2)]
    return stem in veto_input.lead.lower()


def _places(pair: AlignedHeadlines, tuning: VetoTuning) -> bool:
    """Return whether the places differ, in a script without capitals to recognise names by."""
    known_places = places(pair.left.language)
    mine = {place for place in known_places if place in pair.left.title}
    theirs = {place for place in known_places if place in pair.right.title}
    if not mine - theirs or not theirs - mine or pair.shared < tuning.template_share * pair.shorter:
        return False
    leads = pair.one.lead, pair.other.lead
    return not any(place in leads[1] for place in mine - theirs) and not any(
        place in leads[0] for place in theirs - mine
    )


# --- actions, actors, objects ------------------------------------------------------------------------------


def _deeds(pair: AlignedHeadlines, tuning: VetoTuning) -> bool:
    """Return whether the actions are opposite: "holds rates" and "cuts rates"."""
    if pair.in_order < tuning.template_share_in_order:
        return False
    mine, theirs = states_of(pair.left), states_of(pair.right)
    return any(
        _are_opposite(pair, family, mine[family], theirs[family]) for family in mine if family in theirs
    )


def _are_opposite(pair: AlignedHeadlines, family: str, mine: frozenset[int], theirs: frozenset[int]) -> bool:
    """Return whether each headline names one state of the family and no lead has both.

    A headline with two states reports a change, or two things.
    """
    if len(mine) != 1 or len(theirs) != 1 or mine == theirs or not _are_all(pair, family):
        return False
    return not _does(pair.other, family, mine) and not _does(pair.one, family, theirs)


def _are_all(pair: AlignedHeadlines, family: str) -> bool:
    """Return whether little besides the actions differs."""
    for headline, only_here in zip((pair.left, pair.right), loose(pair), strict=True):
        if sum(not is_deed(headline, at, family) for at in only_here) > _MOST_BESIDE:
            return False
    return True


def _does(veto_input: VetoInput, family: str, states: frozenset[int]) -> bool:
    """Return whether the lead has these states too."""
    if not veto_input.lead:
        return False
    return states <= states_of(read_headline(veto_input.lead, veto_input.language)).get(family, frozenset())


def _actors(pair: AlignedHeadlines) -> bool:
    """Return whether two actors are swapped: "A beat B", "B beat A"; not if they act together."""
    left, right = pair.left, pair.right
    if left.keys == right.keys or len(left.keys) != len(right.keys):
        return False
    together = words_of("together", left.language)
    if together.met_in(left) or together.met_in(right):
        return False
    start = 0
    while left.keys[start] == right.keys[start]:
        start += 1
    end = len(left.keys)
    while left.keys[end - 1] == right.keys[end - 1]:
        end -= 1
    longest = _LONGEST_ACTOR if left.has_spaces else _LONGEST_ACTOR_CHARS
    lengths = range(1, longest + 1)
    return any(
        _are_swapped(left, left.words[start:end], right.keys[start:end], first, last)
        for first in lengths
        for last in lengths
        if first + last < end - start
    )


def _are_swapped(
    left: ParsedHeadline, words: tuple[HeadlineWord, ...], theirs: tuple[str, ...], x: int, y: int
) -> bool:
    """Return whether `words` are X action Y and `theirs` Y action X, with X of `x` and Y of `y` words."""
    mine = tuple(word.key for word in words)
    deed = words[x : len(words) - y]
    if mine[x : len(mine) - y] != theirs[y : len(theirs) - x]:
        return False
    together = words_of("alongside", left.language)
    if not any(word.is_content for word in deed) or any(together.holds(word.key) for word in deed):
        return False
    return _same(mine[:x], theirs[-x:]) and _same(mine[-y:], theirs[:y])


def _same(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Return whether the words are the same, also "India" for "Indian": inflection depends on the role."""
    return all(a == b or (len(a) > 3 and a[:_STEM] == b[:_STEM]) for a, b in zip(left, right, strict=True))


def _objects(pair: AlignedHeadlines) -> bool:
    """Return whether different products are recalled."""
    slot = next((slot for slot in pair.slots if slot.left and slot.right), None)
    if slot is None or not is_all(pair, slot, _MOST_BESIDE_OBJECT):
        return False
    left = [at for at in slot.left if _can_fill(pair.left, at)]
    right = [at for at in slot.right if _can_fill(pair.right, at)]
    verbs, generic = words_of("objects", pair.left.language), plain_words("objects_generic")
    if not left or not right or not any(map(verbs.holds, pair.left.keys[max(0, left[0] - 2) : left[0]])):
        return False
    mine, theirs = [pair.left.keys[at] for at in left], [pair.right.keys[at] for at in right]
    if any(map(generic.holds, (*mine, *theirs))) or any(are_near(a, b) for a in mine for b in theirs):
        return False
    return not (_named_in(mine[-1], pair.other) or _named_in(theirs[-1], pair.one))
