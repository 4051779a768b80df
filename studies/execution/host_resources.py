"""Processors, memory and the GPU of this machine that are available for trials."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")

_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Bytes of available memory; None if the system does not report it.

    The kernel's estimate for the machine (``MemAvailable``), or less if a control group of this process, such
    as that of a container or a batch job, is closer to its limit. A group's inactive file cache does not
    count as used, because it can be reclaimed. Systems without ``/proc``, such as macOS and Windows, do not
    report available memory.
    """
    available = _of_the_machine("MemAvailable", proc)
    if available is None:
        return None
    left = [available]
    for folder, (limit, usage, cache) in _groups(proc, cgroups):
        most = _number(folder / limit)
        used = _number(folder / usage)
        if most is not None and used is not None:
            left.append(max(0, most - used + _statistics(folder / "memory.stat").get(cache, 0)))
    return min(left)


def total_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> int | None:
    """Total memory in bytes, swap included; None if the system does not report it.

    The limits of control groups count, as in :func:`available_memory`.
    """
    total = _of_the_machine("MemTotal", proc)
    if total is None:
        return None
    limits = [_number(folder / names[0]) for folder, names in _groups(proc, cgroups)]
    swap = _of_the_machine("SwapTotal", proc) or 0
    return min([total + swap, *(most for most in limits if most is not None)])


def gpu() -> tuple[str, int] | None:
    """Name and total memory in bytes of the GPU that ``device: cuda`` means; None if torch finds none."""
    import torch  # takes a while

    if not torch.cuda.is_available():
        return None
    properties = torch.cuda.get_device_properties(0)
    return properties.name, properties.total_memory


def _of_the_machine(name: str, proc: Path) -> int | None:
    """The value of a line of ``/proc/meminfo``, in bytes."""
    meminfo = proc / "meminfo"
    if not meminfo.is_file():
        return None
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
    return int(fields[name].split()[0]) * 1024 if name in fields else None


def resident_memory(pid: int | None, proc: Path = PROC) -> int:
    """Resident memory of a process in bytes; 0 if there is no such process or it is not reported."""
    try:
        pages = int((proc / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _groups(proc: Path, cgroups: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """The control groups of this process that may limit memory, outer ones included: limits are nested."""
    membership = proc / "self" / "cgroup"
    if not membership.is_file():
        return
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, names = cgroups, _VERSION_2
        elif "memory" in controllers.split(","):
            root, names = cgroups / "memory", _VERSION_1
        else:
            continue
        own = Path(path.lstrip("/"))
        for folder in (own, *own.parents):
            yield root / folder, names


def _number(file: Path) -> int | None:
    """The limit in a control group's file; None if there is no file (outermost group) or it says ``max``."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() else None


def _statistics(file: Path) -> dict[str, int]:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, value in (line.split() for line in lines)}
