"""Learned boilerplate: lines that an outlet repeats, counted in its last articles and hidden from the next.

This module is pure; grouping/outlet_memory.py stores the lines of the last articles. A line is identified by a hash
of its letters and digits. Among the first and last lines of a text, a line is hidden if many of the articles have
it. In the middle, where most repeated lines are real content, only a short line is hidden, and only if most articles
have it. A whole sentence among the first and last lines, too, is hidden only if most articles have it, because many
reports end with "Nobody was hurt." Hidden lines are stored with their position. See ADR 51.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from aggregator.model.prepared import BoilerplateLine, LineHashes
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import ends_sentence, fold_line, has_words


class BoilerplateTuning(FrozenStruct, forbid_unknown_fields=True):
    """Section `boilerplate` of config/tuning.yaml."""

    end_lines: int
    window: int
    min_articles: int
    min_share: float
    middle_share: float
    middle_words: int
    middle_lines: int
    notice_similarity: float
    notice_headline_share: float


def hash_lines(paragraphs: Sequence[str], tuning: BoilerplateTuning) -> LineHashes:
    """Return the keys of the lines of a text that may turn out to be repeated.

    `edges` has the lines at the ends that are not sentences. `middles` has the sentences at the ends, and the first
    short lines in the middle.
    """
    count = len(paragraphs)
    first = tuning.end_lines
    last = max(count - tuning.end_lines, tuning.end_lines)
    ends = [*paragraphs[:first], *paragraphs[last:]]
    short = [
        line
        for line in paragraphs[first:last]
        if not has_words(line, tuning.middle_words + 1)
    ]
    sentences = filter(ends_sentence, ends)
    return LineHashes(
        edges=_keys(line for line in ends if not ends_sentence(line)),
        middles=tuple(
            dict.fromkeys((*_keys(sentences), *_keys(short)[: tuning.middle_lines]))
        ),
    )


def repeated_lines(lines: LineHashes, repeats: LineHashes) -> set[int]:
    """Return the keys of the lines of a text that its outlet repeats."""
    return set(lines.edges).intersection(repeats.edges) | set(
        lines.middles
    ).intersection(repeats.middles)


def remove_lines(
    paragraphs: Sequence[str],
    repeated_keys: Collection[int | None],
    tuning: BoilerplateTuning,
) -> tuple[list[str], tuple[BoilerplateLine, ...]]:
    """Return `paragraphs` without the lines whose keys are in `repeated_keys`, and the removed lines."""
    remaining = []
    removed = []
    for number, line in enumerate(paragraphs):
        is_kept = has_words(line, tuning.middle_words + 1) and not (
            number < tuning.end_lines or number >= len(paragraphs) - tuning.end_lines
        )
        if not is_kept and _key(line) in repeated_keys:
            removed.append(BoilerplateLine(line=number, text=line))
        else:
            remaining.append(line)
    return remaining, tuple(removed)


def restore_lines(text: str, removed: Sequence[BoilerplateLine]) -> str:
    """Return the whole text, with the lines that `remove_lines` removed."""
    lines = text.split("\n") if text else []
    for line in removed:
        lines.insert(line.line, line.text)
    return "\n".join(lines)


def pack_lines(lines: LineHashes) -> bytes:
    """Return the keys of a text's lines as they are stored."""
    keys = sorted({*lines.edges, *lines.middles})
    return struct.pack(f"<{len(keys)}q", *keys)


def learn_boilerplate(rows: Iterable[bytes], tuning: BoilerplateTuning) -> LineHashes:
    """Return the boilerplate of an outlet from the packed lines of its last articles.

    Identical texts count once.
    """
    texts = set(rows)
    if len(texts) < tuning.min_articles:
        return LineHashes()
    counted: Counter[int] = Counter()
    for packed in texts:
        counted.update(struct.unpack(f"<{len(packed) // 8}q", packed))
    least = tuning.min_articles
    return LineHashes(
        edges=_frequent(counted, least, tuning.min_share * len(texts)),
        middles=_frequent(counted, least, tuning.middle_share * len(texts)),
    )


def _frequent(counted: Counter[int], least: int, above: float) -> tuple[int, ...]:
    """Return the keys that at least `least` texts, and more than `above` texts, have."""
    return tuple(
        sorted(
            key for key, count in counted.items() if count >= least and count > above
        )
    )


def _keys(lines: Iterable[str]) -> tuple[int, ...]:
    """Return the keys of lines, each once, in order."""
    keys = dict.fromkeys(map(_key, lines))
    return tuple(key for key in keys if key is not None)


def _key(line: str) -> int | None:
    """Return the hash of a line, or None for a line without letters and digits."""
    plain = fold_line(line)
    if not plain:
        return None
    return int.from_bytes(
        hashlib.blake2b(plain.encode(), digest_size=8).digest(), "little", signed=True
    )
