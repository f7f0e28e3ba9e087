"""A channel of a product: its hosts, and its switches by version."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.policy import ChannelName, HostName
from fleet_telemetry.api.product.env_switch import PropertyName, SwitchName, spelt_in_capitals
from fleet_telemetry.api.product.names import Label, Source
from fleet_telemetry.api.product.setting import DefaultState
from fleet_telemetry.api.product.switch import SWITCH_RULES, Switch
from fleet_telemetry.api.product.versions import Versions
from fleet_telemetry.api.schema import ApiType, Pattern, Rule, described

_RANGE_PROVIDER = Pattern(
    r"^(Cloudflare)$",
    "the only provider that is known is Cloudflare",
    cheap="self == 'Cloudflare'",
)


class Sender(StrEnum):
    """What connects to a host."""

    POD = "Pod"
    BROWSER = "Browser"


class Provenance(StrEnum):
    """Where the facts of a rule come from."""

    SOURCE = "Source"
    """They were read in the vendor's source."""
    DOCUMENTATION = "Documentation"
    """They were read in the vendor's documentation alone."""
    USER = "User"
    """They are the claim of whoever wrote the TelemetryProduct."""


class RefusedVariable(ApiType, frozen=True, kw_only=True):
    """A variable that a version refuses."""

    env: SwitchName
    effect: Annotated[str, described("What happens when it is set.", min_length=1, max_length=512)]
    config_property: (
        Annotated[
            PropertyName,
            described(
                "The property of MicroProfile Config of which the variable is one spelling. Other "
                "spellings and JVM arguments are refused too."
            ),
        ]
        | None
    ) = None

    def is_named(self, name: str) -> bool:
        """Whether a variable of this name is refused."""
        return name == self.env or (
            self.config_property is not None
            and spelt_in_capitals(name) == spelt_in_capitals(self.config_property)
        )


class ChannelRule(ApiType, frozen=True, kw_only=True):
    """The rule for a channel in some versions of the product."""

    versions: Versions = ()
    editions: Annotated[
        tuple[Label, ...],
        described("Editions, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    components: Annotated[
        tuple[Label, ...],
        described("Components, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    default: Annotated[DefaultState, described("What the product does when no switch is set.")]
    switches: Annotated[
        tuple[Annotated[Switch, described("One of them.", rules=SWITCH_RULES)], ...],
        described(
            "The switches; all of them must be set, unless one is sufficient.",
            list_type="atomic",
            max_length=8,
        ),
    ] = ()
    refuses: Annotated[
        tuple[RefusedVariable, ...],
        described(
            "Switches of other versions that must not be set.",
            list_type="map",
            list_keys=("env",),
            max_length=16,
        ),
    ] = ()
    harmless_anywhere: Annotated[
        bool,
        described(
            "Whether the switches are harmless to every version, so that they are also set when "
            "the version cannot be read."
        ),
    ] = False
    leaves: Annotated[
        str,
        described(
            "What is still sent while the switches disable the channel. Then the switches alone "
            "never make it Compliant.",
            max_length=512,
        ),
    ] = ""
    grace_seconds: Annotated[
        int,
        described(
            "For how long after a pod's start the product may contact the channel's hosts although "
            "the switches disable it, for example to report the opt-out itself. A lookup in that "
            "time is shown, and does not make the channel NonCompliant.",
            ge=0,
            le=86400,
        ),
    ] = 0
    remedy: Annotated[str, described("What to do when no switch works.", max_length=1024)] = ""
    provenance: Annotated[
        Provenance,
        described(
            "Where the facts of a built-in product were read. Those of a TelemetryProduct are "
            "always User."
        ),
    ] = Provenance.SOURCE
    sources: Annotated[
        tuple[Source, ...],
        described("Where the facts were read.", list_type="atomic", max_length=16),
    ] = ()


CHANNEL_RULE_RULES = (
    Rule(
        "self.default != 'NoTelemetry' || !has(self.switches) || size(self.switches) == 0",
        "a version without telemetry has no switch",
    ),
    Rule(
        "!has(self.leaves) || size(self.leaves) == 0 || "
        "(has(self.switches) && size(self.switches) > 0)",
        "leaves says what is sent in spite of switches; a rule without a switch has a remedy",
    ),
    Rule(
        "!has(self.graceSeconds) || self.graceSeconds == 0 || "
        "(has(self.switches) && size(self.switches) > 0)",
        "graceSeconds is for a rule with switches: without one, nothing is expected to stop",
    ),
)


class Host(ApiType, frozen=True, kw_only=True):
    """A host that a channel talks to."""

    host: HostName
    port: Annotated[int, described("The TCP port.", ge=1, le=65535)] = 443
    versions: Versions = ()
    components: Annotated[
        tuple[Label, ...],
        described("Components, as images name them. Default: all.", list_type="set", max_length=8),
    ] = ()
    addresses: Annotated[
        tuple[Annotated[str, described("An IP address.", max_length=45)], ...],
        described("Addresses the vendor publishes.", list_type="set", max_length=64),
    ] = ()
    published_ranges: (
        Annotated[
            str,
            described(
                "A provider that publishes the address ranges of the host.",
                pattern=_RANGE_PROVIDER,
            ),
        ]
        | None
    ) = None
    sent_by: Annotated[
        Sender,
        described(
            "What connects to the host: the product's pods, or the browser of whoever opens the "
            "product. No network policy of a pod contains a browser."
        ),
    ] = Sender.POD
    also_serves: Annotated[
        str,
        described(
            "What else the host serves, such as updates or models. A policy that denies the host "
            "blocks that, too, so it has to accept it with sharedAddresses: Accept.",
            max_length=256,
        ),
    ] = ""


class Channel(ApiType, frozen=True, kw_only=True):
    """One reason why the product calls home."""

    name: Annotated[ChannelName, described("The reason.")]
    summary: Annotated[str, described("What is sent, by whom and when.", max_length=2048)] = ""
    hosts: Annotated[
        tuple[Host, ...],
        described(
            "The hosts that it is sent to; one entry per host, port and versions.",
            list_type="atomic",
            max_length=64,
        ),
    ] = ()
    rules: Annotated[
        tuple[Annotated[ChannelRule, described("One of them.", rules=CHANNEL_RULE_RULES)], ...],
        described(
            "The rules by version. Rules for the same edition and component may not overlap.",
            list_type="atomic",
            max_length=32,
        ),
    ] = ()
