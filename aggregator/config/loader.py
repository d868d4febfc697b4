"""Read config.yaml and report its mistakes with their lines.

All mistakes are reported together, each as `config.yaml:LINE: KEY: message`. Unknown keys are mistakes. The
file is read with the core schema of YAML 1.2, where `no`, `on` and `1:30` are strings.
"""

import os
from importlib.resources import files
from pathlib import Path

from aggregator.config.file.core_yaml import CoreLoader, parse
from aggregator.config.file.mistakes import locate_mistakes, validate_values
from aggregator.config.settings import (
    DATABASE_FILE_VARIABLE,
    DATABASE_VARIABLE,
    Config,
    absolute_database_url,
)
from aggregator.config.shipped import shipped_path
from aggregator.model.errors import ConfigError


def shipped_config_text() -> str:
    """Return the shipped config.yaml."""
    return shipped_path("config.yaml").read_text(encoding="utf-8")


def starting_config_text() -> str:
    """Return the shipped config.yaml without the sample articles, which only a checkout has."""
    before, _, samples = shipped_config_text().partition("  # The samples ")
    return before + samples.partition("\n\n")[2]


def load(path: Path | None, *, database: str | None = None) -> Config:
    """Read the configuration at `path`, else ./config.yaml if it exists; otherwise return the defaults.

    `database` (from the command line) takes precedence over the file and the environment. If it is a relative path,
    it refers to the current folder. Raises ConfigError with one line for every mistake.
    """
    if path is None and Path("config.yaml").is_file():
        path = Path("config.yaml")
    config = Config() if path is None else _read(path)
    if database is not None:
        config = config.model_copy(
            update={"database": absolute_database_url(database, Path.cwd())}
        )
        for name in (DATABASE_VARIABLE, DATABASE_FILE_VARIABLE):
            os.environ.pop(name, None)
    try:
        _ = config.database_url, config.effective_tuning
    except ConfigError as error:
        raise locate_mistakes(error, config) from error
    return config


def _read(path: Path) -> Config:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: this is not UTF-8 text") from error
    values, lines = parse(text, path.name)
    # Keys of earlier versions are left out with a warning.
    table = CoreLoader(
        files("aggregator.config")
        .joinpath("former_keys.yaml")
        .read_text(encoding="utf-8")
    ).get_data()
    warnings = []
    for dotted in (*table["replaced"], *table["defaults"]):
        section, _, key = dotted.rpartition(".")
        keys = values.get(section) if section else values
        if not isinstance(keys, dict) or key not in keys:
            continue
        words = table["replaced"].get(dotted)
        if words is None:
            if keys[key] != table["defaults"][dotted]:
                continue
            words = "its value was the default"
        del keys[key]
        line = lines[tuple(dotted.split("."))]
        warnings.append(f"{path.name}:{line}: {dotted}: this key is gone: {words}")
    return validate_values(values, lines, path.name).read_from(
        path, lines, tuple(warnings)
    )
