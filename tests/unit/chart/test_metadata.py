"""What Chart.yaml tells Artifact Hub is so, and in the words that it knows.

The words: https://artifacthub.io/docs/topics/annotations/helm
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dev.harness.operator import CHART, ROOT
from fleet_telemetry import __version__
from hack.changes import changes

METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
PREFIX = "artifacthub.io/"
NOTES: dict[str, str] = METADATA["annotations"]
PROJECT = (ROOT / "pyproject.toml").read_text()
KNOWN = {
    "alternativeName",
    "category",
    "changes",
    "containsSecurityUpdates",
    "crds",
    "crdsExamples",
    "images",
    "license",
    "links",
    "maintainers",
    "operator",
    "operatorCapabilities",
    "prerelease",
    "recommendations",
    "screenshots",
    "signKey",
}
CAPABILITIES = {
    "Basic Install",
    "Seamless Upgrades",
    "Full Lifecycle",
    "Deep Insights",
    "Auto Pilot",
}


def note(name: str) -> Any:
    """The content of an annotation that is YAML."""
    return yaml.safe_load(NOTES[PREFIX + name])


def test_every_annotation_is_known() -> None:
    assert {name.removeprefix(PREFIX) for name in NOTES} <= KNOWN
    assert all(isinstance(value, str) for value in NOTES.values())
    assert NOTES[PREFIX + "category"] == "security"
    assert NOTES[PREFIX + "operator"] == "true"
    assert NOTES[PREFIX + "operatorCapabilities"] in CAPABILITIES


def test_the_changes_are_those_of_the_changelog() -> None:
    assert note("changes") == list(changes((ROOT / "CHANGELOG.md").read_text()))


def test_versions_and_licence_are_the_projects() -> None:
    for line in (f'version = "{METADATA["appVersion"]}"', f'license = "{note("license")}"'):
        assert line in PROJECT.splitlines()
    assert METADATA["appVersion"] == __version__
    assert NOTES[PREFIX + "prerelease"] == str(METADATA["version"].startswith("0.")).lower()


@pytest.mark.thorough
def test_every_crd_is_listed_with_its_kind_and_version() -> None:
    listed = {
        crd["name"]: (crd["kind"], crd["version"], crd["displayName"], crd["description"])
        for crd in note("crds")
    }
    files = [yaml.safe_load(path.read_text()) for path in (CHART / "files" / "crds").iterdir()]
    assert {crd["metadata"]["name"] for crd in files} == listed.keys()
    for crd in files:
        (version,) = crd["spec"]["versions"]
        kind, number, *words = listed[crd["metadata"]["name"]]
        assert (kind, number) == (crd["spec"]["names"]["kind"], version["name"])
        assert all(words)


def test_there_is_an_example_of_each_kind_that_people_write() -> None:
    """`test_server.py` shows them to the API server."""
    kinds = {one["kind"] for one in note("crdsExamples")}
    assert kinds == {"TelemetryPolicy", "ClusterTelemetryPolicy", "TelemetryProduct"}


def test_the_image_is_the_one_that_the_chart_runs() -> None:
    (image,) = note("images")
    repository = yaml.safe_load((CHART / "values.yaml").read_text())["image"]["repository"]
    assert image["image"] == f"{repository}:{METADATA['appVersion']}"


def test_links_lead_to_what_is_there() -> None:
    for link in note("links"):
        path = link["url"].partition("/main/")[2]
        assert (ROOT / path).exists(), link
