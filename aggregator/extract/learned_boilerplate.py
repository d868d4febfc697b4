"""Lines that one outlet repeats on many articles: told from its last articles, taken out of the next one.

Pure: the window of last articles is kept by pipeline/placement/boilerplate.py. A line is known by a hash of
its letters and
digits. At the ends of a text (first and last lines) a line goes that is in many of them. In the middle, where
most of what is repeated is true content, only a short one goes that is in most of them, and so does a whole
sentence at the ends: "Nobody was hurt." closes many a report. What was taken out stays with its place.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from aggregator.extract.lines import count_words, folded
from aggregator.model.core import BoilerplateLine, LearnedBoilerplate, LineHashes

_CLOSING = " \"”“»«’')]"
_SENTENCE_ENDS = frozenset(".!?…。！？؟।")


class BoilerplateTuning(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Section `repeats` of config/tuning.yaml."""

    first_lines: int
    last_lines: int
    window: int
    least: int
    share: float
    middle_share: float
    middle_words: int
    middle_lines: int
    outlets_kept: int
    wall_words: int
    wall_alike: float
    wall_headline: float
    wall_same_headline: float
    wall_echo: float
    wall_asked: int


def hash_lines(paragraphs: Sequence[str], tuning: BoilerplateTuning) -> LineHashes:
    """By what the lines of a text are known again; `removed` is empty."""
    count = len(paragraphs)
    ends = [line for number, line in enumerate(paragraphs) if _is_edge(number, count, tuning)]
    inner = paragraphs[tuning.first_lines : max(count - tuning.last_lines, 0)]
    short = [line for line in inner if count_words(line) <= tuning.middle_words]
    sentences = [line for line in ends if _ends_sentence(line)]
    return LineHashes(
        edges=_keys(line for line in ends if not _ends_sentence(line)),
        middles=_distinct((*_keys(sentences), *_keys(short)[: tuning.middle_lines])),
    )


def repeated(lines: LineHashes, repeats: LearnedBoilerplate) -> tuple[int, ...]:
    """Which of these lines are to be taken out, in the order of their keys."""
    found = set(lines.edges).intersection(repeats.edges) | set(lines.middles).intersection(repeats.middles)
    return tuple(sorted(found))


def combine_lines(one: LineHashes | None, other: LineHashes | None) -> LineHashes | None:
    """The lines of a page and of the entry that it belongs to, where both were read."""
    if one is None or other is None:
        return one or other
    return LineHashes(
        edges=_distinct((*one.edges, *other.edges)),
        middles=_distinct((*one.middles, *other.middles)),
        removed=tuple(sorted({*one.removed, *other.removed})),
    )


def remove_lines(
    paragraphs: Sequence[str], gone: Iterable[int], tuning: BoilerplateTuning
) -> tuple[list[str], tuple[BoilerplateLine, ...]]:
    """`paragraphs` without the lines whose keys are `gone`, and those lines with their places."""
    keys = frozenset(gone)
    kept, taken = [], []
    for number, line in enumerate(paragraphs):
        may_go = _is_edge(number, len(paragraphs), tuning) or count_words(line) <= tuning.middle_words
        if may_go and _key(line) in keys:
            taken.append(BoilerplateLine(line=number, text=line))
        else:
            kept.append(line)
    return kept, tuple(taken)


def restore_text(text: str, taken: Iterable[BoilerplateLine]) -> str:
    """The text as it was before `taken` were taken out of it."""
    lines = text.split("\n") if text else []
    for one in sorted(taken, key=lambda one: one.line):
        lines.insert(one.line, one.text)
    return "\n".join(lines)


# --- learning ----------------------------------------------------------------------------------------------


def pack_lines(lines: LineHashes) -> bytes:
    """The keys of a text's lines as a row holds them."""
    keys = sorted({*lines.edges, *lines.middles})
    return struct.pack(f"<{len(keys)}q", *keys)


def learn_boilerplate(rows: Iterable[bytes], tuning: BoilerplateTuning) -> LearnedBoilerplate:
    """What an outlet repeats, by the packed lines of its last articles; a text printed again counts once."""
    texts = set(rows)
    if len(texts) < tuning.least:
        return LearnedBoilerplate()
    counted: Counter[int] = Counter()
    for one in texts:
        counted.update(struct.unpack(f"<{len(one) // 8}q", one))
    many = {key: count for key, count in counted.items() if count >= tuning.least}
    return LearnedBoilerplate(
        edges=tuple(sorted(key for key, count in many.items() if count > tuning.share * len(texts))),
        middles=tuple(sorted(key for key, count in many.items() if count > tuning.middle_share * len(texts))),
    )


def _is_edge(number: int, count: int, tuning: BoilerplateTuning) -> bool:
    return number < tuning.first_lines or number >= count - tuning.last_lines


def _ends_sentence(line: str) -> bool:
    return line.rstrip(_CLOSING)[-1:] in _SENTENCE_ENDS


def _keys(lines: Iterable[str]) -> tuple[int, ...]:
    return _distinct(key for key in map(_key, lines) if key is not None)


def _distinct(keys: Iterable[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(keys))


def _key(line: str) -> int | None:
    """None for a line without letters and digits."""
    plain = folded(line)
    if not plain:
        return None
    return int.from_bytes(hashlib.blake2b(plain.encode(), digest_size=8).digest(), "little", signed=True)
