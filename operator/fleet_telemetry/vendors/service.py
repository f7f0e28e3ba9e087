"""Services, as far as finding a product's API needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet_telemetry.objects.manifest import Manifest, items_at, mapping_at, text_at


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service; ``target`` is a container's port, by number or by name."""

    number: int
    name: str = ""
    target: int | str = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A Service that may lead to pods."""

    name: str
    namespace: str
    created: str = ""
    """Its creation time as in the manifest, which sorts as text."""
    selector: Mapping[str, str] = field(default_factory=dict, hash=False)
    ports: tuple[ServicePort, ...] = ()
    external: bool = False
    """It is a name of something outside (ExternalName)."""

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether pods with these labels are behind it. Without a selector anything could be."""
        return not self.external and bool(self.selector) and self.selector.items() <= labels.items()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one instance answers.

    The address is that of a verified pod, so that neither a name service nor a Service can lead
    elsewhere; the host name is what its certificate has to be for.
    """

    scheme: str
    address: str
    port: int
    host: str
    base_path: str = ""
    instance: str = ""
    """The pod's name."""
    service_port: int = 0
    """The port that clients of the Service use; 0 without a Service."""

    @property
    def shown_port(self) -> int:
        """The port that belongs to the host name."""
        return self.service_port or self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.shown_port}{self.base_path}"


def read_service(manifest: Manifest) -> Service:
    """A Service; what is missing or malformed reads as empty."""
    spec = mapping_at(manifest, "spec")
    return Service(
        name=text_at(manifest, "metadata", "name"),
        namespace=text_at(manifest, "metadata", "namespace"),
        created=text_at(manifest, "metadata", "creationTimestamp"),
        selector={str(k): str(v) for k, v in mapping_at(spec, "selector").items()},
        ports=tuple(
            ServicePort(
                number=port["port"],
                name=text_at(port, "name"),
                target=port.get("targetPort") or port["port"],
            )
            for port in items_at(spec, "ports")
            if isinstance(port.get("port"), int) and port.get("protocol", "TCP") == "TCP"
        ),
        external=spec.get("type") == "ExternalName",
    )
