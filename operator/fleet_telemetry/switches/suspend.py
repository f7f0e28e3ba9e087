"""The mechanism ``suspend``: a CronJob that does nothing but call home starts no more Jobs.

The field ``spec.suspend`` is the CronJob's, so nothing in a container changes. The API server
writes ``false`` where a manifest has nothing. So ``false`` is nobody's decision, and reads as
unset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.objects.manifest import Manifest, mapping_at
from fleet_telemetry.switches.edits import Edit, EditCause
from fleet_telemetry.switches.mechanism import Operation
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, setting_of
from fleet_telemetry.workloads.workload import Container, EnvVar

FIELD = "spec.suspend"
SUSPENDED = "true"
_POINTER = "/spec/suspend"


class SuspendMechanism:
    """The one entry is ``spec.suspend: true`` of the container's CronJob."""

    name = "suspend"

    def handles(self, switch: Switch) -> bool:
        """See SwitchMechanism."""
        return switch.suspend

    def label(self, switch: Switch) -> str:
        """See SwitchMechanism."""
        del switch
        return FIELD

    def is_named(self, switch: Switch, name: str) -> bool:
        """No variable is the switch."""
        del switch, name
        return False

    def find(self, container: Container, switch: Switch) -> EnvVar | None:
        """See SwitchMechanism."""
        del switch
        return EnvVar(FIELD, SUSPENDED, is_suspension=True) if is_suspended(container) else None

    def read(self, container: Container, switch: Switch) -> SwitchReading:
        """A pod that runs calls home, whatever its CronJob says by now."""
        del switch
        if is_suspended(container):
            return SwitchReading(Setting.DISABLED, ReadingSource.VARIABLE, FIELD)
        return SwitchReading(Setting.UNSET, ReadingSource.NOTHING)

    def setting_of(self, switch: Switch, value: str) -> Setting:
        """See SwitchMechanism."""
        del switch
        return Setting.DISABLED if value == SUSPENDED else Setting.UNSET

    def value_for(self, switch: Switch, desired: Submission) -> str | None:
        """See SwitchMechanism."""
        del switch
        return SUSPENDED if desired is Submission.DISABLED else None

    def may_have_written(self, switch: Switch, entry: EnvVar) -> bool:
        """See SwitchMechanism."""
        del switch
        return entry.is_suspension

    def is_met(self, container: Container, switch: Switch, desired: Submission) -> bool:
        """See SwitchMechanism."""
        del switch
        return is_suspended(container) is (setting_of(desired) is Setting.DISABLED)

    def obstacle(
        self, target: MatchedContainer, switch: Switch, desired: Submission
    ) -> Reason | None:
        """Only a CronJob can be suspended, and then all that it runs stops."""
        del switch
        schedule = target.container.schedule
        if desired is not Submission.DISABLED:
            return None
        if schedule is None:
            return Reason.NO_EFFECTIVE_SWITCH
        return None if schedule.alone else Reason.CRON_JOB_RUNS_MORE

    def patch(
        self, pointer: str, container: Manifest, edits: Sequence[Edit]
    ) -> Iterator[Operation]:
        """Adding replaces what is there."""
        del pointer, container
        for edit in edits[-1:]:
            yield {"op": "add", "path": _POINTER, "value": edit.value is not None}


def is_suspended(container: Container) -> bool:
    """Whether the container's CronJob is suspended."""
    return container.schedule is not None and container.schedule.suspended


def resumption(container: Container) -> Edit:
    """The edit that takes a suspension back."""
    return Edit(
        container=container.index,
        container_name=container.name,
        name=FIELD,
        value=None,
        cause=EditCause.REVERTED,
        mechanism=SuspendMechanism.name,
    )


def disown_suspension(manifest: Manifest, edits: Iterable[Edit]) -> Iterator[Operation]:
    """The operations that take ``spec.suspend`` from its field managers, if the edits suspend the
    CronJob.

    Whoever creates a CronJob also owns the ``false`` that the API server adds. He did not decide on
    ``true``, and nothing else shows that the ``true`` is not his own. A patch by admission may
    change managed fields (kubernetes/apimachinery@v0.36.0: pkg/util/managedfields/fieldmanager.go;
    kubernetes/apiserver: pkg/endpoints/handlers/fieldmanager/admission.go).
    """
    if not any(edit.mechanism == SuspendMechanism.name and edit.value for edit in edits):
        return
    managed = mapping_at(manifest, "metadata").get("managedFields")
    for index, entry in reversed(list(enumerate(managed if isinstance(managed, list) else ()))):
        fields = mapping_at(entry, "fieldsV1") if isinstance(entry, dict) else {}
        spec = mapping_at(fields, "f:spec")
        if "f:suspend" not in spec:
            continue
        pointer = f"/metadata/managedFields/{index}"
        # An empty set of fields would mean the whole of spec.
        if len(spec) > 1:
            pointer += "/fieldsV1/f:spec/f:suspend"
        elif len(fields) > 1:
            pointer += "/fieldsV1/f:spec"
        yield {"op": "remove", "path": pointer}
