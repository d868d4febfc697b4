"""Removes captions, credits and datelines that stand before a report in its text.

The stored text keeps them; the lead and the sentences that a story shows begin after them.
"""

import re
from collections.abc import Sequence

import msgspec

from aggregator.config.shipped import ShippedTable
from aggregator.text.calendar import forms, month_spellings
from aggregator.text.sentences import split_sentences

# A dateline stays if at most this many characters would remain after it
DATELINE_REST = 40
# Captions and credits are searched in this many lines at the beginning of a text
_LINES = 4
# A longer sentence counts as text, because searching it for the signs of a caption would take too long
_LONGEST = 550
_NO_REPORT = frozenset({"caption", "credit"})
_DASH = r"(?:[-–—―]|--)"
_MONTH = rf"(?:{'|'.join(sorted(map(str.title, forms('months', 'en', short=True)), reverse=True))})"
_MONTH_NAMES = "|".join(sorted(month_spellings(), reverse=True))  # in any language
_DATELINES = (
    # An agency in square brackets, with or without a place: "[Xinhua] London - "
    rf"\[[\w .]{{2,30}}\] (?:[A-Z][\w .,'’]{{1,40}})?{_DASH}\s+",
    # "[Updated at 9:30 a.m. ET] ", or its end, "ET] "
    r"\[?(?:[^][]{0,30}\b[AaPp]\.?[Mm]\.? )?[A-Z]{2,3}\]\s+",
    # A dash alone, but not before the author of a quotation, "- Ada Lorne, "
    rf"{_DASH}\s+(?!(?:[A-Z][\w.'’-]+ ){{1,3}}[A-Z][\w.'’-]+(?:,| is\b))",
    r"(?:UPDATE:|CLOSE(?= [A-Z]))\s+",
    # A place, with or without its country and the day: "PARIS, Nov 3 - ", "Doha, Qatar - ", "LONDON—"
    rf"(?!FILE)(?:[A-Z][\w.'’]+ ){{0,2}}[A-Z][\w.'’/]+(?:, [A-Z][\w.]+){{0,2}}"
    rf"(?:,? (?:{_MONTH}\.? \d{{1,2}}|\d{{1,2}} {_MONTH}\.?))?(?:\s+{_DASH}\s+|(?<=[A-Z]{{3}})—)(?=[A-Z“\"])",
    # An agency in round brackets, or a place in capitals with its state: "London, Nov. 3 (MNA) - ", "TAMPA, Florida - "
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


# How a report begins below captions, bylines and teasers: with a place and an agency in brackets, or with a place in
# capitals, its country or state, and a dash. "KEY POINTS -" has no country, and begins only a part of a report.
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
# A link's text runs into the sentence, or no space separates it from the next one ("conflict.Yet he said").
RUN_IN = _FORMS["run in"]


def sign_of(sentence: str) -> str | None:
    """Return why a sentence is not the text of a report (`why` of its first sign); None if it has no sign."""
    for name, sign in _SIGNS.items():
        is_likely = not sign.cues or any(map(sentence.__contains__, sign.cues))
        if is_likely and _FORMS[name].search(sentence):
            return sign.why
    return None


def without_front_matter(lines: Sequence[str]) -> Sequence[str]:
    """Return the lines of a text from the line that begins with a dateline.

    Without a dateline, begin at the first sentence that is neither a caption nor a credit; a heading counts as a
    sentence, unless a caption follows it. If the first lines have only captions and credits, return all lines.
    """
    for number, line in enumerate(lines[:_LINES]):
        if _REPORT_BEGINS.match(line) and len(line) > DATELINE_REST:
            return lines[number:]
    for number, line in enumerate(lines[:_LINES]):
        behind = "".join(lines[number + 1 : number + 2])
        is_caption_next = len(behind) <= _LONGEST and sign_of(behind) in _NO_REPORT
        if is_caption_next and not split_sentences(line):
            continue  # the label of a video or a picture: "CLOSE"
        sentences = split_sentences(line) or [line]
        for place, sentence in enumerate(sentences):
            if len(sentence) > _LONGEST or sign_of(sentence) not in _NO_REPORT:
                if number == place == 0:
                    return lines
                return [line[line.index(sentence) :], *lines[number + 1 :]]
    return lines


def without_dateline(sentence: str) -> str:
    """Return the sentence without the dateline before it, if enough text remains."""
    match = LEADING_DATELINE.match(sentence)
    if match and len(sentence) - match.end() > DATELINE_REST:
        return sentence[match.end() :]
    return sentence
