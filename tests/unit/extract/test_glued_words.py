"""Lists of links leave the middle of sentences, and sentences stand apart."""

import pytest

from aggregator.extract.plain.glued_words import with_spaces, without_link_lists


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            "Rep. Ann Berg Ann Marie BergSenate rejects bill Harbour opens again MORE (D) said no.",
            "Rep. Ann Berg (D) said no.",
        ),
        ("Mayor Boll Emrys (Em) BollBoll calls vote MORE left.", "Mayor Boll left."),
        ("Speaker Paul Boll Paul Davis Boll Retirees say no MORE (R) failed.", "Speaker Paul Boll (R) failed."),
        ("Ada Berg, Stephen BollStephen BollCourt leans to it MORE agreed.", "Ada Berg, Stephen Boll agreed."),
        ("Emrys Boll Emrys BollMORE left.", "Emrys Boll left."),
        ("He had no funds. (RELATED: Mayor Resigns Over Bridge)", "He had no funds."),
        ("Countries must pay MORE, the mayor wrote.", "Countries must pay MORE, the mayor wrote."),
        ("Ann Berg met Ann Berg’s sister in Tarnow.", "Ann Berg met Ann Berg’s sister in Tarnow."),
    ],
)  # fmt: skip
def test_a_list_of_links_leaves_the_sentence(text: str, plain: str) -> None:
    assert without_link_lists(text) == plain


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("It had no signs of a conflict.Yet he said so.", "It had no signs of a conflict. Yet he said so."),
        ("“They are cherished.”The mayor agreed.", "“They are cherished.” The mayor agreed."),
        ("It was closed in 2012.In May it opened.", "It was closed in 2012. In May it opened."),
        ("They use Booking.Com and Data.Set there.", "They use Booking.Com and Data.Set there."),
        ("He came. She left.", "He came. She left."),
        ("It was cheap. image captionBoris Boll took it.", "It was cheap.\nimage caption Boris Boll took it."),
        ("Boys walk. (Photo: Ann Lee, Kite) A group left.", "Boys walk. (Photo: Ann Lee, Kite)\nA group left."),
    ],
)  # fmt: skip
def test_a_space_stands_between_sentences(text: str, apart: str) -> None:
    assert with_spaces(text) == apart
