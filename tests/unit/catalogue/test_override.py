"""Products of the cluster's own, beside and instead of built-in ones."""

from __future__ import annotations

from typing import Any

import msgspec

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product import DefaultState, TelemetryProductSpec
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.catalogue.version import VersionSpan


def _product(name: str, *patterns: str, **image: Any) -> Product:
    spec = {
        "title": f"Our own {name}",
        "images": [{"pattern": pattern, **image} for pattern in patterns],
        "channels": [{"name": "ErrorReport", "rules": [{"default": "Off"}]}],
    }
    return Product.compile(name, msgspec.convert(spec, TelemetryProductSpec))


def _with(*products: Product) -> Catalogue:
    return builtin().overridden_by({product.name: product for product in products})


def _name(catalogue: Catalogue, image: str, container: str = "main") -> str | None:
    found = catalogue.match_image(image, container)
    return found.product.name if found else None


def test_a_new_product_is_added_and_all_others_stay() -> None:
    catalogue = _with(_product("widget", "acme/widget"))
    assert set(catalogue.products) == {*builtin().products, "widget"}
    assert _name(catalogue, "registry:5000/acme/widget:1") == "widget"
    assert _name(catalogue, "sonarqube:lts") == "sonarqube"
    assert "acme/widget" in list(catalogue.patterns())


def test_a_product_of_the_same_name_replaces_the_entry_whole() -> None:
    catalogue = _with(_product("sonarqube", "acme/sonar"))
    own = catalogue.products["sonarqube"]
    assert len(catalogue.products) == len(builtin().products)
    # Nothing of the built-in entry is left: no image, no channel, no switch, no host.
    assert _name(catalogue, "sonarqube:lts") is None
    assert _name(catalogue, "acme/sonar:1") == "sonarqube"
    assert [channel.name for channel in own.spec.channels] == [ChannelName.ERROR_REPORT]
    assert own.all_switches == ()
    assert list(own.switches()) == []
    image = own.spec.images[0]
    assert not own.has_channel(ChannelName.USAGE, image)
    assert own.harmless_rule(ChannelName.USAGE, image) is None
    assert own.rule_for(ChannelName.USAGE, image, None).rule is None


def test_own_products_are_asked_first_so_that_they_can_claim_built_in_images() -> None:
    catalogue = _with(_product("zz-broker", "emqx/emqx"))
    assert _name(catalogue, "emqx/emqx:5.8.9") == "zz-broker"
    assert _name(catalogue, "library/emqx:5.8.9") == "emqx"
    assert next(iter(catalogue.products)) == "zz-broker"


def test_of_two_own_products_the_first_by_name_counts_however_they_arrive() -> None:
    one, other = _product("b", "acme/*"), _product("a", "acme/widget")
    for arrival in ((one, other), (other, one)):
        assert _name(_with(*arrival), "acme/widget:1") == "a"
        assert _name(_with(*arrival), "acme/gadget:1") == "b"


def test_an_exclusion_leaves_the_image_to_the_next_product() -> None:
    catalogue = _with(_product("ours", "sonarqube", excludeTags=["*-community"]))
    assert _name(catalogue, "sonarqube:26.7.0-developer") == "ours"
    assert _name(catalogue, "sonarqube:26.7.0-community") == "sonarqube"


def test_overriding_changes_neither_the_built_in_catalogue_nor_what_is_given() -> None:
    before = dict(builtin().products)
    given = {"widget": _product("widget", "acme/widget")}
    builtin().overridden_by(given)
    assert dict(builtin().products) == before
    assert list(given) == ["widget"]


def test_nothing_of_its_own_leaves_everything_as_it_is() -> None:
    assert builtin().overridden_by({}).products == builtin().products


def test_without_any_product_nothing_is_recognised() -> None:
    assert Catalogue({}).match_image("sonarqube:lts", "sonarqube") is None
    assert list(Catalogue({}).patterns()) == []


def test_the_first_image_that_matches_counts_also_where_it_excludes() -> None:
    spec = {
        "title": "Widget",
        "images": [
            {"pattern": "widget", "edition": "first", "excludeContainers": ["*-init", "proxy"]},
            {"pattern": "acme/widget", "edition": "second"},
            {"pattern": "w*", "edition": "third"},
        ],
        "channels": [{"name": "Usage"}],
    }
    catalogue = _with(Product.compile("widget", msgspec.convert(spec, TelemetryProductSpec)))
    editions = {
        (image, container): found.image.edition
        for image in ("acme/widget:1", "wodget:1")
        for container in ("main", "db-init", "proxy", "proxy2")
        if (found := catalogue.match_image(image, container))
    }
    assert editions == {
        ("acme/widget:1", "main"): "first",
        ("acme/widget:1", "proxy2"): "first",
        **{("wodget:1", name): "third" for name in ("main", "db-init", "proxy", "proxy2")},
    }


def test_a_rule_without_versions_holds_for_a_version_that_cannot_be_read() -> None:
    product = _product("widget", "acme/widget")
    image = product.spec.images[0]
    for span in (None, VersionSpan.parse("1.0.0"), VersionSpan.parse("1")):
        found = product.rule_for(ChannelName.ERROR_REPORT, image, span)
        assert found.rule is not None
        assert found.rule.default is DefaultState.OFF


def test_a_channel_that_a_product_does_not_have_has_no_rule() -> None:
    product = _product("widget", "acme/widget")
    image = product.spec.images[0]
    version = VersionSpan.parse("1.0.0")
    covered = product.rule_for(ChannelName.LICENSE, image, version)
    unreadable = product.rule_for(ChannelName.LICENSE, image, None)
    assert (covered.rule, covered.reason) == (None, Reason.VERSION_NOT_COVERED)
    assert (unreadable.rule, unreadable.reason) == (None, Reason.VERSION_UNREADABLE)
