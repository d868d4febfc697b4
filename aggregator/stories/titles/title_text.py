"""Removes outlets, sections and labels from the sides of titles, and the mark of a later take from headlines.

A bar, dot or arrow may divide a headline from a label, or two facts from each other ("Dam of Tellin | Five dead"), and
the label may stand on either side. So a side is cut only if it is known to be a label, a section or an outlet.

Takes are successive reports of an agency or a live desk about one event, each replacing the report before. The headline
of a later take has a mark: "1st lead", "UPDATE 3", "(2nd take)", "WRAPUP 2", "Ld", "2. Zusammenfassung".
"""

import re
from functools import lru_cache

from aggregator.model.article import ArticleView
from aggregator.stories.lexicon import subject_key, words_of

TITLE_CHARS = 300  # longer titles are cut
NEWS_LABEL = re.compile(
    r"^\W*(?:breaking(?: news)?|exclusive|scoop)\s*(?::|[|–—-]\s)\s*", re.IGNORECASE
)
# A tail that may name the outlet: "Ferry sinks - Daily News", "Ferry sinks : NPR"
DASH_TAIL = re.compile(r"(?<!\s)\s++(?:[-–—]|:\s)\s*(?P<tail>[^-–—:]{1,40})$")
# Signs between a headline and a label, or between two facts; in quotations, "»" is a quotation mark.
_BAR = re.compile(r"(?<!\s)\s*+[|｜]\s*|(?<!\s)\s++[·•▸►→]\s+")
_BAR_OR_ARROW = re.compile(r"(?<!\s)\s*+[|｜]\s*|(?<!\s)\s++[·•▸►→»›]\s+")
NO_TITLE = re.compile(
    r"(?:404\W*)?(?:page )?not found\W*|access denied|home|news|[\W_]*|\d+[./]\d+[./]\d+",
    re.IGNORECASE,
)
# "Berg?s": an apostrophe that was lost when the text was converted
DAMAGED_APOSTROPHE = re.compile(r"(?<=\w)\?(?=(?:s|t|re|ve|ll|d|m)\b)")
# Agencies add such tails: "... -- 2nd Update"
ADDED_TAIL = re.compile(
    r"(?:(?<!\s)\s++-+ (?:\d\w\w )?update|(?<!\s)\s++(?:read more|listen\s?· ?\d+:\d\d)|"
    r"(?:(?<!\s)\s++)?\(\+?\s?(?:video|photos?|audio)\))$",
    re.IGNORECASE,
)


def clean_title(article: ArticleView) -> str:
    """Return the title of an article without labels, and without an outlet or section after a bar or dash."""
    return clean_title_text(article.title[:TITLE_CHARS], article.outlet)


@lru_cache(maxsize=2048)
def clean_title_text(title: str, outlet: str | None) -> str:
    """Return a title of at most `TITLE_CHARS` characters in its cleaned form; "" if it tells nothing."""
    title = DAMAGED_APOSTROPHE.sub("’", " ".join(title.split()))
    title = ADDED_TAIL.sub("", NEWS_LABEL.sub("", title)) or title
    is_quoting = "«" in title  # "Boll : « Nous restons » | Le Fanal"
    title = _without_labels(title, _BAR if is_quoting else _BAR_OR_ARROW, outlet)
    tail = DASH_TAIL.search(title)
    if tail and _is_outlet(tail["tail"].strip(), outlet):
        title = title[: tail.start()].strip() or title
    title = title.strip(" |·" if is_quoting else " |·»")
    return "" if NO_TITLE.fullmatch(title) else title


def _without_labels(title: str, bar: re.Pattern[str], outlet: str | None) -> str:
    """Return a title without labels, sections and outlets at its ends; one side always stays."""
    sides = bar.split(title)
    is_label = [
        not side or _is_label(side, outlet) or _is_outlet(side, outlet)
        for side in sides
    ]
    first, last = 0, len(sides) - 1
    while last > first and is_label[last]:
        last -= 1
    while first < last and is_label[first]:
        first += 1
    if (first, last) == (0, len(sides) - 1):
        return title
    begin = title.find(sides[first])
    return title[begin : title.rfind(sides[last]) + len(sides[last])]


def _is_label(side: str, outlet: str | None) -> bool:
    """Return whether a side is a label or section, or some of their words with the outlet's: "Kite Opinion"."""
    label = subject_key(side.strip(" :"))
    labels = words_of("labels")
    known = {*labels, *subject_key(outlet or "").split(), "&", "and", "the"}
    return label in labels or all(word in known for word in label.split())


def _is_outlet(tail: str, outlet: str | None) -> bool:
    folded, name = (
        re.sub(r"[^\w.]+", "", text.casefold()) for text in (tail, outlet or "")
    )
    name = name.removeprefix("www.")
    if folded and folded in (name, name.split(".")[0]):
        return True
    words = re.findall(r"[^\W\d_]+", tail)
    in_capitals = all(word[0].isupper() for word in words if len(word) > 3)
    return in_capitals and not words_of("outlet_words").isdisjoint(
        map(str.lower, words)
    )


_NUMBER = r"(?:\d{1,2}(?:st|nd|rd|th|\.|[eºªoa]|er|-[яйе])?)"
# The words that agencies and live desks put beside the number of a take, or instead of it (chosen).
_NUMBERED = """
lead|ld|take|update|updates|wrapup|wrap|writethru|refile|roundup|recast|rewrite|fassung|zusammenfassung|
meldung|aktualisierung|neufassung|prise|mise à jour|actualisation|synthèse|lead général|avance|actualización|
ampliación|ampl|resumen|despacho|aggiornamento|lancio|atualização|versão|aktualizacja|update'?s?|güncelleme|
обновление|дополнение|сводка|تحديث|报|報
""".replace("\n", "")
_ALONE = """
lead|ld|update|updates?|updated|wrapup|wrap|writethru|refile|recast|zusammenfassung|aktualisiert|neufassung|actualisé|
mise à jour|actualizado|actualización|ampliación|ampl\\.|aggiornato|aggiornamento|atualizado|atualizada|aktualizacja|
güncellendi|güncelleme|обновлено|дополнено|расширенная версия|محدث|更新|続報|续报
""".replace("\n", "")
_WORDS = (
    rf"(?:{_NUMBER}\s*+(?:-\s*+)?(?:{_NUMBERED})|(?:{_NUMBERED})\s*(?:no\.?\s*|nr\.?\s*|#)?{_NUMBER}"
    r"|第[\d一二三四五六七八九十]+[报報])"
)
_TAKE = re.compile(
    rf"^\W*(?:(?:RPT|REFILE|CORRECTED)\s*-\s*)?(?:{_WORDS}|{_ALONE})\s*+(?:[:：|/)\]】]|[-–—]++)\s*"
    rf"|(?:(?<!\s)\s++)?[(\[（【]\s*(?:{_WORDS}|{_ALONE})\s*[)\]）】]\s*"
    rf"|(?<![-–—|\s])\s*+[-–—|]++\s*+(?:{_WORDS}|{_ALONE})\W*+$"
    rf"|^{_NUMBER}\s*+(?:-\s*+)?(?:lead|ld)\s+",
    re.IGNORECASE,
)


def take_title(title: str) -> str | None:
    """Return the headline of a later take without its mark; None if it has no mark, or nothing else."""
    plain = _TAKE.sub(" ", title).strip()
    return plain if plain and plain != title.strip() else None
