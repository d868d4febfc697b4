"""Removes captions, credits and datelines that stand before a report in its text.

Everything stored, compared and shown of a report begins after them.
"""

import re
from collections.abc import Sequence

import msgspec

from aggregator.config.shipped import ShippedTable
from aggregator.text.calendar import forms, month_spellings
from aggregator.text.sentences import split_sentences

# A dateline stays if fewer characters would remain after it
DATELINE_REST = 40
# Captions and credits are searched in this many lines at the beginning of a text
_LINES = 4
# A longer line is not searched for a caption: the patterns would take too long
_LONGEST = 550
_NO_REPORT = frozenset({"caption", "credit"})
_DASH = r"(?:[-–—―]|--)"
_MONTH = rf"(?:{'|'.join(sorted(map(str.title, forms('months', 'en', short=True)), reverse=True))})"
_MONTH_NAMES = "|".join(sorted(month_spellings(), reverse=True))  # in any language
_DATELINES = (
    # An agency in brackets, with a place or without: "[Xinhua] London - "
    rf"\[[\w .]{{2,30}}\] (?:[A-Z][\w .,'’]{{1,40}})?{_DASH}\s+",
    # The end of "[Updated at 9:30 a.m. ET] "
    r"\[?(?:[^][]{0,30}\b[AaPp]\.?[Mm]\.? )?[A-Z]{2,3}\]\s+",
    # A dash alone, but not before the author of a quotation, "- Ada Lorne, "
    rf"{_DASH}\s+(?!(?:[A-Z][\w.'’-]+ ){{1,3}}[A-Z][\w.'’-]+(?:,| is\b))",
    r"(?:UPDATE:|CLOSE(?= [A-Z]))\s+",
    # A place, with its country and the day or without: "PARIS, Nov 3 - ", "Doha, Qatar - ", "LONDON—"
    rf"(?!FILE)(?:[A-Z][\w.'’]+ ){{0,2}}[A-Z][\w.'’/]+(?:, [A-Z][\w.]+){{0,2}}"
    rf"(?:,? (?:{_MONTH}\.? \d{{1,2}}|\d{{1,2}} {_MONTH}\.?))?(?:\s+{_DASH}\s+|(?<=[A-Z]{{3}})—)(?=[A-Z“\"])",
    # An agency in round brackets, or a place in capitals with its state: "London, Nov. 3 (MNA) - "
    r"(?!FILE)(?:[^\W\d_][\w .,/'’-]{1,60}\([^()]{2,30}\)|\((?:AP|AFP|Reuters|UPI|dpa)\)"
    rf"|[A-Z][A-Z.,' ]{{3,40}}(?:, [A-Z][a-z.]+(?: [A-Z][a-z]+)?)?)\s*{_DASH}\s+",
    # One agency writes no dash: "London (CNN Business) "
    r"(?:[A-Z][\w .,'’]{1,40})?\(CNN(?: Business)?\)\s*(?:[-–—]\s*)?",
    # A place in capitals and a colon: "WASHINGTON: "
    r"(?!FILE)[A-Z][A-Z.,/' ]{3,40}:\s+",
    # Spanish and Italian agencies write the day in their language: "Madrid, 3 nov (EFE).- "
    r"(?:\([A-Z]{2,12}\) - )?[^\W\d_][\w ./'’()-]{1,40}, \d{1,2}\.? "
    rf"(?i:{_MONTH_NAMES})\.?(?: \d{{4}})?(?: \([\w ./]{{2,30}}\))?\s?(?:\.?-+|[–—:])\s+",
)
"""Patterns of what agencies write before the first sentence of a report."""
LEADING_DATELINE = re.compile("|".join(f"^{dateline}" for dateline in _DATELINES))


# A report begins so, below captions, bylines and teasers: with an agency in brackets, or a place in capitals with
# its country or state, and a dash. "KEY POINTS -" begins a part of one.
_REPORT_BEGINS = re.compile(
    r"(?!(?:FILE|UPDATE|EDITOR|NOTE|CORRECTION|BREAKING|LIVE|RELATED|READ|MORE|WATCH|VIDEO|PHOTO)\b)"
    rf"(?:[A-Z][A-Z.' ]{{3,40}}, [A-Z][\w. ]{{1,25}}(?: \([\w ./]{{2,30}}\))?\s?{_DASH}\s(?=[A-Z“\"])"
    r"|(?:[A-Z][\w.'’-]{0,30},? ){1,4}\((?:AP|AFP|CNN|Reuters|UPI|dpa)\)\s)"
)


class _Sign(msgspec.Struct, frozen=True):
    """A sign from front_matter.yaml that a sentence is not the text of a report."""

    why: str
    form: str
    cues: tuple[str, ...] = ()


_SIGNS = ShippedTable(
    "aggregator.extract", "front_matter.yaml", dict[str, _Sign]
).content
_FORMS = {name: re.compile(sign.form) for name, sign in _SIGNS.items()}
# A sentence holds the text of a link, or no space divides it from the next ("conflict.Yet he said").
RUN_IN = _FORMS["run in"]


def sign_of(sentence: str) -> str | None:
    """Return why a sentence is not the text of a report, by its first sign; None if it has none."""
    for name, sign in _SIGNS.items():
        is_likely = not sign.cues or any(map(sentence.__contains__, sign.cues))
        if is_likely and _FORMS[name].search(sentence):
            return sign.why
    return None


def without_front_matter(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a text from its dateline on, else from its first sentence that is neither caption nor credit.

    If there is no such sentence, return all lines. A heading counts as a sentence.
    """
    for number, line in enumerate(lines[:_LINES]):
        if _REPORT_BEGINS.match(line) and len(line) > DATELINE_REST:
            return lines[number:]
    for number, line in enumerate(lines[:_LINES]):
        sentences = split_sentences(line) or [line]
        for place, sentence in enumerate(sentences):
            if len(sentence) > _LONGEST or sign_of(sentence) not in _NO_REPORT:
                if number == place == 0:
                    return lines
                return [line[line.index(sentence) :], *lines[number + 1 :]]
    return lines


def without_dateline(sentence: str) -> str:
    """Return the sentence without place and agency before it, if enough of it remains."""
    match = LEADING_DATELINE.match(sentence)
    if match and len(sentence) - match.end() > DATELINE_REST:
        return sentence[match.end() :]
    return sentence
