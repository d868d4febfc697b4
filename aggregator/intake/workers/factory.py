"""Opens the configured executor."""

from contextlib import closing

from aggregator.config.delivery_settings import require_library
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.workers.executor import Executor, InlineExecutor, WorkerTuning
from aggregator.model.counters import Metrics
from aggregator.model.errors import ConfigError

_CLUSTERS = {"dask": "tcp", "dask+tls": "tls"}  # the schemes of Dask


def open_executor(
    kind: str, workers: int, all_tuning: Tuning, metrics_registry: Metrics | None = None
) -> Executor:
    """Open the executor: "inline", "processes", "dask://HOST:PORT" or "dask+tls://HOST:PORT".

    `workers` below 1 means one for each processor; a cluster has its own number. Processes start with the first job.
    `metrics_registry` counts processes that end. Raises ConfigError for an executor that is unknown or not set up,
    NoWorkersError if no scheduler answers or a Dask worker runs another version.
    """
    section = all_tuning.section("work", WorkerTuning)
    if kind == "inline":
        return InlineExecutor()
    if kind == "processes":
        from aggregator.intake.workers.process_pool import ProcessExecutor

        return ProcessExecutor(workers, section, metrics_registry)
    scheme, _, at = kind.partition("://")
    if not at or scheme not in _CLUSTERS:
        raise ConfigError(
            f"work.executor: there is no executor {kind!r}; choose processes, inline or dask://HOST:PORT"
        )
    refuse_missing_library(kind)
    from distributed.security import Security

    from aggregator.intake.workers.dask import DaskExecutor

    certificates = Security().get_connection_args("client")  # type: ignore[no-untyped-call]
    if scheme == "dask+tls" and certificates.get("ssl_context") is None:
        raise ConfigError(
            "work.executor: dask+tls:// needs certificates: name them in Dask's own configuration, "
            "distributed.comm.tls in ~/.config/dask/ (ca-file, client.cert, client.key)"
        )
    return DaskExecutor(f"{_CLUSTERS[scheme]}://{at}", section)


def workers(config: Config) -> closing[Executor]:
    """Open the workers of the configuration, and close them at the end of a `with` block."""
    kind, count = config.work.executor, config.work.worker_count()
    return closing(open_executor(kind, count, config.effective_tuning))


def refuse_missing_library(kind: str) -> None:
    """Raise ConfigError if the executor needs a library that is not installed."""
    if kind.partition("://")[0] in _CLUSTERS:
        require_library("distributed", "work.executor: Dask needs", ">=2026.3")
