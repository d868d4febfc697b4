"""Rendering of merged texts by workers, several stories at once."""

import logging
from collections.abc import Sequence

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import NoWorkersError, WorkError
from aggregator.pipeline.workers.executor import Executor
from aggregator.stories.text.rendering import Renderer, Rendering, UnrenderedStory, render
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)

STORIES_A_JOB = 5  # a call costs 1.2 ms, a story of two articles 15, one of 300 nearly a second


class RenderJob(FrozenStruct, frozen=True, kw_only=True):
    """Some stories."""

    stories: tuple[UnrenderedStory, ...]
    tuning: str = "{}"


class RenderResult(FrozenStruct, frozen=True, kw_only=True):
    """One Rendering for each story, in order."""

    renderings: tuple[Rendering, ...]


def render_stories(job: bytes) -> bytes:
    """Return a RenderResult for a RenderJob."""
    decoded = msgspec.msgpack.decode(job, type=RenderJob)
    return msgspec.msgpack.encode(_rendered(decoded))


def renderer(executor: Executor, all_tuning: Tuning) -> Renderer:
    """Return what renders stories in workers; those of a job that fails are rendered by the caller."""

    def render_all(stories: Sequence[UnrenderedStory]) -> list[Rendering]:
        jobs = [
            RenderJob(stories=tuple(stories[start : start + STORIES_A_JOB]), tuning=all_tuning.to_json())
            for start in range(0, len(stories), STORIES_A_JOB)
        ]
        packed = [msgspec.msgpack.encode(job) for job in jobs]
        futures = [executor.submit(render_stories, job) for job in packed]
        found: list[Rendering] = []
        for job, future in zip(jobs, futures, strict=True):
            try:
                result = msgspec.msgpack.decode(future.result(), type=RenderResult)
            except (WorkError, NoWorkersError) as error:
                log.warning(
                    "a worker failed to render stories (%s); this process renders them",
                    error,
                    extra={"event": "rendering_failed"},
                )
                result = _rendered(job)
            found += result.renderings
        return found

    return render_all


def _rendered(job: RenderJob) -> RenderResult:
    tuning = Tuning.from_json(job.tuning).section("stories", StoryTuning)
    return RenderResult(renderings=tuple(render(one, tuning) for one in job.stories))
