"""The machine: its limits, its text, its memory."""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from aggregator.admin.doctor.context import Patient
from aggregator.admin.doctor.finding import Finding, problem, warning
from aggregator.config.messages import counted


def look(patient: Patient) -> Iterator[Finding]:
    """What the system allows this process; a service may be allowed other things."""
    if sys.getfilesystemencoding().lower().replace("-", "") != "utf8":
        yield problem(
            f"names of files are read as {sys.getfilesystemencoding()}: other alphabets are lost",
            "export LANG=C.UTF-8",
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < patient.rules.open_files:
        yield warning(
            f"a process may have {files} files open; {patient.rules.open_files} are wanted",
            f"ulimit -n {patient.rules.open_files}, or LimitNOFILE= in the unit",
        )
    if patient.config.work.executor == "processes":
        yield from _memory(patient)


def _memory(patient: Patient) -> Iterator[Finding]:
    workers = patient.config.work.worker_count
    wanted = patient.rules.daemon_bytes + workers * patient.rules.worker_bytes
    there = _memory_bytes()
    if wanted > there:
        yield warning(
            f"the daemon and {counted(workers, 'worker')} take {wanted >> 20} MiB of memory; "
            f"there are {there >> 20}",
            f"set `work: {{workers: 1}}` in {patient.file_name}",
        )


def _memory_bytes() -> int:
    """What this process may have: the machine's, or what its control group allows."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        given = limit.read_text(encoding="ascii").strip()
        sizes += [int(given)] if given.isdigit() else []
    return min(sizes)
