"""The worst of all channels of a workload, and the labels to select workloads by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleet_telemetry.api.workload_telemetry import (
    ChannelStatus,
    Sends,
    State,
    WorkloadSummary,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.objects.labels import is_label_value

PRODUCT_LABEL = "fleettelemetry.io/product"
SENDS_LABEL = "fleettelemetry.io/sends"
STATE_LABEL = "fleettelemetry.io/state"
PRODUCT_PREFIX = "product.fleettelemetry.io/"
_SENDS_FIRST = (Sends.YES, Sends.UNKNOWN, Sends.NO, None)
_WORST_FIRST = (
    *(State.NON_COMPLIANT, State.NOT_ENFORCEABLE, State.UNKNOWN, State.PENDING),
    None,  # no policy covers it
    *(State.COMPLIANT, State.EXEMPT),
)


def summarize(
    verdicts: Sequence[Verdict], channels: Sequence[ChannelStatus]
) -> WorkloadSummary | None:
    """The worst of all channels, of as many verdicts as channels; None if there are none."""
    pairs = list(zip(verdicts, channels, strict=True))
    if not pairs:
        return None
    verdict, channel = min(pairs, key=lambda pair: _urgency(pair[1]))
    covered = [pair for pair in pairs if pair[1].state is not None]
    asked, judged = min(
        covered, key=lambda pair: _WORST_FIRST.index(pair[1].state), default=(None, None)
    )
    return WorkloadSummary(
        policy=judged.policy.name if judged is not None and judged.policy else None,
        desired=asked.desired if asked is not None else None,
        state=judged.state if judged is not None else None,
        state_channel=judged.name if judged is not None else None,
        reason=judged.reason if judged is not None else channel.sends_reason,
        sends=channel.sends,
        channel=channel.name,
        product=verdict.product,
        declared=channel.declared,
        running=channel.running,
        reported=channel.reported,
        egress=channel.egress,
        observed=channel.observed,
        provenance=channel.provenance,
    )


def _urgency(channel: ChannelStatus) -> tuple[int, int]:
    return _SENDS_FIRST.index(channel.sends), _WORST_FIRST.index(channel.state)


def is_labelled(
    live: Mapping[str, str], before: WorkloadTelemetryStatus, status: WorkloadTelemetryStatus
) -> bool:
    """Whether a live object has the labels of a status, and none that only its status before had.
    Labels of other names are their authors'."""
    labels = labels_of(status)
    return labels.items() <= live.items() and labels_of(before).keys() <= labels.keys()


def labels_of(status: WorkloadTelemetryStatus) -> Mapping[str, str]:
    """The labels of a WorkloadTelemetry with this status."""
    return {key: value for key, value in _labels(status) if value and is_label_value(value)}


def _labels(status: WorkloadTelemetryStatus) -> Iterator[tuple[str, str]]:
    yield "app.kubernetes.io/managed-by", "fleet-telemetry"
    if status.product is None:
        return
    yield PRODUCT_LABEL, status.product
    for product in {channel.product or status.product for channel in status.channels}:
        if product and is_label_value(product):
            yield f"{PRODUCT_PREFIX}{product}", "true"
    if status.summary is not None and status.summary.sends is not None:
        yield SENDS_LABEL, status.summary.sends
    if status.summary is not None and status.summary.state is not None:
        yield STATE_LABEL, status.summary.state
