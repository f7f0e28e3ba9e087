"""Image references as registries, charts and people really write them."""

from __future__ import annotations

from dataclasses import dataclass

from fleet_telemetry.catalogue.glob import glob_matches

LONGEST = 1024
"""Characters of an image. No registry serves a longer one: a repository has at most 255 characters,
a tag 128 (github.com/distribution/reference v0.6.0, reference.go and regexp.go), a host name 253
and a SHA-512 digest 135. The match conditions of the webhook have the same limit."""

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_ALIASES = ("index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """``registry/path:tag@digest`` taken apart; what is absent is the empty string.

    ``path`` is everything between the registry and the tag, mirrors' prefixes included:
    ``mirror.example:5000/hub/library/sonarqube:25.6`` has the path ``hub/library/sonarqube``.
    """

    registry: str
    path: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Never fails: what cannot be understood matches no pattern and has no version."""
        if len(text) > LONGEST:
            return cls(registry="", path="", tag="", digest="")
        name, _, digest = text.partition("@")
        head, slash, tail = name.rpartition("/")
        # A colon before the last slash belongs to a registry's port, not to a tag.
        last, _, tag = tail.partition(":")
        path = head + slash + last
        first, slash, rest = path.partition("/")
        # Docker's rule: the first part is a registry only if it could not be a user's name.
        if slash and ("." in first or ":" in first or first == "localhost"):
            return cls(registry=first, path=rest, tag=tag, digest=digest)
        return cls(registry="", path=path, tag=tag, digest=digest)

    @property
    def repository(self) -> str:
        """Registry and path in full, as container runtimes complete them: ``sonarqube`` is
        ``docker.io/library/sonarqube``."""
        first, slash, rest = self.path.partition("/")
        if not self.registry and slash and first != first.lower():
            # A user's name is in lower case, so this is a host name too.
            return f"{first.lower()}/{rest}"
        registry = self.registry.lower() or _DOCKER_HUB
        if registry in _DOCKER_HUB_ALIASES:
            registry = _DOCKER_HUB
        path = self.path
        if registry == _DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        return f"{registry}/{path}"

    def is_in(self, prefix: str) -> bool:
        """Whether the image is in a registry, in a part of one, or in a repository.

        ``prefix`` is such as ``harbor.example.com``, ``docker.io/acme`` or
        ``docker.io/emqx/emqx``. Only whole path segments count.
        """
        host, slash, path = prefix.partition("/")
        host = _DOCKER_HUB if host in _DOCKER_HUB_ALIASES else host
        whole = f"{host}{slash}{path}"
        return self.repository == whole or self.repository.startswith(f"{whole}/")

    def matches(self, pattern: str) -> bool:
        """Whether the last parts of the path match ``pattern``, a glob such as ``emqx/emqx``.

        Only whole path segments count, so a mirror's prefix is ignored while
        ``sonarqube`` does not match ``sonarqube-exporter``.
        """
        if "*" not in pattern and "?" not in pattern:
            return f"/{self.path}".endswith(f"/{pattern}") and all(pattern.split("/"))
        last = self.path.split("/")[-(pattern.count("/") + 1) :]
        return all(last) and glob_matches(pattern, "/".join(last))
