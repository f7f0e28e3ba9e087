"""The forms in which an addition is printed, with where it goes and how to undo it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from fleet_telemetry.audit.corefile.addition import Addition, main_lines, server_blocks

BEGIN = "# BEGIN fleet-telemetry"
END = "# END fleet-telemetry"
CUSTOM = "coredns-custom"
SERVER_KEY = "fleet-telemetry.server"
OVERRIDE_KEY = "fleet-telemetry.override"
_WIDTH = 96


def corefile(added: Addition) -> str:
    """A part of a Corefile."""
    if added.everything:
        where = (
            "Add these lines to the main server block of your Corefile, the one for all names. "
            "To undo it, remove them again, from BEGIN to END."
        )
    else:
        where = (
            "Add this to the end of your Corefile, outside of its server blocks; it is in the "
            "ConfigMap coredns of kube-system in most clusters. To undo it, remove it again, from "
            "BEGIN to END. CoreDNS with the plugin reload notices both within a minute; without "
            "it, restart CoreDNS."
        )
    return _text([BEGIN, *_comments((where, *added.notes)), *_lines(added), END])


def coredns_custom(added: Addition) -> str:
    """The ConfigMap that the Corefiles of AKS, k3s and Gardener import.

    Sources: learn.microsoft.com/azure/aks/coredns-custom; github.com/k3s-io/k3s,
    manifests/coredns.yaml; gardener.cloud/docs/gardener/custom-dns-config.
    """
    key = OVERRIDE_KEY if added.everything else SERVER_KEY
    pointer = f"/data/{key}"
    apply = "kubectl apply --server-side --field-manager=fleet-telemetry -f FILE"
    undo = (
        f"kubectl -n kube-system patch configmap {CUSTOM} --type=json "
        f'-p \'[{{"op": "remove", "path": "{pointer}"}}]\''
    )
    restart = "kubectl -n kube-system rollout restart deployment coredns"
    head = [
        *_comments(("For AKS, k3s and Gardener. Other keys of the ConfigMap stay. To apply it:",)),
        f"#   {apply}",
        "# To undo it:",
        f"#   {undo}",
        *_comments(("CoreDNS notices both within minutes. If it does not, restart it:",)),
        f"#   {restart}",
        *_comments(added.notes),
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        f"  name: {CUSTOM}",
        "  namespace: kube-system",
        "data:",
        f"  {key}: |",
    ]
    body = "\n".join([BEGIN, *_lines(added), END]).split("\n")
    return _text([*head, *(f"    {line}" if line else "" for line in body)])


FORMS = {"corefile": corefile, "coredns-custom": coredns_custom}


def _lines(added: Addition) -> Iterator[str]:
    return main_lines(added) if added.everything else server_blocks(added)


def _comments(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        first, *rest = wrap(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)
        yield f"# {first}"
        yield from (f"#   {line}" for line in rest)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
