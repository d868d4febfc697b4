"""What counts as a change of a response: everything but the stamps around the items of a feed."""

from aggregator.intake.polling.response_hash import hash_response
from tests.support.tables import each_row

TIMES = ("Fri, 20 Nov 2026 10:00:00 GMT", "Fri, 20 Nov 2026 11:00:00 GMT")


def hashes(form: str) -> set[bytes]:
    return {hash_response(form.format(time).encode()) for time in TIMES}


@each_row("response_hash", "a stamp around the items does not count", "form")
def test_a_stamp_around_the_items_does_not_count(form: str) -> None:
    assert len(hashes(form)) == 1


@each_row("response_hash", "anything else counts", "form")
def test_anything_else_counts(form: str) -> None:
    assert len(hashes(form)) == 2
