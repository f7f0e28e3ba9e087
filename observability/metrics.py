"""The names of the metrics that alerts and dashboards ask for, from the code that shows them."""

from __future__ import annotations

from fleet_telemetry.reporting import (
    fleet_metrics,
    host_metrics,
    namespace_metrics,
    observed_metrics,
    policy_metrics,
    workload_metrics,
)
from fleet_telemetry.reporting.families import PREFIX

WORKLOADS = fleet_metrics.WORKLOADS.full_name
WITHOUT_POLICY = fleet_metrics.WITHOUT_POLICY.full_name
SUBMITTING = fleet_metrics.SUBMITTING.full_name
SUBMITTED_LATE = fleet_metrics.SUBMITTED_LATE.full_name
CONTACTED = fleet_metrics.CONTACTED.full_name
CHECKED = fleet_metrics.CHECKED.full_name

WORKLOAD_INFO = workload_metrics.INFO.full_name
WORKLOAD_STATE = workload_metrics.STATE.full_name
ENABLED = workload_metrics.ENABLED.full_name
LAST_SUBMISSION = workload_metrics.LAST_SUBMISSION.full_name
COMPLIANT_SINCE = workload_metrics.COMPLIANT_SINCE.full_name
NOT_COMPLIANT_SINCE = workload_metrics.NOT_COMPLIANT_SINCE.full_name
LAST_CHECK = workload_metrics.LAST_CHECK.full_name

SEEN = namespace_metrics.SEEN.full_name
TEAM = namespace_metrics.TEAM.full_name

POLICY_INFO = policy_metrics.INFO.full_name
POLICY_CONDITION = policy_metrics.CONDITION.full_name
OVERRULED = policy_metrics.OVERRULED.full_name
EXCEPTION_INFO = policy_metrics.EXCEPTION.full_name
EXCEPTION_EXPIRY = policy_metrics.EXPIRY.full_name

LOOKUPS = observed_metrics.LOOKUPS.full_name
LOOKUPS_OF_NOBODY = observed_metrics.UNATTRIBUTED.full_name
FRAMES = observed_metrics.FRAMES.full_name
CONNECTIONS_REFUSED = observed_metrics.REFUSED.full_name
SOURCE_CONNECTED = observed_metrics.CONNECTED.full_name
COMPLETE_SINCE = observed_metrics.COMPLETE.full_name

EGRESS = fleet_metrics.EGRESS.full_name
HOST_ADDRESSES = host_metrics.ADDRESSES.full_name
HOST_ANSWERED = host_metrics.ANSWERED.full_name
HOST_CONDITION = host_metrics.CONDITION.full_name
HOST_REFUSED = host_metrics.REFUSED.full_name

ADMISSION_REQUESTS = f"{PREFIX}_admission_requests_total"
ADMISSION_REFUSED = f"{PREFIX}_admission_refused_requests_total"
ADMISSION_DURATION = f"{PREFIX}_admission_duration_seconds"
API_REQUESTS = f"{PREFIX}_api_requests_total"
RECONCILES = f"{PREFIX}_reconciles_total"
RECONCILE_DURATION = f"{PREFIX}_reconcile_duration_seconds"
QUEUE_DEPTH = f"{PREFIX}_queue_depth"
QUEUE_OLDEST = f"{PREFIX}_queue_oldest_seconds"
QUEUE_DURATION = f"{PREFIX}_queue_duration_seconds"
LONGEST_RUNNING = f"{PREFIX}_reconcile_longest_running_seconds"
LEADER = f"{PREFIX}_leader"
VENDOR_CHECKS = f"{PREFIX}_vendor_checks_total"
VENDOR_CHECK_DURATION = f"{PREFIX}_vendor_check_duration_seconds"
DRIFT = f"{PREFIX}_drift_total"
REMEDIATIONS = f"{PREFIX}_remediations_total"
SYNCED = f"{PREFIX}_synced"
WATCH_ALIVE = f"{PREFIX}_watch_alive"
LAST_EVENT = f"{PREFIX}_watch_last_event_timestamp_seconds"
CERTIFICATE_EXPIRY = f"{PREFIX}_webhook_certificate_expiry_timestamp_seconds"
BUILD_INFO = f"{PREFIX}_build_info"
