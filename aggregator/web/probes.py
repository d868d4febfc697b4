"""The health of the daemon: `/healthz` and `/readyz` for probes, `/status`, and `/metrics`.

They wait for the database for a limited time, in threads of their own, so that a response comes in time even if the
database hangs. Only the owner sees names of files, hosts and sources.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import Request, Response
from msgspec.structs import replace

from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import (
    BackupState,
    HealthReport,
    HealthSnapshot,
    HealthStatus,
)
from aggregator.model.read_model import DatabaseHealth
from aggregator.model.structs import FrozenStruct
from aggregator.store.read.health.health_probes import of_process
from aggregator.web.api.openapi import answer, api_router, describe_route
from aggregator.web.dependencies import of_app
from aggregator.web.health.monitor import PROBE_SECONDS, HealthMonitor
from aggregator.web.pages.pages import Pages
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.visit import is_owner

# Results for metrics and status are reused for this long (chosen).
_CACHE_SECONDS = 5.0

Result = TypeVar("Result")

# This many calls may hang. Further calls wait for a thread until their timeout.
_THREADS = 3


class NoAnswerError(AggregatorError):
    """The call did not return within its timeout."""


class BoundedCall:
    """Runs a blocking function with a timeout, not in the threads that answer requests."""

    def __init__(self, timeout_seconds: float, what: str = "the database") -> None:
        """`what` is the subject of the error message."""
        self._timeout = timeout_seconds
        self._what = what
        self._threads = CapacityLimiter(_THREADS)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return the result of `function`. Raises its exception, and NoAnswerError after the timeout."""
        try:
            with fail_after(self._timeout):
                return await to_thread.run_sync(
                    function, abandon_on_cancel=True, limiter=self._threads
                )
        except TimeoutError as error:
            raise NoAnswerError(
                f"{self._what} did not answer within {self._timeout:g} s"
            ) from error


# Longer than a write takes on a slow disk, and too short for a probe to be late (chosen)
_WRITE_SECONDS = 0.25

HEALTHZ, READYZ, STATUS, METRICS = "/healthz", "/readyz", "/status", "/metrics"


class HealthJson(FrozenStruct):
    """The health of the daemon. `waiting` counts articles not yet placed; `problems` are for the owner.

    `waiting` is null if the database does not answer.
    """

    status: HealthStatus
    writable: bool
    waiting: int | None
    last_placed: datetime | None
    problem_count: int
    problems: tuple[str, ...] | None


class ReadyJson(FrozenStruct):
    """Whether requests should be sent here. `role`: writer or standby."""

    ready: bool
    status: HealthStatus
    role: str
    problem_count: int
    problems: tuple[str, ...] | None


router = api_router()
watched = api_router()


class Probes:
    """The calls behind these routes, of one application."""

    def __init__(self, site: Pages, watch: HealthMonitor) -> None:
        self.site = site
        self.watch = watch
        self.state = BoundedCall(PROBE_SECONDS)
        self._database = BoundedCall(PROBE_SECONDS)
        self._write = BoundedCall(_WRITE_SECONDS)
        self._backup_folder = BoundedCall(PROBE_SECONDS, "the backup folder")
        self._last: HealthSnapshot | None = None

    async def report(self, *, fresh: bool = False) -> HealthReport:
        """Return the report of the daemon; see `snapshot`."""
        return self.watch.condition(await self.snapshot(fresh=fresh))

    async def snapshot(self, *, fresh: bool = False) -> HealthSnapshot | None:
        """Return a recent snapshot, or a new one if `fresh`; None if the database does not answer in time."""
        last = self._last
        age = -1.0 if last is None else (self.site.clock() - last.at).total_seconds()
        if not fresh and 0 <= age < _CACHE_SECONDS:
            return last
        await self.write()
        try:  # concurrently, because each may take the whole timeout
            snapshot, backup = await asyncio.gather(
                self._database.run(self.watch.snapshot), self._backups()
            )
        except AggregatorError:
            self._last = None
        else:
            self._last = replace(snapshot, backup=backup)
        return self._last

    async def write(self) -> None:
        """Let the database write a row if it has not written lately; wait only briefly, as others may be writing."""
        with suppress(AggregatorError):
            await self._write.run(self.watch.database.probe_write)

    async def _backups(self) -> BackupState:
        try:
            return await self._backup_folder.run(self.watch.backups)
        except AggregatorError as error:
            return BackupState(words=str(error))


OfProbes = Annotated[Probes, of_app("probes")]


@router.get(
    HEALTHZ,
    **describe_route("health", {status: answer(HealthJson) for status in (200, 503)}),
)
async def health(request: Request, probes: OfProbes) -> Response:
    """Whether articles can be accepted.

    503 if not, or if the database does not answer. `problems` are for the owner.
    """
    await probes.write()
    try:
        state = await probes.state.run(probes.site.reader.state)
    except AggregatorError as error:
        state = DatabaseHealth(writable=False, waiting=None, problems=(str(error),))
    process = probes.watch.process()
    problems = (*(p.what for p in of_process(process)), *state.problems)
    body = HealthJson(
        status="down" if not state.writable else "degraded" if problems else "ok",
        writable=state.writable,
        waiting=state.waiting,
        last_placed=state.last_placed,
        problem_count=len(problems),
        problems=problems if is_owner(request) else None,
    )
    return JsonResponse(body, 503 if not state.writable or process.stalled else 200)


@watched.get(
    READYZ,
    **describe_route("health", {status: answer(ReadyJson) for status in (200, 503)}),
)
async def ready(request: Request, probes: OfProbes) -> Response:
    """Whether requests should be sent here.

    503 while the daemon starts, if the database does not answer or has another version, and if a part of the
    daemon makes no progress. A standby is ready, too: it serves every request and passes corrections to the
    writer.
    """
    report = await probes.report(fresh=True)
    body = ReadyJson(
        ready=report.ready,
        status=report.status,
        role=report.role,
        problem_count=len(report.problems),
        problems=report.problems if is_owner(request) else None,
    )
    return JsonResponse(body, 200 if report.ready else 503)


@watched.get(STATUS, include_in_schema=False)
async def status(request: Request, probes: OfProbes) -> Response:
    """The health report: a page for browsers, JSON for other clients."""
    _require_owner(request)
    report = await probes.report()
    code = 503 if report.status == "down" else 200
    if "text/html" not in request.headers.get("accept", ""):
        return JsonResponse(report, code)
    return probes.site.page(request, "status.html", code, here=STATUS, report=report)


@watched.get(METRICS, include_in_schema=False)
async def metrics(request: Request, probes: OfProbes) -> Response:
    """The metrics for Prometheus."""
    _require_owner(request)
    snapshot = await probes.snapshot()
    body, kind = probes.watch.metrics(snapshot, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": kind})


def _require_owner(request: Request) -> None:
    if not is_owner(request):
        raise RefusedError(
            403,
            "only the owner may read this: send a token of scope read, or a request from this machine "
            "without a proxy",
        )
