"""The health of the daemon: `/healthz` and `/readyz` for probes, `/status`, and `/metrics`.

Each waits for the database for a limited time, in threads of its own, so that a response comes in time even
if the database hangs. Names of files, hosts and sources are shown to the owner only.
"""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, Any, Literal, Protocol, TypeVar

import msgspec
from fastapi import Request, Response

from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import (
    BackupState,
    HealthCheckTuning,
    HealthReport,
    HealthSnapshot,
    ProcessState,
)
from aggregator.store.read.health_probes import of_process
from aggregator.web.api.openapi import answer, api_router, described, schema_of
from aggregator.web.dependencies import Site, of_app
from aggregator.web.pages.pages import Pages
from aggregator.web.responses import PROBLEM_JSON, JsonResponse, Problem, RefusedError
from aggregator.web.security.middleware import is_owner

_CACHE_SECONDS = 5.0  # that results for metrics and status are reused (chosen)

Result = TypeVar("Result")

_STUCK = 5  # times the timeout; a call that runs longer is abandoned and repeated ...
_THREADS = 3  # ... unless so many calls are still running


class NoAnswerError(AggregatorError):
    """The call did not return within its timeout."""


class BoundedCall:
    """Runs a blocking function with a timeout, in a thread of its own.

    It therefore also works if all threads of the server's pool hang. Concurrent callers share one call. For
    one event loop.
    """

    def __init__(self, timeout_seconds: float, what: str = "the database") -> None:
        """`what` is the subject of the error message."""
        self._timeout = timeout_seconds
        self._what = what
        self._calls: list[tuple[float, Future[Any]]] = []  # under way, and when they began (monotonic)

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return the result of `function`. Raises its exception, and NoAnswerError after the timeout."""
        no_answer = NoAnswerError(f"{self._what} did not answer within {self._timeout:g} s")
        now = time.monotonic()
        self._calls = [(began, call) for began, call in self._calls if not call.done()]
        if not self._calls or now - self._calls[-1][0] > _STUCK * self._timeout:
            if len(self._calls) >= _THREADS:
                raise no_answer
            self._calls.append((now, _in_thread(function, asyncio.get_running_loop())))
        call: asyncio.Future[Result] = asyncio.wrap_future(self._calls[-1][1])
        # A call that nobody waits for any more may fail as well; asyncio would log that as never retrieved.
        call.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(call)
        except TimeoutError as error:
            raise no_answer from error


def _in_thread(function: Callable[[], Result], loop: asyncio.AbstractEventLoop) -> Future[Result]:
    future: Future[Result] = Future()

    def work() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - passed to the waiting callers
            if not loop.is_closed():  # else the server stopped meanwhile
                future.set_exception(error)
        else:
            if not loop.is_closed():
                future.set_result(result)

    threading.Thread(target=work, name="probe", daemon=True).start()
    return future


PROBE_SECONDS = 2.0  # the timeout without a HealthSource
HEALTHZ, READYZ, STATUS, METRICS = "/healthz", "/readyz", "/status", "/metrics"


class HealthSource(Protocol):
    """The health of the daemon. `snapshot` and `backups` may hang; all other methods return immediately."""

    @property
    def tuning(self) -> HealthCheckTuning:
        """How long `snapshot` and `backups` may take, and how long a snapshot may be reused."""
        ...

    def snapshot(self) -> HealthSnapshot:
        """Read the database. Raises AggregatorError."""
        ...

    def backups(self) -> BackupState:
        """Read the backup folder. Raises AggregatorError."""
        ...

    def process(self) -> ProcessState:
        """Return the state of the process."""
        ...

    def condition(self, snapshot: HealthSnapshot | None) -> HealthReport:
        """Return the health report; `snapshot` is None if the database did not answer."""
        ...

    def metrics(self, snapshot: HealthSnapshot | None, accept: str) -> tuple[bytes, str]:
        """Return the metrics for Prometheus and their content type."""
        ...


class HealthJson(msgspec.Struct, frozen=True, kw_only=True):
    """The health of the daemon. `waiting` counts articles not yet placed; `problems` are for the owner."""

    status: Literal["ok", "degraded", "down"]
    writable: bool
    waiting: int
    last_placed: dt.datetime | None
    problem_count: int
    problems: tuple[str, ...] | None


class ReadyJson(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should be sent here. `role`: writer or standby."""

    ready: bool
    status: Literal["ok", "degraded", "down"]
    role: str
    problem_count: int
    problems: tuple[str, ...] | None


router = api_router()
watched = api_router()  # only of a daemon
_DOWN = answer(HealthJson)
_DOWN["content"][PROBLEM_JSON] = {"schema": schema_of(Problem)}  # if the database does not answer


class Probes:
    """The calls behind these routes, of one application."""

    def __init__(self, site: Site, watch: HealthSource | None) -> None:
        """Without `watch` only `/healthz` can be answered."""
        self.site = site
        self.pages = Pages(site)
        self.watch = watch
        seconds = PROBE_SECONDS if watch is None else watch.tuning.probe_seconds
        self.state = BoundedCall(seconds)
        self._database = BoundedCall(seconds)
        self._backup_folder = BoundedCall(seconds, "the backup folder")
        self._last: HealthSnapshot | None = None

    async def report(self, *, fresh: bool = False) -> HealthReport:
        """Return the report of the daemon; see `snapshot`."""
        assert self.watch is not None
        return self.watch.condition(await self.snapshot(self.watch, fresh=fresh))

    async def snapshot(self, watch: HealthSource, *, fresh: bool = False) -> HealthSnapshot | None:
        """Return a recent snapshot, or a new one if `fresh`; None if the database does not answer in time."""
        last = self._last
        age = -1.0 if last is None else (self.site.clock() - last.at).total_seconds()
        if not fresh and 0 <= age < _CACHE_SECONDS:
            return last
        try:  # concurrently, because each may take the whole timeout
            calls = self._database.run(watch.snapshot), self._backups(watch)
            snapshot, backup = await asyncio.gather(*calls)
        except AggregatorError:
            self._last = None
        else:
            self._last = msgspec.structs.replace(snapshot, backup=backup)
        return self._last

    async def _backups(self, watch: HealthSource) -> BackupState:
        try:
            return await self._backup_folder.run(watch.backups)
        except AggregatorError as error:
            return BackupState(words=str(error))


OfProbes = Annotated[Probes, of_app("probes")]


@router.get(HEALTHZ, **described("health", {200: answer(HealthJson), 503: _DOWN}))
async def health(request: Request, probes: OfProbes) -> Response:
    """Whether articles can be accepted.

    503 if not, or if the database does not answer. `problems` are for the owner.
    """
    state = await probes.state.run(probes.site.reader.state)
    process = None if probes.watch is None else probes.watch.process()
    problems = (*(one.what for one in of_process(process)), *state.problems) if process else state.problems
    body = HealthJson(
        status="down" if not state.writable else "degraded" if problems else "ok",
        writable=state.writable,
        waiting=state.waiting,
        last_placed=state.last_placed,
        problem_count=len(problems),
        problems=problems if is_owner(request) else None,
    )
    return JsonResponse(body, 503 if not state.writable or (process and process.stalled) else 200)


@watched.get(READYZ, **described("health", {status: answer(ReadyJson) for status in (200, 503)}))
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
    return probes.pages.page(request, "status.html", code, here=STATUS, report=report)


@watched.get(METRICS, include_in_schema=False)
async def metrics(request: Request, probes: OfProbes) -> Response:
    """The metrics for Prometheus."""
    _require_owner(request)
    assert probes.watch is not None
    snapshot = await probes.snapshot(probes.watch)
    body, kind = probes.watch.metrics(snapshot, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": kind})


def _require_owner(request: Request) -> None:
    if not is_owner(request):
        raise RefusedError(
            403,
            "only the owner may read this: send a token of scope read, or a request from this machine "
            "without a proxy",
        )
