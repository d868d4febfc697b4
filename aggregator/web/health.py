"""How the daemon does: `/healthz` and `/readyz` for probes, `/status` for people and programs, `/metrics`.

None of them waits for the database longer than a bound, nor for threads that others may hold. What names
files, hosts or sources is for the owner.

Questions that may hang, for answers that may not: probes ask, and hear in time that nobody answers.
"""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import BackupState, HealthReport, HealthSnapshot, ProcessState
from aggregator.model.read_model import Health
from aggregator.web.dependencies import Site
from aggregator.web.pages.pages import Pages
from aggregator.web.responses import JSON, RefusedError
from aggregator.web.security.middleware import is_owner

Found = TypeVar("Found")

_STUCK = 5  # times the patience; what did not answer by then is left alone, and asked anew ...
_THREADS = 3  # ... unless so many are left alone already


class NoAnswerError(AggregatorError):
    """Nothing came within the patience."""


class BoundedCall:
    """Asks one question at a time, in threads of its own: a server whose threads all hang still answers.

    Who asks while the same question is under way shares its answer. For one event loop.
    """

    def __init__(self, patience_seconds: float, what: str = "the database") -> None:
        """`what` does not answer, in the words of the error."""
        self._patience = patience_seconds
        self._what = what
        self._under_way: asyncio.Future[Any] | None = None
        self._began = 0.0
        self._left_alone = 0
        self._lock = threading.Lock()

    async def ask(self, question: Callable[[], Found]) -> Found:
        """The answer, or what `question` raised. Raises NoAnswerError after the patience."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] | None = self._under_way
        if future is None or future.done() or future.get_loop() is not loop or self._is_stuck(loop.time()):
            if self._left_alone >= _THREADS:
                raise self._no_answer()
            future = self._begun(question, loop)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise self._no_answer() from error

    def _is_stuck(self, now: float) -> bool:
        return now - self._began > _STUCK * self._patience

    def _no_answer(self) -> NoAnswerError:
        return NoAnswerError(f"{self._what} did not answer within {self._patience:g} s")

    def _begun(self, question: Callable[[], Found], loop: asyncio.AbstractEventLoop) -> asyncio.Future[Found]:
        future: asyncio.Future[Found] = loop.create_future()
        # Where nobody waits any more, what it raised is nobody's business.
        future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._under_way, self._began = future, loop.time()
        with self._lock:
            self._left_alone += 1  # while it runs
        threading.Thread(target=self._run, args=(question, future, loop), name="probe", daemon=True).start()
        return future

    def _run(
        self, question: Callable[[], Found], future: asyncio.Future[Found], loop: asyncio.AbstractEventLoop
    ) -> None:
        try:
            outcome: Found | Exception = question()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            outcome = error
        finally:
            with self._lock:
                self._left_alone -= 1
        with suppress(RuntimeError):  # the server stopped meanwhile
            loop.call_soon_threadsafe(_end, future, outcome)


def _end(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


PROBE_SECONDS = 2.0  # where no Watch says so
HEALTHZ, READYZ, STATUS, METRICS = "/healthz", "/readyz", "/status", "/metrics"


class HealthSource(Protocol):
    """What the daemon tells of itself. `snapshot` and `backups` may hang; everything else takes no time."""

    @property
    def probe_seconds(self) -> float:
        """How long a probe waits for `snapshot`."""
        ...

    @property
    def fresh_seconds(self) -> float:
        """How long a look may be shown again."""
        ...

    def snapshot(self) -> HealthSnapshot:
        """Ask the database. Raises AggregatorError."""
        ...

    def backups(self) -> BackupState:
        """Ask the folder of the backups. Raises AggregatorError."""
        ...

    def process(self) -> ProcessState:
        """What the daemon knows without asking."""
        ...

    def condition(self, snapshot: HealthSnapshot | None) -> HealthReport:
        """All of it; None where the database did not answer."""
        ...

    def metrics(self, snapshot: HealthSnapshot | None, accept: str) -> tuple[bytes, str]:
        """What Prometheus reads, and its type."""
        ...


class HealthJson(msgspec.Struct, frozen=True, kw_only=True):
    """How the daemon does. `waiting` counts articles without a place; `problems` are for the owner."""

    status: Literal["ok", "degraded", "down"]
    writable: bool
    waiting: int
    last_placed: dt.datetime | None
    problem_count: int
    problems: tuple[str, ...] | None


class ReadyJson(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should be sent here. `role`: writer, standby or starting."""

    ready: bool
    status: Literal["ok", "degraded", "down"]
    role: str
    problem_count: int
    problems: tuple[str, ...] | None


def routes(site: Site, watch: HealthSource | None) -> list[Route]:
    """The routes; without a `watch` only what the shelf knows."""
    probes = Probes(site, watch)
    found = [Route(HEALTHZ, probes.healthz)]
    if watch is not None:
        told = StatusRoutes(site, watch)
        found += [
            Route(READYZ, told.readyz),
            Route(STATUS, told.status),
            Route(METRICS, told.metrics),
        ]
    return found


class Probes:
    """Whether articles can be accepted."""

    def __init__(self, site: Site, watch: HealthSource | None) -> None:
        self._site = site
        self._watch = watch
        self._state = BoundedCall(PROBE_SECONDS if watch is None else watch.probe_seconds)

    async def healthz(self, request: Request) -> Response:
        """200 while articles can be accepted, else 503."""
        state = await self._state.ask(self._site.reader.state)
        trouble = () if self._watch is None else _trouble(self._watch.process())
        problems = (*trouble, *state.problems)
        body = HealthJson(
            status="down" if not state.writable else "degraded" if problems else "ok",
            writable=state.writable,
            waiting=state.waiting,
            last_placed=state.last_placed,
            problem_count=len(problems),
            problems=problems if is_owner(request) else None,
        )
        return _json(body, 200 if _accepts(state, self._watch) else 503)


def _accepts(state: Health, watch: HealthSource | None) -> bool:
    return state.writable and (watch is None or not watch.process().stalled)


def _trouble(process: ProcessState) -> tuple[str, ...]:
    found = () if process.trouble is None else (f"placing rests: {process.trouble}",)
    return (*found, f"no progress in: {', '.join(process.stalled)}") if process.stalled else found


class StatusRoutes:
    """What needs to know the daemon."""

    def __init__(self, site: Site, watch: HealthSource) -> None:
        self._pages = Pages(site)
        self._watch = watch
        self._clock = site.clock
        self._prompt = BoundedCall(watch.probe_seconds)
        self._folder = BoundedCall(watch.probe_seconds, "the folder of the backups")
        self._last: HealthSnapshot | None = None

    async def readyz(self, request: Request) -> Response:
        """200 while requests should be sent here, else 503."""
        found = self._watch.condition(await self._snapshot(fresh=True))
        body = ReadyJson(
            ready=found.ready,
            status=found.status,
            role=found.role,
            problem_count=len(found.problems),
            problems=found.problems if is_owner(request) else None,
        )
        return _json(body, 200 if found.ready else 503)

    async def status(self, request: Request) -> Response:
        """Everything about the daemon, as a page for browsers and as JSON for the rest."""
        _for_the_owner(request)
        found = self._watch.condition(await self._snapshot())
        code = 503 if found.status == "down" else 200
        if "text/html" not in request.headers.get("accept", ""):
            return _json(found, code)
        response = self._pages.page(request, "status.html", here=STATUS, found=found)
        response.status_code = code
        return response

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        _for_the_owner(request)
        body, kind = self._watch.metrics(await self._snapshot(), request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": kind})

    async def _snapshot(self, *, fresh: bool = False) -> HealthSnapshot | None:
        """What the database says, at most so old; None where it does not answer in time."""
        last = self._last
        age = None if last is None else (self._clock() - last.at).total_seconds()
        if not fresh and last is not None and age is not None and 0 <= age < self._watch.fresh_seconds:
            return last
        backups = asyncio.create_task(self._backups())  # side by side: each may take all of its time
        try:
            found = await self._prompt.ask(self._watch.snapshot)
        except AggregatorError:
            self._last = None
        else:
            self._last = msgspec.structs.replace(found, backup=await backups)
        finally:
            backups.cancel()
        return self._last

    async def _backups(self) -> BackupState:
        try:
            return await self._folder.ask(self._watch.backups)
        except AggregatorError as error:
            return BackupState(every_seconds=None, last=None, size_bytes=None, words=str(error))


def _for_the_owner(request: Request) -> None:
    if not is_owner(request):
        raise RefusedError(
            403, "this is for the owner: with a token that may read, or at this machine without a proxy"
        )


def _json(body: msgspec.Struct, status: int) -> Response:
    return Response(msgspec.json.encode(body) + b"\n", status, media_type=JSON)
