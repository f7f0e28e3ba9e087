"""The step of a telemetry host: how its state changes with the lookups of one round.

``step_host`` is a pure function of the state, the lookups of one round and the clock. The caller
passes all lookups of a round at once: every name server, every family, failures included. Only a
step changes the lists: while no lookups run, no address is removed.

For each family, a round has one of these results:

========== ================================== ======================= ========================
result     condition                          allowlist               denylist
========== ================================== ======================= ========================
addresses  a name server returned addresses,  returned addresses are  as in the allowlist
           and no responder failed            renewed; the others age
partly     a name server returned addresses,  returned addresses are  as in the allowlist, but
           but a responder failed             renewed; the others do  the others do not age,
                                              not age, 24 h at most   without limit
nothing    every name server that responded   no address ages; after  no address ages, except
           returned a negative result, and    3 times in a row over   after those 3 times if the
           no responder failed                15 min, all leave       other family has addresses
no answer  all failed, or a responder failed  no address ages, 24 h   no address ages
           and the others returned nothing    at most
========== ================================== ======================= ========================

A *responder* is a name server that returned addresses within 24 h and no negative result since. If
it fails, addresses that only it returns are not missing. A response with an address that no
telemetry host can have counts as a failure of that name server in the whole round.

Only the time in which lookups run counts: at most ``longest_gap`` between two rounds. If the clock
jumps back or ahead, or the operator was not running, all times of the state move with it. So a jump
neither removes an address nor keeps one forever.

- An address leaves the allowlist ``min(ttl, 24 h) + 1 h`` after it was last returned, and the
  denylist after ``min(ttl, 24 h) + 7 d``. An address that does not age stays in the allowlist for
  at most 25 h after it was last returned. An address leaves the denylist only after DNS has
  returned others.
- The loss of more than half of an allowlist of 4 or more addresses is held. A hold ends if no more
  than half is missing, or after 10 conclusive rounds over at least 1 h. Rounds that are not
  conclusive neither count nor end it. Lists are compared, not responses, so a host that returns 8
  of 64 addresses at a time is not held. A denylist needs no hold: 7 d of lookups confirmed it.
- At most 64 addresses are kept. Addresses that are returned now take precedence over allowed ones,
  these over those whose removal from the allowlist is pending, and these over denied addresses. So
  what DNS returns is denied at once, whatever the host had before. Among addresses that are
  returned now, known ones take precedence over new ones, so that a response with hundreds of
  addresses gives a stable list; among the others, those returned last. Families take turns, so that
  neither displaces the other.
- Additions take effect at once. Removals wait up to 10 min for other removals or an addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from fleet_telemetry.egress.addresses import in_order
from fleet_telemetry.egress.dns.summary import RoundSummary, summarize
from fleet_telemetry.egress.host_clock import elapsed_time, moved_state
from fleet_telemetry.egress.host_round import (
    Known,
    Round,
    capped,
    forgotten,
    held_up,
    released,
    remembered,
    renewed,
)
from fleet_telemetry.egress.host_state import QUIET, HostState, Retention, whole_seconds
from fleet_telemetry.egress.model import Lookup


def step_host(
    state: HostState, answers: Sequence[Lookup], now: datetime, rules: Retention
) -> HostState:
    """The state after a round of lookups.

    ``answers`` are all lookups of the round, in any order; without any of an enabled family the
    state does not change. A name server that is missing is no longer in use.
    """
    answers = [answer for answer in answers if answer.family in rules.families]
    if not answers:
        return state
    now = whole_seconds(now)
    elapsed = elapsed_time(state, now, rules)
    state = moved_state(state, now, elapsed, rules)
    summary = summarize(state, answers, now, rules)
    known: Known = {one.address: one for one in state.known}
    this = Round.of(now, elapsed, summary, known, rules)

    every = held_up(this, renewed(this, known))
    known = capped(this, every)
    is_capped = len(known) < len(every)
    # An address above the cap is no addition, so it does not hasten removals.
    added = any(address in known for address in this.added)
    before = _count_allowed(known)
    families = []
    for family in summary.families.values():
        known, family_state = released(this, known, family, added=added)
        families.append(family_state)
    allowed = _count_allowed(known)
    known = forgotten(this, known, hurry=added or allowed < before)
    # Of a host with more addresses than are kept, every round may return new ones.
    is_quiet = not added or is_capped
    quiet = min(state.quiet + bool(this.returned), QUIET) if is_quiet else 0
    return replace(
        state,
        known=tuple(known[address] for address in in_order(known)),
        families=tuple(families),
        refusals=remembered(this, state.refusals),
        failures=summary.failures,
        capped_at=now if is_capped else state.capped_at,
        interval=_interval(summary, allowed, quiet, rules).total_seconds(),
        quiet=quiet,
    )


def _count_allowed(known: Known) -> int:
    return sum(one.expires_at is not None for one in known.values())


# The next lookup


def next_lookup(state: HostState, rules: Retention, jitter: float) -> float:
    """Seconds from a round to the next lookup of the host.

    ``jitter`` is a random number in [0, 1). It makes the time up to a tenth shorter or longer, so
    that the lookups of hosts do not stay synchronized.
    """
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter must be at least 0 and less than 1, not {jitter}")
    # Without any round, lookups must not run in a tight loop.
    interval = state.interval or rules.shortest_interval.total_seconds()
    return interval * (0.9 + 0.2 * jitter)


def _interval(summary: RoundSummary, allowed: int, quiet: int, rules: Retention) -> timedelta:
    """Half the TTL, within bounds; shorter while a rotating host returns new addresses.

    Such a host returns all of its n addresses in about n / (addresses of one response) rounds;
    discovery ends after twice as many rounds without a new one. The cap on addresses limits it.
    """
    returned = summary.addresses
    if returned and quiet < 2 * ceil(allowed / len(returned)):
        return min(rules.discovery_interval, rules.shortest_interval)
    families = summary.families.values()
    # Families without addresses count only if there are no others.
    ttls = [one.ttl for one in families if one.addresses] or [one.ttl for one in families]
    half = timedelta(seconds=min(ttls, default=0)) / 2
    return min(max(half, rules.shortest_interval), rules.longest_interval)
