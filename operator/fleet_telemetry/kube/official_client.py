"""The official client in a process of the operator: without the parts that nothing there uses.

Whoever imports one module of it gets its whole asynchronous half and its synchronous one, with
requests, urllib3 and oauthlib. kopf imports the synchronous half wherever it finds it, to accept
its models. That is 10 MB of each process.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec

_SHELLS = ("kubernetes", "kubernetes.aio", "kubernetes.config")
"""The packages that import what is beside the wanted modules. Modules in them are imported as
ever."""
_SYNCHRONOUS = "kubernetes.client"


def import_only_what_is_asked_for() -> None:
    """Make imports of the official client import no more than the modules that are named. To be
    called in a process of ours, before anything imports it."""
    if "kubernetes" in sys.modules:
        return
    for name in _SHELLS:
        spec = find_spec(name)
        if spec is None:
            return  # it is not installed, which the import says
        # The package without what its own code would import.
        shell = sys.modules[name] = module_from_spec(spec)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, shell)
    # Thus an import says that it is not installed. kopf does without.
    sys.modules[_SYNCHRONOUS] = None  # type: ignore[assignment]  # as the import system documents it
