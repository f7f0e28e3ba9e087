"""Words that several forms of output share. None of them holds a control character."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.workload_telemetry import ChannelPolicy, ObservedVerdict, Sends
from fleet_telemetry.audit.result import (
    Audit,
    Change,
    Finding,
    HostName,
    Place,
    PolicyAdvice,
    Problem,
    Unmanaged,
)
from fleet_telemetry.objects.text import printable
from fleet_telemetry.switches.disabling import SettingChange, sentences

_LONGEST_NAME = 300
_LONGEST_TEXT = 2000
_MOST_PRODUCTS = 5

ADVICE_HEADING = "Advice on the policies"
SENDS_WORDS = {Sends.YES: "sends", Sends.UNKNOWN: "unknown", Sends.NO: "sends nothing"}


def name(text: str) -> str:
    """A foreign name on one line, cut if nobody could read it."""
    return printable(text, _LONGEST_NAME)


def prose(text: str) -> str:
    """Foreign sentences on one line, cut if nobody would read them."""
    return printable(" ".join(text[: 2 * _LONGEST_TEXT].split()), _LONGEST_TEXT)


def count(number: int, singular: str, plural: str = "") -> str:
    """``1 channel``, ``1,200 channels``."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def workload(one: Finding, *, with_cluster: bool = True) -> str:
    """``cluster/namespace/kind/name``, without what is empty."""
    parts = (one.place.cluster if with_cluster else "", one.namespace, one.kind, one.name)
    return name("/".join(part for part in parts if part))


def place(one: Place) -> str:
    """``file:line``, or the cluster; empty if neither is known."""
    if not one.file:
        return f"cluster {name(one.cluster)}" if one.cluster else ""
    file = "standard input" if one.file == "-" else name(one.file)
    return f"{file}:{one.line}" if one.line else file


def host(one: HostName) -> str:
    """``host:port``."""
    return f"{name(one.host)}:{one.port}"


def host_notes(one: HostName) -> str:
    """What a firewall team has to know about a host; empty if there is nothing."""
    notes = []
    if one.sent_by_browser:
        notes.append("browsers of its users contact it, not the cluster")
    if one.also_serves:
        notes.append(f"also serves {prose(one.also_serves)}")
    return "; ".join(notes)


def changes(found: Iterable[Change]) -> Iterator[str]:
    """What to set or remove, in sentences."""
    return sentences(
        SettingChange(name(one.container), prose(one.entry), removed=one.removed) for one in found
    )


def what_to_do(one: Finding) -> str:
    """The changes, what keeps them from being made, the advice and the remedy; empty if none is
    known or nothing is to be done."""
    by_hand = (prose(each.message) for each in one.obstacles)
    parts = (*changes(one.changes), *by_hand, prose(one.advice), prose(one.remedy))
    return " ".join(dict.fromkeys(filter(None, parts)))


def policy(one: Finding) -> str:
    """``kind namespace/name``; empty if no policy covers the channel."""
    return policy_name(one.policy) if one.policy is not None else ""


def policy_name(one: ChannelPolicy) -> str:
    """``kind namespace/name``."""
    return name(f"{one.kind} {'/'.join(filter(None, (one.namespace, one.name)))}")


def why(one: Finding, *, judged: bool) -> tuple[str, str]:
    """The reason as a word and as a sentence: of the state if a policy covers the channel, else of
    the answer whether something is sent."""
    if judged and one.state is not None:
        return name(one.state_reason), prose(one.state_message)
    return name(one.reason), prose(one.message)


def evidence(one: Finding) -> str:
    """What each source of evidence shows."""
    return (
        f"declared {one.declared.value}, running {one.running.value}, "
        f"reported {one.reported.value}, network {one.egress.value}"
        + (f", observed {one.observed.value}" if is_observed(one) else "")
    )


def observed(one: Finding) -> str:
    """What DNS shows of a channel, or why it shows nothing; empty if it is not asked at all."""
    said = prose(one.observed_message)
    return f"{one.observed.value}. {said}" if said else ""


def is_observed(one: Finding) -> bool:
    """Whether DNS shows anything of a channel."""
    return one.observed is not ObservedVerdict.UNKNOWN


def problem(one: Problem) -> str:
    """``file:line: what; advice``."""
    said = "; ".join(filter(None, (prose(one.what), prose(one.advice))))
    where = place(one.place)
    return f"{where}: {said}" if where else said


def policy_advice(one: PolicyAdvice) -> str:
    """``cluster: file:line: policy: what to know``."""
    parts = (advice_place(one), policy_name(one.policy), prose(one.message))
    return ": ".join(filter(None, parts))


def advice_place(one: PolicyAdvice) -> str:
    """``cluster: file:line``, without what is empty."""
    file = Place(file=one.place.file, line=one.place.line)
    return ": ".join(filter(None, (place(Place(cluster=one.place.cluster)), place(file))))


def headline(audit: Audit) -> str:
    """The answer to the question that comes first: what phones home here today?"""
    if not audit.findings:
        return " ".join(filter(None, (_nothing(audit), unmanaged(audit))))
    by_sends = audit.by_sends()
    sending = [one for one in audit.findings if one.sends is Sends.YES]
    said = [_phones_home(audit, sending)]
    if by_sends[Sends.UNKNOWN]:
        said.append(_is_are(by_sends[Sends.UNKNOWN], "unknown"))
    if by_sends[Sends.NO]:
        said.append(f"{by_sends[Sends.NO]:,} {_verb(by_sends[Sends.NO])} nothing.")
    return " ".join(filter(None, (*said, unmanaged(audit))))


def judgement(audit: Audit) -> str:
    """How many channels are in each state; empty if no policies were applied."""
    if not audit.judged:
        return ""
    states = [one.state.value if one.state else "without a policy" for one in audit.findings]
    each = (f"{states.count(state):,} {state}" for state in sorted(set(states)))
    return f"By the policies: {', '.join(each)}." if states else ""


def coverage(audit: Audit) -> str:
    """What was looked at, and how much of it the catalogue knows."""
    seen = audit.coverage
    looked = (
        f"{count(seen.workloads, 'workload')} with {count(seen.containers, 'container')} seen; "
        f"{count(seen.workloads_with_product, 'workload')} and "
        f"{count(seen.containers_with_product, 'container')} run a product of the catalogue."
    )
    said = [looked]
    if unknown := number_of_unknown_images(audit):
        said.append(
            f"The catalogue does not know {count(unknown, 'image')}, so nothing can be said of "
            f"{'it' if unknown == 1 else 'them'}."
        )
    if seen.not_objects:
        said.append(f"{count(seen.not_objects, 'document')} held no Kubernetes object.")
    return " ".join(said)


def number_of_unknown_images(audit: Audit) -> int:
    """All of them, also those that the result does not list."""
    return max(audit.coverage.unknown_images, len(audit.unknown_images))


def unmanaged(audit: Audit) -> str:
    """How many objects cannot be judged; empty if none."""
    if not audit.unmanaged:
        return ""
    objects = count(len(audit.unmanaged), "object that runs", "objects that run")
    verb = "is" if len(audit.unmanaged) == 1 else "are"
    return f"{objects} a known product {verb} no workload that can be judged."


def object_name(one: Unmanaged) -> str:
    """``cluster/namespace/kind/name``, without what is empty."""
    return name("/".join(filter(None, (one.place.cluster, one.namespace, one.kind, one.name))))


def products(one: Unmanaged) -> str:
    """The products that an object runs, with its images."""
    return f"{', '.join(map(name, one.products))} ({', '.join(map(name, one.images))})"


def made_by(audit: Audit) -> str:
    """The release, the catalogue and the time."""
    tool = audit.tool
    parts = [f"fleet-telemetry {name(tool.version)}".strip()]
    if tool.catalogue:
        parts.append(f"catalogue {name(tool.catalogue)} with {count(tool.products, 'product')}")
    return ", ".join((*parts, time(audit)))


def time(audit: Audit) -> str:
    """The time of the audit, in UTC if the time zone is known."""
    return audit.time.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def firewall_hosts(findings: Iterable[Finding]) -> dict[HostName, tuple[str, ...]]:
    """The hosts of what sends or may send, in order, with ``product channel`` of each."""
    used: dict[HostName, dict[str, None]] = {}
    for one in findings:
        if one.sends is not Sends.NO:
            for found in one.hosts:
                used.setdefault(found, {})[name(f"{one.product} {one.channel.value}")] = None
    return {key: tuple(used[key]) for key in sorted(used, key=_by_domain)}


def _by_domain(one: HostName) -> tuple[list[str], int, bool, str]:
    return one.host.split(".")[::-1], one.port, one.sent_by_browser, one.also_serves


def _nothing(audit: Audit) -> str:
    if not audit.coverage.workloads:
        return "No workload was found."
    if audit.coverage.workloads_with_product:
        return "No channel is used."
    looked = count(audit.coverage.workloads, "workload")
    return f"No product of the catalogue was found in {looked}."


def _phones_home(audit: Audit, sending: list[Finding]) -> str:
    total = len(audit.findings)
    if not sending:
        return f"Nothing is known to phone home, on {count(total, 'channel')}."
    products = list(dict.fromkeys(name(one.product) for one in sending))
    return (
        f"{len(sending):,} of {count(total, 'channel')} {_verb(len(sending))}, in "
        f"{_workloads(sending):,} of {count(_workloads(audit.findings), 'workload')} with a known "
        f"product: {_listed(products)}."
    )


def _workloads(findings: Iterable[Finding]) -> int:
    return len(set(map(_identity, findings)))


def _identity(one: Finding) -> tuple[str, ...]:
    return one.place.cluster, one.place.file, one.namespace, one.kind, one.name


def _listed(names: list[str]) -> str:
    shown = names[:_MOST_PRODUCTS]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _verb(number: int) -> str:
    return "sends" if number == 1 else "send"


def _is_are(number: int, state: str) -> str:
    return f"{number:,} {'is' if number == 1 else 'are'} {state}."


def escaped_lines(text: str) -> Iterator[str]:
    r"""The lines of a JSON text, with what no terminal should get escaped as in ``\u202e``."""
    for line in text.split("\n"):
        yield line if line.isprintable() else "".join(map(_escaped, line))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
