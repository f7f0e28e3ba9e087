"""The commands ``fleet-telemetry webhook``, ``controller`` and ``all``."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Any

import click

from fleet_telemetry.app.options import EgressSettings, ObservedSettings, Options, Role
from fleet_telemetry.cli.extra import operator_packages
from fleet_telemetry.cli.options import (
    CONTROLLER_OPTIONS,
    EGRESS_OPTIONS,
    OBSERVED_OPTIONS,
    SERVE_OPTIONS,
    WEBHOOK_OPTIONS,
    with_options,
)


@click.command
@with_options((*SERVE_OPTIONS, *WEBHOOK_OPTIONS))
def webhook(**given: Any) -> None:
    """Serve admission requests. All replicas serve."""
    _serve(Role.WEBHOOK, **given)


@click.command
@with_options((*SERVE_OPTIONS, *CONTROLLER_OPTIONS, *EGRESS_OPTIONS, *OBSERVED_OPTIONS))
def controller(**given: Any) -> None:
    """Decide, write and report. Of several replicas, only the leader does."""
    _serve(Role.CONTROLLER, **given)


@click.command(name="all")
@with_options(
    (
        *SERVE_OPTIONS,
        *WEBHOOK_OPTIONS,
        *CONTROLLER_OPTIONS,
        *EGRESS_OPTIONS,
        *OBSERVED_OPTIONS,
    )
)
def all_roles(**given: Any) -> None:
    """Run the webhook and the controller in one process, for development."""
    _serve(Role.ALL, **given)


def _serve(role: Role, *, log_format: str, log_level: str, **given: Any) -> None:
    # The other commands do without these, and not everyone has them.
    with operator_packages(role.value):
        import uvloop  # noqa: PLC0415

        from fleet_telemetry.kube.official_client import (  # noqa: PLC0415
            import_only_what_is_asked_for,
        )

        import_only_what_is_asked_for()
        from fleet_telemetry.app.process import run  # noqa: PLC0415
        from fleet_telemetry.kube.kubeconfig import KubeconfigError  # noqa: PLC0415
        from fleet_telemetry.reporting.log_lines import set_up_logging  # noqa: PLC0415

    set_up_logging(log_format, log_level)
    egress = EgressSettings(**_taken(given, EgressSettings))
    observed = ObservedSettings(**_taken(given, ObservedSettings))
    options = Options(role=role, egress=egress, observed=observed, **given)
    if role.runs_controller:
        _check_egress(options.egress)
        _check_observed(options)
    if role.serves_webhook:
        _check_certificate(options)
        _check_clients(options)
    try:
        uvloop.run(run(options))
    except (OSError, KubeconfigError) as error:
        sys.exit(f"fleet-telemetry: {error}")


def _taken(given: dict[str, Any], settings: type[EgressSettings | ObservedSettings]) -> Any:
    """The options that belong to the settings, taken out of those given."""
    return {one.name: given.pop(one.name) for one in fields(settings) if one.name in given}


def _check_observed(options: Options) -> None:
    # Only the controller's process needs it.
    from fleet_telemetry.app.observed import observer_options  # noqa: PLC0415

    try:
        observer_options(options)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _check_egress(settings: EgressSettings) -> None:
    # Only the controller's process needs it.
    from fleet_telemetry.app.controller import check_egress  # noqa: PLC0415

    try:
        check_egress(settings)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except OSError as error:
        raise click.UsageError(f"{error}; name the servers with --dns-server") from None


def _check_clients(options: Options) -> None:
    # Only the webhook's process needs it.
    from fleet_telemetry.admission.certificates.serving import serving_context  # noqa: PLC0415

    if options.client_names and not options.client_ca:
        raise click.UsageError("--client-name needs --client-ca-file")
    try:
        serving_context(options.client_ca)
    except OSError as error:
        raise click.UsageError(f"--client-ca-file {options.client_ca}: {error}") from None


def _check_certificate(options: Options) -> None:
    files = (options.tls_certificate, options.tls_key)
    if any(files) == bool(options.tls_secret) or any(files) != all(files):
        raise click.UsageError("give either --tls-secret or both --tls-certificate and --tls-key")
    if options.ca_secret and not (options.tls_secret and options.webhook_configuration):
        raise click.UsageError("--ca-secret needs --tls-secret and --webhook-configuration")
