from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.image import ImageReference
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT

_DIGEST = "sha256:" + "0a" * 32


@every(
    ("text", "parts"),
    [
        ("sonarqube", ("", "sonarqube", "", "")),
        ("sonarqube:25.6.0.109173-community", ("", "sonarqube", "25.6.0.109173-community", "")),
        ("library/sonarqube:lts", ("", "library/sonarqube", "lts", "")),
        ("docker.io/library/sonarqube:lts", ("docker.io", "library/sonarqube", "lts", "")),
        (
            f"index.docker.io/sourcegraph/frontend:7.6.0@{_DIGEST}",
            ("index.docker.io", "sourcegraph/frontend", "7.6.0", _DIGEST),
        ),
        (
            f"dependencytrack/apiserver@{_DIGEST}",
            ("", "dependencytrack/apiserver", "", _DIGEST),
        ),
        (
            "ghcr.io/dependencytrack/apiserver:5.0.4",
            ("ghcr.io", "dependencytrack/apiserver", "5.0.4", ""),
        ),
        ("registry:5000/emqx/emqx:5.8.9", ("registry:5000", "emqx/emqx", "5.8.9", "")),
        ("registry:5000/emqx/emqx", ("registry:5000", "emqx/emqx", "", "")),
        (f"registry.example:5000/emqx@{_DIGEST}", ("registry.example:5000", "emqx", "", _DIGEST)),
        ("localhost/emqx:5", ("localhost", "emqx", "5", "")),
        ("localhost:5000/emqx:5", ("localhost:5000", "emqx", "5", "")),
        ("127.0.0.1:5000/emqx:5", ("127.0.0.1:5000", "emqx", "5", "")),
        ("[::1]:5000/emqx/emqx:5", ("[::1]:5000", "emqx/emqx", "5", "")),
        (
            "mirror.example/hub/library/sonarqube:25.6",
            ("mirror.example", "hub/library/sonarqube", "25.6", ""),
        ),
        (
            f"mirror.example:8443/a/b/c/d:1@{_DIGEST}",
            ("mirror.example:8443", "a/b/c/d", "1", _DIGEST),
        ),
        # Without a dot, a port or "localhost" the first part is a user of Docker Hub.
        ("mirror/sonarqube:25.6", ("", "mirror/sonarqube", "25.6", "")),
        ("localhosts/sonarqube", ("", "localhosts/sonarqube", "", "")),
        # Without a slash it is an image, however much it looks like a registry.
        ("registry.example:5000", ("", "registry.example", "5000", "")),
        ("localhost", ("", "localhost", "", "")),
        # Upper case is refused by every registry, but kept as it was written.
        ("DependencyTrack/ApiServer:4.14", ("", "DependencyTrack/ApiServer", "4.14", "")),
        ("emqx:V5.8-Alpine", ("", "emqx", "V5.8-Alpine", "")),
    ],
)
def test_a_reference_is_taken_apart_as_registries_do(
    text: str, parts: tuple[str, str, str, str]
) -> None:
    assert ImageReference.parse(text) == ImageReference(*parts)


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        ("sonarqube", "sonarqube"),
        ("library/sonarqube:lts", "sonarqube"),
        ("library/sonarqube:lts", "library/sonarqube"),
        ("docker.io/library/sonarqube", "library/sonarqube"),
        ("registry:5000/team/hub/library/sonarqube@" + _DIGEST, "sonarqube"),
        ("registry:5000/sonarqube:25.6", "sonarqube"),
        ("emqx/emqx-enterprise:6", "emqx/emqx-*"),
        ("emqx/emqx5:5", "emqx/emqx?"),
        ("a/b/c:1", "b/c"),
        ("a/b/c:1", "*/*"),
        ("a/b/c:1", "a/b/c"),
    ],
)
def test_a_pattern_matches_the_last_whole_segments(image: str, pattern: str) -> None:
    assert ImageReference.parse(image).matches(pattern)


@pytest.mark.parametrize(
    ("image", "pattern"),
    [
        # Not part of a segment.
        ("sonarqube-exporter:1", "sonarqube"),
        ("my-sonarqube:1", "sonarqube"),
        ("xlibrary/sonarqube", "library/sonarqube"),
        # Not a segment in the middle.
        ("sonarqube/exporter:1", "sonarqube"),
        ("a/b/c", "a/b"),
        # A star stays within its segment.
        ("dependencytrack/hyades-apiserver", "*apiserver/x"),
        ("a/b/c", "a*c"),
        # More segments than the image has.
        ("sonarqube:25.6", "library/sonarqube"),
        # The registry is no part of the path.
        ("sourcegraph.example/frontend:1", "sourcegraph.example/frontend"),
        ("localhost/frontend:1", "localhost/frontend"),
        # The tag and the digest are not either.
        ("sonarqube:25.6", "sonarqube:25.6"),
        ("exporter:sonarqube", "sonarqube"),
        ("exporter@sonarqube", "sonarqube"),
        # No registry takes upper case, so this is not what the vendor publishes.
        ("SonarQube:25.6", "sonarqube"),
        ("Emqx/emqx", "emqx/emqx"),
    ],
)
def test_a_pattern_matches_nothing_else(image: str, pattern: str) -> None:
    assert not ImageReference.parse(image).matches(pattern)


@every("image", ["", "/", "//", ":", ":5.0", "@", "@" + _DIGEST, "a/", "a/:1"])
@every("pattern", ["*", "*/*", "?", "sonarqube"])
def test_what_names_no_image_matches_no_pattern(image: str, pattern: str) -> None:
    assert not ImageReference.parse(image).matches(pattern)


@steady
@given(WILD_TEXT, st.sampled_from(["*", "*/*", "emqx", "emqx/emqx", "**?*/*"]))
@example("a@b@c", "*")
@example("a:b:c/d:e:f@g:h", "d")
@example("\ud800", "*")
def test_wild_text_never_raises_and_no_character_is_made_up(text: str, pattern: str) -> None:
    reference = ImageReference.parse(text)
    reference.matches(pattern)
    parts = (reference.registry, reference.path, reference.tag, reference.digest)
    assert all(part in text for part in parts)
    assert sum(map(len, parts)) <= len(text)


_SEGMENT = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,6}[a-z0-9])?", fullmatch=True)
_REGISTRY = st.one_of(
    st.sampled_from(["", "localhost", "docker.io", "registry:5000", "10.0.0.1:443"]),
    st.from_regex(r"[a-z0-9-]{1,8}\.[a-z]{2,3}(:[0-9]{1,5})?", fullmatch=True),
)


@steady
@given(
    _REGISTRY,
    st.lists(_SEGMENT.filter(lambda word: "." not in word and word != "localhost"), min_size=1),
    st.from_regex(r"([A-Za-z0-9_][A-Za-z0-9._-]{0,20})?", fullmatch=True),
    st.sampled_from(["", _DIGEST]),
)
def test_what_is_put_together_comes_apart_again(
    registry: str, segments: list[str], tag: str, digest: str
) -> None:
    path = "/".join(segments)
    text = (
        (f"{registry}/" if registry else "")
        + path
        + (f":{tag}" if tag else "")
        + (f"@{digest}" if digest else "")
    )
    reference = ImageReference.parse(text)
    assert reference == ImageReference(registry, path, tag, digest)
    assert reference.matches(segments[-1])
    assert reference.matches(path)
    assert not reference.matches(f"*/{path}")


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("sonarqube", "docker.io/library/sonarqube"),
        ("sonarqube:lts", "docker.io/library/sonarqube"),
        ("docker.io/sonarqube:lts", "docker.io/library/sonarqube"),
        ("emqx/emqx:5", "docker.io/emqx/emqx"),
        ("index.docker.io/emqx/emqx", "docker.io/emqx/emqx"),
        (f"Docker.IO/emqx/emqx@{_DIGEST}", "docker.io/emqx/emqx"),
        ("mirror.example:5000/hub/emqx:5", "mirror.example:5000/hub/emqx"),
        ("localhost/emqx", "localhost/emqx"),
        ("ACME/emqx", "acme/emqx"),
        ("acme/EMQX", "docker.io/acme/EMQX"),
        ("", "docker.io/library/"),
    ],
)
def test_a_repository_is_completed_as_container_runtimes_do(image: str, repository: str) -> None:
    assert ImageReference.parse(image).repository == repository


_HOSTS = st.from_regex(r"[a-zA-Z0-9-]{1,8}(\.[a-zA-Z0-9-]{1,8}){1,3}(:[0-9]{1,5})?", fullmatch=True)
_PATHS = st.sampled_from(
    ["emqx/emqx", "docker.io/emqx/emqx", "index.docker.io/emqx/emqx", "library/emqx", "/emqx/emqx"]
)


@steady
@given(_HOSTS | st.sampled_from(["docker.io.evil.example", "docker.io:443", "a.docker.io"]), _PATHS)
def test_an_image_of_another_host_is_never_in_docker_hub(host: str, path: str) -> None:
    if host.lower() in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        return
    found = ImageReference.parse(f"{host}/{path}:5.8.9")
    for prefix in ("docker.io", "index.docker.io", "docker.io/emqx", "docker.io/emqx/emqx"):
        assert not found.is_in(prefix)


@steady
@given(WILD_TEXT, WILD_TEXT)
def test_whether_an_image_is_in_a_registry_is_always_answered(image: str, prefix: str) -> None:
    found = ImageReference.parse(image)
    assert found.is_in(found.repository)
    if found.is_in(prefix) and "docker.io" not in prefix:
        assert found.repository.startswith(prefix)
