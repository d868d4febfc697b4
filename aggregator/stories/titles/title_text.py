"""Removes the name of the outlet and its section from titles, and the mark of a later take from headlines.

Takes are successive reports of an agency or a live desk about one event, each replacing the report before. The headline
of a later take has a mark: "1st lead", "UPDATE 3", "(2nd take)", "WRAPUP 2", "Ld", "2. Zusammenfassung".
"""

import re
from functools import lru_cache

from aggregator.model.article import ArticleView
from aggregator.stories.lexicon import words_of

TITLE_CHARS = 300  # longer titles are cut
NEWS_LABEL = re.compile(
    r"^\W*(?:breaking(?: news)?|exclusive|scoop)\s*(?::|[|–—-]\s)\s*", re.IGNORECASE
)
# A tail that may name the outlet: "Ferry sinks - Daily News", "Ferry sinks : NPR"
DASH_TAIL = re.compile(r"(?<!\s)\s++(?:[-–—]|:\s)\s*(?P<tail>[^-–—:]{1,40})$")
NO_TITLE = re.compile(
    r"(?:404\W*)?(?:page )?not found\W*|access denied|home|news|[\W_]*|\d+[./]\d+[./]\d+",
    re.IGNORECASE,
)
# "Berg?s": an apostrophe that was lost when the text was converted
DAMAGED_APOSTROPHE = re.compile(r"(?<=\w)\?(?=(?:s|t|re|ve|ll|d|m)\b)")
# Agencies add such tails: "... -- 2nd Update"
ADDED_TAIL = re.compile(
    r"(?:(?<!\s)\s++-+ (?:\d\w\w )?update|(?:(?<!\s)\s++)?\(\+?\s?(?:video|photos?|audio)\))$",
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
    marks = "|·" if "«" in title else "|·»"  # "Boll : « Nous restons » | Le Fanal"
    cut_tail = re.compile(rf"\s*[{marks}]\s*[^{marks}]{{0,40}}$")
    while (cut := cut_tail.search(title)) and title[: cut.start()].strip():
        title = title[: cut.start()]
    tail = DASH_TAIL.search(title)
    if tail and _is_outlet(tail["tail"].strip(), outlet):
        title = title[: tail.start()].strip() or title
    title = title.strip(f" {marks}")
    return "" if NO_TITLE.fullmatch(title) else title


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
