"""Look-alikes among headlines: what is objected to, what is not, and what an objection costs."""

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.vetoes.headline_tokens import lists_hash
from aggregator.cluster.vetoes.vetoes import VetoInput, VetoTuning, objection, objections
from aggregator.config.tuning import Tuning

TUNING = Tuning().section("vetoes", VetoTuning)
DAY = 24 * 60
NOON = 29_000_000


def test_the_rules_name_the_word_lists_they_were_measured_with() -> None:
    assert TUNING.word_lists == lists_hash(), "put it into config/tuning.yaml: vetoes: word_lists"


def veto_input(title: str, lead: str = "", **more: object) -> VetoInput:
    values: dict[str, object] = {"language": "en", "minutes": NOON, "bodyless": not lead, **more}
    return msgspec.convert({"title": title, "lead": lead, **values}, VetoInput)


def kind(left: str, right: str, **more: object) -> str | None:
    return objection(veto_input(left, **more), veto_input(right, **more), TUNING)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("Ministers agree 12th package of cuts", "Ministers agree 13th package of cuts", "row"),
        ("Harbour opens to ferries on Monday", "Harbour opens to ferries on Friday", "day"),
        ("Magnitude 6.1 earthquake hits Ellory", "Magnitude 7.4 earthquake hits Ellory", "figure"),
        ("Marlow beat Ellory 2-1 in cup final", "Marlow beat Ellory 4-0 in cup final", "score"),
        ("Man found dead in Marlow", "Man found dead in Ellory", "name"),
        ("Council holds water rates", "Council cuts water rates", "deed"),
        ("Marlow Transit sues Ellory Ferries", "Ellory Ferries sues Marlow Transit", "actors"),
        ("Opinion | The harbour needs trees", "Opinion | Why tolls work", "series"),
        ("Grain slips in Ellory - The Marlow Times", "Mayor quits - The Marlow Times", "series"),
        ("Grocer recalls hummus over glass", "Grocer recalls yoghurt over glass", "object"),
        ("Linux 6.11 Released With Quilt Support", "The new features of Linux 6.12", "version"),
    ],
)
def test_one_build_two_events(left: str, right: str, expected: str) -> None:
    assert kind(left, right) == expected
    assert kind(right, left) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ministers agree 12th package of cuts", "Ministers agree twelfth package of cuts"),
        ("Seven dead as bus leaves road near Marlow", "Nine dead as bus leaves road near Marlow"),
        ("Marlow win 3-1 against Ellory", "Ellory lose 1-3 against Marlow"),
        ("Mayor of Marlow meets Calloway", "Calloway meets Mayor of Marlow"),
        ("Court Upholds Ban on Ellory Mine", "Court upholds ban on Ellory mine"),
        ("Blast in Kyiv kills three", "Blast in Ukraine kills three"),
        ("Harbour talks resume - Reuters", "Harbour talks resume - The Marlow Times"),
        ("Marlow storm: roofs torn off", "Marlow storm: ferries cancelled"),
        ("Linux 6.12 released", "Linux 6.12.0 is out"),
        ("Quilt 4.5 or 5.0 comes in autumn", "Quilt 5.0 is expected in autumn"),
    ],
)
def test_one_event_in_other_words(left: str, right: str) -> None:
    assert kind(left, right) is None


@pytest.mark.parametrize(
    ("titles", "lead"),
    [
        (
            ("Ministers agree 12th package of cuts", "Ministers agree 13th package of cuts"),
            "A week after the twelfth package ministers agreed on a thirteenth, the mayor said on Friday.",
        ),
        (
            ("Man found dead in Marlow", "Man found dead in Ellory"),
            "A man was found dead in Ellory, a part of the town of Marlow, on Friday, the police said.",
        ),
        (
            ("Council holds water rates", "Council cuts water rates"),
            "The council, which had cut and then held the rates, said on Friday that nothing would change.",
        ),
    ],
)
def test_a_lead_that_has_the_others_value_answers_the_objection(titles: tuple[str, str], lead: str) -> None:
    one, other = (veto_input(title) for title in titles)
    assert objection(one, other, TUNING) is not None
    for left, right in ((0, 1), (1, 0)):
        assert objection(veto_input(titles[left], lead), veto_input(titles[right], lead), TUNING) is None


def test_daily_reports_of_two_days_are_two_and_of_one_day_are_one() -> None:
    first = veto_input("Marlow shares close higher as banks gain")
    title = "Marlow shares close higher as oil firms gain"
    assert objection(first, veto_input(title, minutes=NOON + DAY), TUNING) == "daily"
    assert objection(first, veto_input(title, minutes=NOON + 60), TUNING) is None
    assert objection(first, veto_input(title, minutes=None), TUNING) is None


@pytest.mark.parametrize(
    ("language", "left", "right", "expected"),
    [
        ("en", "Magazine printables - February 27, 2026", "All of Marlow today - February 17, 2026", "date"),
        ("en", "Ferries to watch in 2026", "Harbour budget 2026", "date"),
        ("en", "Harbour budget, February 2026", "Council passes the harbour budget, February 2026", None),
        ("en", "Ferries to watch", "Harbour budget", None),  # nothing is shared: the score sees that
        ("de", "Termine im Februar 2026", "Haushalt: was der Februar bringt", "date"),
        ("ru", "Афиша на февраль 2026", "Погода: февраль 2026", "date"),
    ],
)
def test_a_month_or_a_year_is_nothing_that_bare_headlines_share(
    language: str, left: str, right: str, expected: str | None
) -> None:
    assert kind(left, right, language=language) == kind(right, left, language=language) == expected
    report = veto_input(left, "A text of its own.", language=language)
    assert objection(report, veto_input(right, "Another text.", language=language), TUNING) is None


LEVEE = "Levee breaks at Pennmouth, four dead"
LEVEE_LEAD = (
    "The levee at Pennmouth broke shortly before ten on Sunday evening. Four people are dead, the mayor said,"
    " and eleven were pulled from roofs. The breach is ninety metres wide."
)
MATTRESSES = (
    "Sleep better from tonight: our summer sale has mattresses in every size, with free delivery and a"
    " hundred nights to try them. Order before Friday and get two pillows."
)
WITHOUT_THE_HEADLINE = (
    "Sunday evening, shortly before ten, the mayor was told of the breach of ninety metres. Eleven people"
    " were pulled from roofs in the dark, by neighbours in boats."
)


@pytest.mark.parametrize(
    ("title", "lead", "expected"),
    [
        (LEVEE, MATTRESSES, "text"),
        ("Four dead as levee breaks at Pennmouth", MATTRESSES, "text"),
        (LEVEE, LEVEE_LEAD.replace("shortly before ten", "late"), None),
        (LEVEE, WITHOUT_THE_HEADLINE, None),  # but it shares words with the other text
        ("Summer sale: mattresses at half price", MATTRESSES, None),  # no headline of the report
        (LEVEE, "Read more in the app.", None),  # too short to tell
        ("Levee breaks", MATTRESSES, None),  # so are two words
    ],
)
def test_another_text_under_the_headline_of_a_report_is_objected_to(
    title: str, lead: str, expected: str | None
) -> None:
    report, other = veto_input(LEVEE, LEVEE_LEAD), veto_input(title, lead)
    assert objection(report, other, TUNING) == objection(other, report, TUNING) == expected


@pytest.mark.parametrize(
    ("language", "title", "lead", "advertisement"),
    [
        (
            "de",
            "Deich in Pennmünde gebrochen, vier Tote",
            "Der Deich in Pennmünde ist am Sonntagabend gebrochen. Vier Menschen sind tot, elf wurden von"
            " Dächern gerettet, wie die Bürgermeisterin in der Nacht sagte.",
            "Besser schlafen ab heute: Matratzen in allen Größen im Sommerverkauf, mit freier Lieferung und"
            " hundert Nächten zum Ausprobieren. Wer bis Freitag bestellt, bekommt zwei Kissen dazu.",
        ),
        (
            "ru",
            "Прорыв дамбы в Пеннмуте: четверо погибших",
            "Дамбу в Пеннмуте прорвало в воскресенье вечером. Погибли четыре человека, одиннадцать сняли с"
            " крыш, сообщила мэр города ночью журналистам.",
            "Спите лучше уже сегодня: летняя распродажа матрасов любых размеров с бесплатной доставкой и"
            " сотней ночей на пробу. Закажите до пятницы и получите две подушки в подарок.",
        ),
    ],
)
def test_another_text_is_recognised_in_other_languages(
    language: str, title: str, lead: str, advertisement: str
) -> None:
    report = veto_input(title, lead, language=language)
    assert objection(report, veto_input(title, advertisement, language=language), TUNING) == "text"
    assert objection(report, veto_input(title, lead + " 1.", language=language), TUNING) is None


def test_an_outlet_of_any_name_wraps_its_own_titles() -> None:
    left, right = "Grain slips into harbour | Quay", "Mayor quits over tram | Quay"
    assert kind(left, right) is None
    assert kind(left, right, outlet="Quay") == "series"


def test_articles_in_two_languages_are_never_compared() -> None:
    left, right = (
        veto_input("Man found dead in Marlow"),
        veto_input("Man found dead in Ellory", language="nl"),
    )
    assert objection(left, right, TUNING) is None


def test_without_a_language_capitals_tell_no_names() -> None:
    assert kind("Brand in Altenheim in Marlow", "Brand in Altenheim in Ellory", language=None) is None
    assert kind("Brand in Altenheim in Marlow", "Brand in Altenheim in Ellory", language="de") == "name"


def test_the_share_is_a_mean_in_which_those_who_cannot_tell_count_less() -> None:
    newcomer = veto_input("Man found dead in Marlow")
    against = veto_input("Man found dead in Ellory")
    agrees = veto_input("Man found dead in Marlow quarry")
    other_words = veto_input("Murder inquiry opened after discovery near the old lime works")
    (alone,) = objections(newcomer, [against], TUNING)
    assert (alone.name, alone.value, alone.share) == ("veto:name", 1.0, -TUNING.headline_logits)
    (half,) = objections(newcomer, [agrees, against], TUNING)
    assert (half.value, half.share) == (0.5, -TUNING.headline_logits / 2)
    (most,) = objections(newcomer, [against, other_words], TUNING)
    assert most.value == 0.5
    assert most.share == -TUNING.headline_logits / (1 + TUNING.undecided_weight)
    assert objections(newcomer, [agrees, other_words], TUNING) == ()
    assert objections(newcomer, [], TUNING) == ()


def test_between_two_texts_an_objection_weighs_less() -> None:
    words = "The police said on Friday that they had opened an inquiry and asked for witnesses to call them."
    (reason,) = objections(
        veto_input("Man found dead in Marlow", words), [veto_input("Man found dead in Ellory", words)], TUNING
    )
    assert reason.share == -TUNING.text_logits > -TUNING.headline_logits


def test_the_order_of_a_storys_reports_changes_nothing() -> None:
    newcomer = veto_input("Ministers agree 12th package of cuts")
    others = [
        veto_input("Ministers agree 13th package of cuts"),
        veto_input("Ministers agree 13th package of cuts", "A text of some words about cuts in the harbour."),
        veto_input("Cuts again, says mayor"),
    ]
    found = {objections(newcomer, order, TUNING) for order in itertools.permutations(others)}
    assert len(found) == 1


VOCABULARY = """
    Marlow Ellory beat beats 2-1 12th 13th first second Monday June 3 4.2 magnitude rises falls of in the
    Opinion | : - Reuters Times $80 oil , ( 24 ) 欧 盟 第 十 二 轮 三 اليوم الثانية
"""
WORDS = st.sampled_from(VOCABULARY.split())
TITLES = st.lists(WORDS, max_size=50).map(" ".join) | st.text(max_size=120)
LANGUAGES = st.sampled_from(
    ["en", "de", "fr", "es", "it", "pt", "nl", "ru", "ar", "zh", "ja", "tr", "en-GB", None]
)


@pytest.mark.slow
@given(TITLES, TITLES, st.just("") | TITLES, LANGUAGES, st.integers(0, 3 * DAY))
@settings(max_examples=300, deadline=None)
def test_any_two_titles_get_an_answer_that_is_symmetric(
    left: str, right: str, lead: str, language: str | None, apart: int
) -> None:
    one = veto_input(left, lead, language=language)
    other = veto_input(right, language=language, minutes=NOON + apart)
    assert objection(one, other, TUNING) == objection(other, one, TUNING)
    for reason in objections(one, [other, one], TUNING):
        assert reason.name.startswith("veto:")
        assert -TUNING.headline_logits <= reason.share < 0


@given(TITLES, LANGUAGES)
@settings(max_examples=200, deadline=None)
def test_nothing_speaks_against_the_same_headline_at_the_same_time(title: str, language: str | None) -> None:
    one = veto_input(title, language=language)
    assert objection(one, veto_input(title, language=language), TUNING) is None
