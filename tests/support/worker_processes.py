"""The worker processes of an executor."""

from aggregator.intake.workers.process_pool import ProcessExecutor


def process_ids(executor: ProcessExecutor) -> list[int]:
    """Process ids of the running workers."""
    workers = [lane.worker for lane in list(executor._lanes)]
    return [worker.process.pid for worker in workers if worker is not None]
