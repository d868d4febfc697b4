"""Takes: successive reports of an agency or a live desk about one event, each replacing the report before.

The headline of a later take has a mark: "1st lead", "UPDATE 3", "(2nd take)", "WRAPUP 2", "Ld", "2. Zusammenfassung".
"""

import re

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
    rf"(?:{_NUMBER}\s*-?\s*(?:{_NUMBERED})|(?:{_NUMBERED})\s*(?:no\.?\s*|nr\.?\s*|#)?{_NUMBER}"
    r"|第[\d一二三四五六七八九十]+[报報])"
)
_TAKE = re.compile(
    rf"^\W*(?:(?:RPT|REFILE|CORRECTED)\s*-\s*)?(?:{_WORDS}|{_ALONE})\s*+(?:[:：|/)\]】]|[-–—]++)\s*"
    rf"|\s*[(\[（【]\s*(?:{_WORDS}|{_ALONE})\s*[)\]）】]\s*"
    rf"|(?<![-–—|\s])\s*+[-–—|]++\s*+(?:{_WORDS}|{_ALONE})\W*+$"
    rf"|^{_NUMBER}\s*-?\s*(?:lead|ld)\s+",
    re.IGNORECASE,
)


def take_title(title: str) -> str | None:
    """Return the headline of a later take without its mark; None for a headline without a mark."""
    plain = _TAKE.sub(" ", title).strip()
    return plain if plain and plain != title.strip() else None
