"""Images that users build themselves, on a product of the catalogue."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.builtin_file import read_product
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import combine
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.own_products import compile_own
from fleet_telemetry.catalogue.product import Product, ProductError

USAGE = ChannelName.USAGE


def spec(base: str = "dependency-track", /, *, more: Any = None, **image: Any) -> Any:
    images = [{"pattern": "acme/tracker", "component": "server", **image}]
    given = {"title": "Acme Tracker", "base": base, "images": images, **(more or {})}
    return msgspec.convert(given, TelemetryProductSpec)


def problems(given: TelemetryProductSpec) -> str:
    with pytest.raises(ProductError) as raised:
        compile_own("acme-tracker", given)
    return str(raised.value)


def tag_of(product: Product, image: str) -> tuple[str | None, Reason | None]:
    reference = ImageReference.parse(image)
    entry = product.match_image(reference, "main")
    assert entry is not None
    found = product.read_tag(reference, entry)
    return found.version.text if found.version else None, found.fault


def test_channels_versions_and_api_come_from_the_base() -> None:
    base = builtin().products["dependency-track"]
    found = compile_own("acme-tracker", spec())
    assert found.spec.channels == base.spec.channels
    assert found.spec.versions == base.spec.versions
    assert found.spec.api == base.spec.api
    assert found.rules.keys() == base.rules.keys()
    assert [image.pattern for image in found.spec.images] == ["acme/tracker"]
    assert found.name == "acme-tracker"


def test_a_tag_is_a_version_only_where_a_template_says_so() -> None:
    # 4.14.3 may be the third build of the fourteenth release of Acme's own image.
    plain = compile_own("acme-tracker", spec())
    assert tag_of(plain, "acme/tracker:4.14.3") == (None, Reason.VERSION_UNREADABLE)
    same = compile_own("acme-tracker", spec(tags=["{version}"]))
    assert tag_of(same, "acme/tracker:4.14.3") == ("4.14.3", None)
    marked = compile_own("acme-tracker", spec(tags=["*-dt{version}"]))
    assert tag_of(marked, "acme/tracker:7.1.0-dt4.14.3") == ("4.14.3", None)
    assert tag_of(marked, "acme/tracker:4.14.3") == (None, Reason.VERSION_UNREADABLE)
    assert tag_of(marked, "acme/tracker:latest") == (None, Reason.VERSION_UNREADABLE)


def test_what_is_not_covered_by_a_version_has_no_rule() -> None:
    found = compile_own("acme-tracker", spec())
    lookup = found.rule_for(USAGE, found.spec.images[0], None)
    assert (lookup.rule, lookup.reason) == (None, Reason.VERSION_UNREADABLE)


@pytest.mark.parametrize("base", ["dependency-trac", "acme-tracker", "sonar", "a"])
def test_the_base_is_a_built_in_product(base: str) -> None:
    assert f"base {base}: no built-in product has this name" in problems(spec(base))


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"channels": [{"name": "Usage"}]}, "channels"),
        ({"versions": {"majorTags": "Any"}}, "versions"),
        ({"api": {"adapter": "EMQX", "port": 1}}, "api"),
    ],
)
def test_what_comes_from_the_base_is_not_said_again(more: Any, word: str) -> None:
    assert f"{word} comes from the base; leave it out" in problems(spec(more=more))


def test_edition_and_component_are_those_of_the_base() -> None:
    said = problems(spec(component="worker", edition="gold"))
    assert "has no component 'worker'; it has server" in said
    assert "has no edition 'gold'; it has " in said


def test_a_product_without_a_base_has_channels() -> None:
    given = msgspec.structs.replace(spec(), base=None)
    assert "channels: name one, or a base that has them" in problems(given)


def test_an_image_that_means_several_products_is_refused_with_a_base_too() -> None:
    assert "does not name an image" in problems(spec(pattern="acme/*"))
    assert "images: name the images" in problems(
        msgspec.structs.replace(spec(), images=()),
    )


def test_a_base_without_images_of_its_own() -> None:
    rules = [
        {"versions": ["<2.0.0"], "default": "NoTelemetry"},
        {"versions": [">=2.0.0"], "default": "On", "remedy": "None."},
    ]
    file = {
        "apiVersion": "fleettelemetry.io/v1alpha1",
        "kind": "TelemetryProduct",
        "metadata": {"name": "kit"},
        "spec": {"title": "Kit", "channels": [{"name": "Usage", "rules": rules}]},
    }
    kit = read_product(msgspec.yaml.encode(file))
    assert Catalogue({"kit": kit}).match_image("kit:2.0.0", "main") is None
    rules[0]["versions"] = ["<2.1.0"]
    with pytest.raises(ProductError, match="two rules overlap"):
        read_product(msgspec.yaml.encode(file))


def test_the_images_of_the_base_stay_with_the_base() -> None:
    own = compile_own("acme-tracker", spec(pattern="dependencytrack/apiserver"))
    assert "acme-tracker" in combine(builtin(), [own]).rejected
    replacing = compile_own("dependency-track", spec(more={"overridesBuiltin": True}))
    found = combine(builtin(), [replacing]).catalogue
    assert found.match_image("acme/tracker:1", "main") is not None
    assert found.match_image("dependencytrack/apiserver:4.14.3", "main") is None
