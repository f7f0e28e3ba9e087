"""The forms of a list of hosts, the default first. To add one: a file with its class, and a line
here."""

from __future__ import annotations

from fleet_telemetry.audit.hosts.formats.adguard import AdGuard
from fleet_telemetry.audit.hosts.formats.aws import AwsNetworkFirewall
from fleet_telemetry.audit.hosts.formats.azure import AzureFirewall
from fleet_telemetry.audit.hosts.formats.coredns import CoreDns
from fleet_telemetry.audit.hosts.formats.csv_table import CsvTable
from fleet_telemetry.audit.hosts.formats.dnsmasq import Dnsmasq
from fleet_telemetry.audit.hosts.formats.format import HostFormat
from fleet_telemetry.audit.hosts.formats.hosts_file import HostsFile
from fleet_telemetry.audit.hosts.formats.json_list import JsonList
from fleet_telemetry.audit.hosts.formats.plain import PlainList
from fleet_telemetry.audit.hosts.formats.rpz import ResponsePolicyZone
from fleet_telemetry.audit.hosts.formats.squid import Squid
from fleet_telemetry.audit.hosts.formats.unbound import Unbound

HOST_FORMATS: dict[str, HostFormat] = {
    one.name: one
    for one in (
        PlainList(),
        CsvTable(),
        JsonList(),
        HostsFile(),
        ResponsePolicyZone(),
        CoreDns(),
        Dnsmasq(),
        Unbound(),
        AdGuard(),
        Squid(),
        AwsNetworkFirewall(),
        AzureFirewall(),
    )
}
