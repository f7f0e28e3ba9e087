from __future__ import annotations

import json
from typing import Any

import pytest

from fleet_telemetry.model.manifest import TEMPLATE_PATHS, read_claims
from fleet_telemetry.model.workload import FIELD_MANAGER, NUDGE_MANAGER, Claims
from tests.model.manifests import KINDS, managed_env


def _claims(*managed: Any, kind: str = "Deployment") -> Claims:
    return read_claims({"managedFields": list(managed)}, TEMPLATE_PATHS[kind])


@pytest.mark.parametrize("kind", [*KINDS, "Pod"])
def test_a_manager_of_a_variable_claims_it(kind: str) -> None:
    claims = _claims(managed_env(kind, ("web", "A"), ("web", "B"), ("sidecar", "C")), kind=kind)
    assert claims.known
    assert claims.entries == {("web", "A"), ("web", "B"), ("sidecar", "C")}
    assert claims.covers("web", "A")
    assert claims.covers("sidecar", "C")


@pytest.mark.parametrize(
    ("container", "variable"),
    [("web", "Z"), ("sidecar", "A"), ("other", "A"), ("web", ""), ("", "A"), ("web", "a")],
)
def test_what_no_manager_names_is_nobodys(container: str, variable: str) -> None:
    assert not _claims(managed_env("Deployment", ("web", "A"))).covers(container, variable)


@pytest.mark.parametrize("managed", [None, [], "text", {}, 7, [None], ["text"]])
def test_without_managed_fields_everything_counts_as_claimed(managed: object) -> None:
    claims = read_claims({"managedFields": managed}, ("spec", "template"))
    assert claims == Claims(known=False)
    assert claims.covers("web", "ANYTHING")


def test_without_any_metadata_everything_counts_as_claimed() -> None:
    assert read_claims({}, ("spec", "template")).covers("web", "ANYTHING")


def test_all_managers_add_up() -> None:
    claims = _claims(
        managed_env("Deployment", ("web", "A"), manager="helm"),
        managed_env("Deployment", ("web", "B"), manager="kubectl-edit"),
        managed_env("Deployment", ("web", "A"), manager="argocd-controller"),
    )
    assert claims.entries == {("web", "A"), ("web", "B")}


def test_what_we_hold_ourselves_is_no_claim() -> None:
    claims = _claims(
        managed_env("Deployment", ("web", "OURS"), ("web", "BOTH"), manager=FIELD_MANAGER),
        managed_env("Deployment", ("web", "BOTH"), manager="helm"),
    )
    assert claims.known
    assert not claims.covers("web", "OURS")
    assert claims.covers("web", "BOTH")


@pytest.mark.parametrize(
    "manager", ["", "fleet-telemetry2", "fleet", "Fleet-Telemetry", NUDGE_MANAGER]
)
def test_a_manager_of_a_similar_name_is_somebody_else(manager: str) -> None:
    assert _claims(managed_env("Deployment", ("web", "A"), manager=manager)).covers("web", "A")


def test_managers_of_other_fields_claim_no_variable_but_make_the_rest_known() -> None:
    claims = _claims(
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
    assert claims == Claims(known=True)


@pytest.mark.parametrize("kind", ["Deployment", "CronJob", "Pod"])
@pytest.mark.parametrize("other", ["Deployment", "CronJob", "Pod"])
def test_claims_are_looked_for_where_the_kind_has_its_template(kind: str, other: str) -> None:
    claims = _claims(managed_env(other, ("web", "A")), kind=kind)
    assert claims.covers("web", "A") is (kind == other)


def test_init_containers_hold_no_claims_of_main_containers() -> None:
    entry = managed_env("Deployment", ("web", "A"))
    fields = entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]
    fields["f:initContainers"] = fields.pop("f:containers")
    assert _claims(entry) == Claims(known=True)


@pytest.mark.parametrize(
    "name", ["A.B-C_D", 'with "quotes"', "back\\slash", "\u00e9", "k:", '{"name":"x"}']
)
def test_keys_are_read_as_json_and_not_cut_apart(name: str) -> None:
    key = "k:" + json.dumps({"name": name})
    containers = {'k:{"name":"web"}': {"f:env": {key: {}}}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    assert _claims({"manager": "helm", "fieldsV1": fields}).entries == {("web", name)}


@pytest.mark.parametrize(
    "key",
    [".", "f:name", "v:1", "i:0", "k:", "k:{", "k:null", "k:[]", 'k:"web"', 'k:{"name":7}', "k:{}"],
)
def test_keys_that_name_nothing_are_passed_over(key: str) -> None:
    env = {"f:env": {key: {}, 'k:{"name":"A"}': {}}}
    containers = {key: env, 'k:{"name":"web"}': env}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    assert _claims({"manager": "helm", "fieldsV1": fields}).entries == {("web", "A")}


def test_a_container_that_is_claimed_whole_without_variables_claims_none() -> None:
    fields = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': None}}}},
    }
    assert _claims({"manager": "helm", "fieldsV1": fields}) == Claims(known=True)
