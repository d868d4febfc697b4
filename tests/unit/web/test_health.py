"""What the health endpoints ask of a database that does not answer."""

import asyncio
import gc
from threading import Event
from typing import Any

import pytest

from aggregator.model.errors import AggregatorError
from aggregator.web.probes import BoundedCall, NoAnswerError


@pytest.mark.later
def test_a_call_that_fails_after_its_timeout_is_no_error_of_its_own() -> None:
    """asyncio logs an exception that nobody took, with its traceback, when its future is collected."""
    logged: list[dict[str, Any]] = []

    async def ask() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: logged.append(context)
        )
        released = Event()

        def late() -> None:
            released.wait()
            raise AggregatorError("the database does not answer")

        with pytest.raises(NoAnswerError):
            await BoundedCall(0.01).run(late)
        released.set()
        await asyncio.sleep(0.1)  # until the thread has reported to the loop
        gc.collect()

    asyncio.run(ask())
    assert logged == []
