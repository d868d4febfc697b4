"""Which single-byte charset unlabelled bytes are in, told by the alphabets of languages.

Read by the right charset, the letters beyond ASCII in a text all belong to the alphabet of one language; read
by a wrong one they are of no language ("forêts" in no alphabet is "foręts", but "pøi" in Czech is "při").
"""

import unicodedata
from collections.abc import Sequence

_WESTERN = (
    "äöüß", "éèêëàâçîïôùûüœæ", "áéíóúñüªº", "ãõáéíóúâêôçàüªº", "àèéìîòóù", "æøåéèêóòôü", "åäöéü",
    "áéíóúýþæöð", "ëéïóöüèáê", "àçèéíïòóúü·", "áéíóú", "ëç",
)  # fmt: skip
_CENTRAL = (
    "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž",
)  # fmt: skip
_CYRILLIC = (
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
)
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",)
# In the order of preference; a later one must fit better by the given share of the letters.
_CANDIDATES = (
    ("cp1252", _WESTERN, 0.0),
    ("cp1250", _CENTRAL, 0.1),
    ("iso8859-2", _CENTRAL, 0.1),
    ("cp1254", ("çğıöşüâîûi\u0307",), 0.1),
    ("cp1257", ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"), 0.1),
    ("cp1251", _CYRILLIC, 0.1),
    ("koi8-u", _CYRILLIC, 0.02),  # the same letters, capital and small exchanged
    ("cp866", _CYRILLIC, 0.02),
    ("cp1253", _GREEK, 0.02),  # its accented letters are capitals in Cyrillic
    ("mac-roman", _WESTERN, 0.1),
)
_FITS = 0.85  # of the letters must belong to the alphabet; quoted foreign names leave some out
_SYMBOLS = ("So", "Sm", "Sk", "No", "Sc")
_BESIDE_WORDS = frozenset("™®°²")


def charset_by_alphabet(data: bytes) -> str | None:
    """The charset in which the words of `data` are spelt with one language's letters; None when in none.

    Text without such letters (only dashes and quotation marks beyond ASCII) is Windows-1252.
    """
    best, best_fit = None, 0.0
    for codec, alphabets, better_by in _CANDIDATES:
        letters, misplaced = _letters(data.decode(codec, "replace"))
        if not letters:
            if codec == "cp1252":
                return codec
            continue
        known = max(sum(char in alphabet for char in letters) for alphabet in alphabets)
        fit = (known - misplaced) / len(letters)
        if fit > best_fit + (better_by if best else 0.0):
            best, best_fit = codec, fit
    return best if best_fit >= _FITS else None


def _letters(text: str) -> tuple[Sequence[str], int]:
    """Characters beyond ASCII that stand in words, in lower case; how many are capitals inside words."""
    found: list[str] = []
    misplaced = 0
    padded = f" {text} "
    for number, char in enumerate(text):
        before, after = padded[number], padded[number + 2]
        if char > "\x7f" and (char.isalpha() or _stands_for_a_letter(char, before, after)):
            found.append(char.lower())
            is_inside = before.islower() or (before > "\x7f" and before.isalpha())
            misplaced += char.isupper() and is_inside
    return found, misplaced


def _stands_for_a_letter(char: str, before: str, after: str) -> bool:
    """A symbol that touches a word ("s¹", "©umava"): a letter, read by the wrong charset."""
    if unicodedata.category(char) not in _SYMBOLS:
        return False
    return char not in _BESIDE_WORDS and (after.isalpha() or before.isalpha()) and not after.isdigit()
