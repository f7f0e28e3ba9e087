"""Products of the cluster's own, beside and instead of built-in ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import DefaultState
from fleet_telemetry.api.product.spec import TelemetryProductSpec
from fleet_telemetry.api.reasons import PolicyReason, Reason
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.combining import Combined, combine
from fleet_telemetry.catalogue.product import Origin, Product
from fleet_telemetry.catalogue.version import VersionSpan

CREATED = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def _product(
    name: str, *patterns: str, age: int = 0, overrides: bool = False, **image: Any
) -> Product:
    """A TelemetryProduct that is ``age`` days old."""
    spec = {
        "title": f"Our own {name}",
        "overridesBuiltin": overrides,
        "images": [{"pattern": pattern, **image} for pattern in patterns],
        "channels": [{"name": "ErrorReport", "rules": [{"default": "Off"}]}],
    }
    created = CREATED - timedelta(days=age)
    return Product.compile(
        name, msgspec.convert(spec, TelemetryProductSpec), Origin(created, created)
    )


def _combined(*products: Product) -> Combined:
    """The outcome, which is the same in whatever order they arrive."""
    first, *others = (combine(builtin(), order) for order in permutations(products))
    assert all(other == first for other in others)
    return first


def _with(*products: Product) -> Catalogue:
    combined = _combined(*products)
    assert combined.rejected == {}
    return combined.catalogue


def _name(catalogue: Catalogue, image: str, container: str = "main") -> str | None:
    found = catalogue.match_image(image, container)
    return found.product.name if found else None


def test_a_new_product_is_added_and_all_others_stay() -> None:
    catalogue = _with(_product("widget", "acme/widget"))
    assert set(catalogue.products) == {*builtin().products, "widget"}
    assert _name(catalogue, "registry:5000/acme/widget:1") == "widget"
    assert _name(catalogue, "sonarqube:lts") == "sonarqube"
    assert "acme/widget" in list(catalogue.patterns())


def test_a_product_of_the_same_name_that_says_so_replaces_the_entry_whole() -> None:
    catalogue = _with(_product("sonarqube", "acme/sonar", overrides=True))
    own = catalogue.products["sonarqube"]
    assert own.has_builtin_name
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


def test_a_product_of_the_same_name_that_does_not_say_so_is_not_in_effect() -> None:
    combined = _combined(_product("sonarqube", "acme/sonar"))
    assert combined.catalogue.products == builtin().products
    rejection = combined.rejected["sonarqube"]
    assert rejection.reason is PolicyReason.BUILTIN_NOT_OVERRIDDEN
    assert "spec.overridesBuiltin: true" in rejection.message


def test_a_product_of_another_name_says_so_without_effect() -> None:
    # The built-in product of that name may come with the next version.
    catalogue = _with(_product("widget", "acme/widget", overrides=True))
    assert not catalogue.products["widget"].has_builtin_name


@pytest.mark.parametrize("overrides", [True, False])
@pytest.mark.parametrize(
    "pattern", ["emqx/emqx", "emqx", "mirror/emqx/emqx", "emqx/em*", "*/emqx", "???x", "*/emq?"]
)
def test_no_product_takes_an_image_of_a_built_in_one(pattern: str, *, overrides: bool) -> None:
    thief = _product("zz-broker", "acme/broker", pattern, age=9999, overrides=overrides)
    combined = _combined(thief)
    assert combined.catalogue.products == builtin().products
    rejection = combined.rejected["zz-broker"]
    assert rejection.reason is PolicyReason.CONFLICT
    assert f"the image {pattern} belongs to the built-in product emqx" in rejection.message
    # An image that is free does not come with those that are not.
    assert _name(combined.catalogue, "acme/broker:1") is None


def test_replacing_one_built_in_product_takes_nothing_of_another() -> None:
    combined = _combined(_product("sonarqube", "sonarqube", "emqx/emqx", overrides=True))
    assert combined.catalogue.products == builtin().products
    assert "emqx" in combined.rejected["sonarqube"].message


def test_of_two_products_with_an_image_the_older_has_it() -> None:
    older, newer = _product("zz", "acme/widget*", age=2), _product("aa", "acme/widget", age=1)
    combined = _combined(older, newer)
    assert _name(combined.catalogue, "acme/widget:1") == "zz"
    assert combined.rejected["aa"].reason is PolicyReason.CONFLICT
    assert "the TelemetryProduct zz" in combined.rejected["aa"].message
    assert list(combined.rejected) == ["aa"]


def test_of_two_products_of_one_age_the_first_by_name_has_the_image() -> None:
    combined = _combined(_product("b", "acme/widget"), _product("a", "acme/widget"))
    assert list(combined.rejected) == ["b"]


def test_what_loses_takes_no_image_from_others() -> None:
    oldest, between, newest = (
        _product("a", "acme/one", age=3),
        _product("b", "acme/one", "acme/two", age=2),
        _product("c", "acme/two", age=1),
    )
    combined = _combined(oldest, between, newest)
    assert list(combined.rejected) == ["b"]
    assert _name(combined.catalogue, "acme/two:1") == "c"


def test_an_image_that_a_replacement_gives_up_is_free() -> None:
    replacement = _product("emqx", "acme/emqx-own", overrides=True, age=1)
    waiting = _product("broker", "emqx/emqx-enterprise", age=5)
    catalogue = _with(replacement, waiting)
    assert _name(catalogue, "emqx/emqx-enterprise:5.8.6") == "broker"


def test_an_excluded_tag_frees_no_image() -> None:
    # Whether the exclusions of two products leave nothing in common cannot be told in general.
    combined = _combined(_product("ours", "sonarqube", excludeTags=["*-community"]))
    assert list(combined.rejected) == ["ours"]


def test_too_many_patterns_are_refused_from_the_youngest_on() -> None:
    crowd = [
        _product(f"p{n:02}", *(f"acme/p{n:02}-{m:02}" for m in range(32)), age=99 - n)
        for n in range(18)
    ]
    combined = combine(builtin(), crowd)
    assert set(combined.rejected) == {"p16", "p17"}
    assert {one.reason for one in combined.rejected.values()} == {PolicyReason.TOO_MANY_PATTERNS}


def test_overriding_changes_neither_the_built_in_catalogue_nor_what_is_given() -> None:
    before = dict(builtin().products)
    given = {"widget": _product("widget", "acme/widget")}
    combine(builtin(), given.values())
    assert dict(builtin().products) == before
    assert list(given) == ["widget"]


def test_nothing_of_its_own_leaves_everything_as_it_is() -> None:
    assert combine(builtin(), ()) == Combined(builtin())


def test_without_any_product_nothing_is_recognised() -> None:
    assert Catalogue({}).match_image("sonarqube:lts", "sonarqube") is None
    assert list(Catalogue({}).patterns()) == []


def test_the_first_image_that_matches_counts_also_where_it_excludes() -> None:
    spec = {
        "title": "Widget",
        "images": [
            {"pattern": "widget", "edition": "first", "excludeContainers": ["*-init", "proxy"]},
            {"pattern": "acme/widget", "edition": "second"},
            {"pattern": "wod*", "edition": "third"},
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
