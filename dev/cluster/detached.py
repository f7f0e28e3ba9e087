"""Clusters that outlive the command that started them, first of all the one of `up`."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from dev.cluster import binaries, credentials, locks, paths, records
from dev.cluster.api import ApiServer
from dev.cluster.cluster import Cluster
from dev.cluster.progress import say


def directory() -> Path:
    """Say where the cluster keeps its files, from up to down."""
    return paths.root() / "run"


def kubeconfig() -> Path:
    """Say where the administrator's kubeconfig is, from up to down."""
    return paths.root() / "kubeconfig"


def up() -> None:
    """Start the cluster, unless it runs and is well. Raises DevclusterError."""
    with _alone():
        binaries.ensure(["kubectl", "helm"])
        trouble = find_trouble()
        if trouble is None:
            say("the cluster is running already")
        else:
            if _remove():
                say(f"removed an earlier cluster, because {trouble}")
            _cluster().start()
        own = (directory() / "kubeconfig").read_text()
        credentials.write_private(kubeconfig(), own)


def down() -> None:
    """End the cluster's processes, those and no others, and remove its files."""
    with _alone():
        say("the cluster is down" if _remove() else "no cluster was running")


def find_trouble() -> str | None:
    """Say why the cluster is not usable, such as "it is not running"; None if it is."""
    try:
        record = records.read(directory())
    except FileNotFoundError:
        return "it is not running"
    gone = [
        name
        for name in _cluster().components
        if name not in record.processes or not record.processes[name].is_alive()
    ]
    if gone:
        return f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone"
    try:
        answers = ApiServer.of(directory() / "kubeconfig").is_ready()
    except FileNotFoundError:
        return "its kubeconfig is gone"
    return None if answers else "its API server does not answer"


def _cluster() -> Cluster:
    return Cluster(directory(), scheduler=True, kwok=True, detached=True)


def _alone() -> AbstractContextManager[None]:
    waiting = "another `up` or `down` is at work: waiting for it"
    return locks.exclusive(paths.root() / "lock", waiting)


def _remove() -> bool:
    kubeconfig().unlink(missing_ok=True)
    return remove(directory())


def remove(place: Path) -> bool:
    """End a detached cluster and remove its files; return whether there was one."""
    try:
        record = records.read(place)
    except FileNotFoundError:
        return False
    for process in record.processes.values():
        process.kill()
    shutil.rmtree(place)
    return True


def is_alive(place: Path) -> bool:
    """Whether any process of a detached cluster runs."""
    try:
        record = records.read(place)
    except FileNotFoundError:
        return False
    return any(process.is_alive() for process in record.processes.values())
