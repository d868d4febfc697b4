"""Removes the words of an outlet from headlines: its name at either end, and labels such as "Watch live:".

They say nothing about the event, and an outlet puts the same ones around all its headlines.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from aggregator.text.lines import count_words, folded

# Labels that sell a headline or tell how it is shown (chosen, in the languages of most feeds).
_LABELS = """
exclusive|breaking(?: news)?|just in|scoop|news alert|(?:watch|see)(?: it)?(?: live| now)?|live video|videos?|
livestream|exklusiv|eilmeldung|eil|live ansehen|jetzt live|im video|exclusif|urgent|alerte info|vidéo|en images|
(?:regardez|suivez|voir) en direct|exclusiv[ao]|urgente|vídeo|(?:vea|mire|mira|ver|sigue) en vivo|esclusiv[ao]|
ultim['’]ora|guarda(?: in diretta| live)?|(?:assista|veja)(?: ao vivo)?|exclusief|kijk(?: live)?|exklusivt|pilne|
wideo|(?:oglądaj|zobacz)(?: na żywo)?|son dakika|özel|canlı izle|срочно|молния|эксклюзив|видео|смотрите|прямой эфир|
عاجل|حصري|فيديو|شاهد(?: مباشر)?|独家|獨家|快讯|快訊|视频|影片|突发|速報|独自|動画|独占
""".replace("\n", "")
_MARK = r"\s*(?:[:：|｜]|\s[-–—]|[-–—](?=\s))\s*"
_ENDS = re.compile(r"\s+[|\-–—•»·]+\s+|\s*[|｜]\s*|\s+::\s+")
# The name of an outlet stays if fewer words would remain
_LEAST_WORDS = 2
# A section or programme beside the outlet's name has at most this many words: "Newsdesk TV Live Coverage"
_WORDS_BESIDE = 3


def plain_headline(title: str, names: Iterable[str]) -> str:
    """Return a headline without the additions of its outlet; `names` are those of the outlet and its site."""
    known = {key for name in names if len(key := folded(name).replace(" ", "")) > 1}
    while True:
        plain = title
        # A label at its beginning, with the name of the outlet or without it
        label = _label().match(plain)
        if (
            label is not None
            and count_words(plain[label.end() :]) >= _LEAST_WORDS
            and (not label["name"] or _is_of_outlet(label["name"], known))
        ):
            plain = plain[label.end() :]
        # The outlet's name, and a section beside that, at its end or beginning
        breaks = list(_ENDS.finditer(plain))
        if breaks:
            first, last = breaks[0], breaks[-1]
            for name, headline in (
                (plain[last.end() :], plain[: last.start()]),
                (plain[: first.start()], plain[first.end() :]),
            ):
                is_headline = count_words(headline) >= _LEAST_WORDS
                if is_headline and _is_of_outlet(name, known):
                    plain = headline.strip()
                    break
        if plain == title:
            return title
        title = plain


@lru_cache(maxsize=1)
def _label() -> re.Pattern[str]:
    bracketed = rf"[\[(【](?:{_LABELS})[\])】]\s*"
    return re.compile(
        rf"\W*(?:(?P<name>[^:：|｜–—]{{2,40}}?)['’]?s?\s+)?(?:{_LABELS}){_MARK}|{bracketed}",
        re.IGNORECASE,
    )


def _is_of_outlet(text: str, names: set[str]) -> bool:
    """Return whether a text is a name of the outlet, alone or with a few words of a section."""
    spelt = ""
    for place, word in enumerate(words := folded(text).split(), start=1):
        spelt += word
        if spelt in names:
            return len(words) - place <= _WORDS_BESIDE
    return False
