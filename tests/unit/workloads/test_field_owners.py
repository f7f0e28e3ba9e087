from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.workloads.field_owner_reading import read_field_owners
from fleet_telemetry.workloads.registry import TEMPLATE_PATHS
from fleet_telemetry.workloads.workload import FIELD_MANAGER, NO_OP_PATCH_MANAGER, FieldOwners
from tests.support.vendor_manifests import KINDS, managed_env


def _owners(*managed: Any, kind: str = "Deployment") -> FieldOwners:
    return read_field_owners({"managedFields": list(managed)}, TEMPLATE_PATHS[kind])


@pytest.mark.parametrize("kind", [*KINDS, "Pod"])
def test_a_manager_of_a_variable_owns_it(kind: str) -> None:
    owners = _owners(managed_env(kind, ("web", "A"), ("web", "B"), ("sidecar", "C")), kind=kind)
    assert owners.known
    assert owners.entries == {("web", "A"), ("web", "B"), ("sidecar", "C")}
    assert owners.covers("web", "A")
    assert owners.covers("sidecar", "C")


@pytest.mark.parametrize(
    ("container", "variable"),
    [("web", "Z"), ("sidecar", "A"), ("other", "A"), ("web", ""), ("", "A"), ("web", "a")],
)
def test_what_no_manager_names_is_nobodys(container: str, variable: str) -> None:
    assert not _owners(managed_env("Deployment", ("web", "A"))).covers(container, variable)


@pytest.mark.parametrize("managed", [None, [], "text", {}, 7, [None], ["text"]])
def test_without_managed_fields_everything_counts_as_owned(managed: object) -> None:
    owners = read_field_owners({"managedFields": managed}, ("spec", "template"))
    assert owners == FieldOwners(known=False)
    assert owners.covers("web", "ANYTHING")


def test_without_any_metadata_everything_counts_as_owned() -> None:
    assert read_field_owners({}, ("spec", "template")).covers("web", "ANYTHING")


def test_all_managers_add_up() -> None:
    owners = _owners(
        managed_env("Deployment", ("web", "A"), manager="helm"),
        managed_env("Deployment", ("web", "B"), manager="kubectl-edit"),
        managed_env("Deployment", ("web", "A"), manager="argocd-controller"),
    )
    assert owners.entries == {("web", "A"), ("web", "B")}


def test_what_the_operator_owns_counts_as_unowned() -> None:
    owners = _owners(
        managed_env("Deployment", ("web", "OURS"), ("web", "BOTH"), manager=FIELD_MANAGER),
        managed_env("Deployment", ("web", "BOTH"), manager="helm"),
    )
    assert owners.known
    assert not owners.covers("web", "OURS")
    assert owners.covers("web", "BOTH")


@pytest.mark.parametrize(
    "manager", ["", "fleet-telemetry2", "fleet", "Fleet-Telemetry", NO_OP_PATCH_MANAGER]
)
def test_a_manager_of_a_similar_name_is_somebody_else(manager: str) -> None:
    assert _owners(managed_env("Deployment", ("web", "A"), manager=manager)).covers("web", "A")


def test_managers_of_other_fields_own_no_variable_but_make_the_rest_known() -> None:
    owners = _owners(
        {
            "manager": "kube-controller-manager",
            "operation": "Update",
            "subresource": "status",
            "fieldsV1": {"f:status": {"f:replicas": {}}},
        },
        {
            "manager": "scaler",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:template": {
                        "f:spec": {
                            "f:containers": {
                                'k:{"name":"web"}': {
                                    "f:image": {},
                                    "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {}},
                                }
                            }
                        }
                    },
                }
            },
        },
    )
    assert owners == FieldOwners(known=True)


@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "Pod"])
@pytest.mark.parametrize("other", ["Deployment", "CronJob", "Pod"])
def test_owners_are_read_where_the_kind_has_its_template(kind: str, other: str) -> None:
    owners = _owners(managed_env(other, ("web", "A")), kind=kind)
    assert owners.covers("web", "A") is (kind == other)


def test_owners_of_init_containers_count_too() -> None:
    """They may be native sidecars. A name is unique in both lists."""
    entry = managed_env("Deployment", ("web", "A"))
    fields = entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]
    fields["f:initContainers"] = fields.pop("f:containers")
    assert _owners(entry) == FieldOwners(known=True, entries=frozenset({("web", "A")}))


@pytest.mark.parametrize(
    "name", ["A.B-C_D", 'with "quotes"', "back\\slash", "\u00e9", "k:", '{"name":"x"}']
)
def test_keys_are_read_as_json_and_not_cut_apart(name: str) -> None:
    key = "k:" + json.dumps({"name": name})
    containers = {'k:{"name":"web"}': {"f:env": {key: {}}}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    assert _owners({"manager": "helm", "fieldsV1": fields}).entries == {("web", name)}


@pytest.mark.parametrize(
    "key",
    [".", "f:name", "v:1", "i:0", "k:", "k:{", "k:null", "k:[]", 'k:"web"', 'k:{"name":7}', "k:{}"],
)
def test_keys_that_name_nothing_are_passed_over(key: str) -> None:
    env = {"f:env": {key: {}, 'k:{"name":"A"}': {}}}
    containers = {key: env, 'k:{"name":"web"}': env}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    assert _owners({"manager": "helm", "fieldsV1": fields}).entries == {("web", "A")}


def test_an_owner_of_a_container_without_variables_owns_none() -> None:
    fields = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': None}}}},
    }
    assert _owners({"manager": "helm", "fieldsV1": fields}) == FieldOwners(known=True)


def test_a_manager_of_the_whole_list_of_containers_leaves_the_owners_unknown() -> None:
    # So it is with custom resources whose CRD does not declare the list a map by name.
    whole = {"manager": "kubectl", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}}
    whole["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"] = {}  # type: ignore[index]
    owners = _owners(whole, managed_env("Deployment", ("web", "A")))
    assert not owners.known
    assert owners.covers("web", "Z")


def test_only_what_tools_write_back_is_restored() -> None:
    def entry(manager: str, *names: str, operation: str = "Update") -> Any:
        managed = managed_env("Deployment", *(("web", name) for name in names), manager=manager)
        return {**managed, "operation": operation}

    owners = _owners(
        entry("kubectl", "A", "B", "C"),
        entry("helm", "B"),
        entry("kubectl-edit", "D"),
        entry("kubectl", "E", operation="Apply"),
    )
    assert owners.restored == {("web", "A"), ("web", "C"), ("web", "D")}
    assert all(owners.covers("web", name) for name in "ABCDE")
    assert [name for name in "ABCDEZ" if owners.declares("web", name)] == ["B", "E"]


@given(
    st.text(max_size=12) | st.text('"\\{}:, \x00\x1fé', max_size=12),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_names_are_read_however_json_writes_them(
    name: str, ascii_only: bool, separators: tuple[str, str]
) -> None:
    def key(of: str) -> str:
        return "k:" + json.dumps({"name": of}, ensure_ascii=ascii_only, separators=separators)

    path = ("spec", "template")
    fields = {
        "f:spec": {
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        key(name): {
                            "f:env": {
                                key("A"): {},
                                'k:{"port":1}': {},
                                'k:{"name":3}': {},
                                'k:{"name":"B"': {},
                                "k:[": {},
                            }
                        }
                    }
                }
            }
        }
    }
    metadata = {"managedFields": [{"manager": "me", "operation": "Apply", "fieldsV1": fields}]}
    assert read_field_owners(metadata, path).entries == {(name, "A")}
