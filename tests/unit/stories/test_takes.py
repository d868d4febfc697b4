"""Takes: headlines that say that an outlet's report replaces the one before."""

import pytest

from aggregator.stories.titles.title_text import take_title


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("UPDATE 3-Oil falls on demand fears", "Oil falls on demand fears"),
        ("WRAPUP 2-Fed holds rates", "Fed holds rates"),
        ("RPT-UPDATE 1-Oil falls", "Oil falls"),
        ("1st lead: Quake hits Morn", "Quake hits Morn"),
        ("3rd LEAD Quake kills nine in Morn", "Quake kills nine in Morn"),
        ("Quake hits Morn (2nd take)", "Quake hits Morn"),
        ("Quake hits Morn - 2nd Ld", "Quake hits Morn"),
        ("Ld: Quake hits Morn", "Quake hits Morn"),
        ("ROUNDUP 2: Beben in Morn", "Beben in Morn"),
        ("2. Zusammenfassung: Beben in Morn", "Beben in Morn"),
        ("Séisme à Morn (actualisé)", "Séisme à Morn"),
        ("(AMPLIACIÓN) Terremoto en Morn", "Terremoto en Morn"),
        ("Землетрясение (обновлено)", "Землетрясение"),
        ("第二報：地震", "地震"),
        ("地震（更新）", "地震"),
    ],
)
def test_a_later_take_has_a_mark_at_either_end(title: str, plain: str) -> None:
    assert take_title(title) == plain


@pytest.mark.parametrize(
    "title",
    [
        "Update your phone now",
        "Lead in water of Flint",
        "Windows 11 update 2 released",
        "2nd update to iOS released",
        "iOS update 3: what is new",
        "New 3 rules for ferries",
        "UPDATE 3-",
        "Quake hits Morn",
        "",
    ],
)
def test_words_of_a_headline_are_no_mark(title: str) -> None:
    assert take_title(title) is None
