"""Progress of a command in a log: lines instead of a bar."""

import time

import pytest

from aggregator.cli import output


@pytest.mark.parametrize("total", [None, 400])
def test_counted_work_is_shown_with_or_without_a_total(
    total: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with output.progress_bar("rows", total, every=0.005) as advance:
        time.sleep(0.01)
        advance(100)
    shown = capsys.readouterr().err
    assert shown.startswith("100 rows, ")
    assert ("25 % of 400" in shown) == (total is not None)


def test_reading_is_shown_in_bytes_as_soon_as_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    with output.reading_progress(every=0.005) as report:
        for read_bytes, total in ((0, None), (2**20, 2**22)):
            time.sleep(0.01)
            report(7, read_bytes, total)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("7 read, ")
    assert "%" not in first
    assert "25 % of 4.0 MiB, about 0 s left" in second


def test_a_command_may_have_an_interval_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for every, expected in ((0.005, 2), (3600.0, 0), (None, 0)):
        with output.progress_bar("placed", 4, every=every) as advance:
            for _ in range(2):
                time.sleep(0.01)
                advance(1)
        assert len(capsys.readouterr().err.splitlines()) == expected
