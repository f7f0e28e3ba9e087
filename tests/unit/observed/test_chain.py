"""Since when no lookup can be missing: never before anything that may have hidden one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.observed.canary import CANARY_ZONE
from fleet_telemetry.observed.chain import CANARY_TIMEOUT, Chain, ChainState
from fleet_telemetry.observed.lookup import LookupStage, ReportedLookup
from tests.support.depth import examples
from tests.support.lookups import at

ONE, TWO, NAT = "10.9.0.1", "10.9.0.2", "198.51.100.7"
SEARCH = ".team.svc.cluster.local"


@dataclass
class Played:
    """A chain, with a clock that counts seconds."""

    chain: Chain = field(default_factory=Chain)
    now: float = 0
    tokens: int = 0

    def later(self, seconds: float) -> Played:
        self.now += seconds
        return self

    def servers(self, *addresses: str) -> Played:
        self.chain.set_name_servers(addresses, at(self.now))
        return self

    def connect(self, source: str) -> Played:
        self.chain.connected(source, at(self.now))
        return self

    def disconnect(self, source: str) -> Played:
        self.chain.disconnected(source, at(self.now))
        return self

    def lose(self, source: str) -> Played:
        self.chain.lost(source, 3, at(self.now))
        return self

    def send(self, server: str, *, search: bool = False) -> str:
        self.tokens += 1
        token = f"token{self.tokens}"
        self.chain.canary_sent(server, token, at(self.now), search=search)
        return token

    def see(self, source: str, token: str, *, offset: float = 0, tail: str = "") -> Played:
        lookup = ReportedLookup(
            LookupStage.QUESTION, f"{token}.{CANARY_ZONE}{tail}", "10.1.1.1", at(self.now + offset)
        )
        self.chain.looked_up(source, lookup, at(self.now))
        return self

    def prove(self, server: str, source: str) -> Played:
        return self.see(source, self.send(server))

    def keep(self, seconds: float, **sources: str) -> Played:
        """Let time pass, in which the canaries come back."""
        for _ in range(int(seconds // 60)):
            self.later(60).prove(ONE, sources.get("one", f"{ONE}#1"))
            self.prove(TWO, sources.get("two", f"{TWO}#2"))
        return self

    @property
    def state(self) -> ChainState:
        return self.chain.state(at(self.now))

    @property
    def since(self) -> datetime | None:
        return self.state.complete_since


def whole() -> Played:
    """Two name servers, proven at second 3."""
    played = Played().servers(ONE, TWO).later(1).connect(f"{ONE}#1").connect(f"{TWO}#2")
    return played.later(1).prove(ONE, f"{ONE}#1").later(1).prove(TWO, f"{TWO}#2")


def test_nothing_is_complete_without_a_name_server() -> None:
    assert Played().state.reason is ObservedReason.NOT_PROVEN_YET
    assert Played().servers(ONE).servers().since is None


def test_it_is_complete_since_the_last_name_server_was_proven() -> None:
    played = whole()
    assert played.since == at(3)
    assert played.later(20).prove(ONE, f"{ONE}#1").since == at(3)


def test_a_name_server_that_is_not_connected_is_named() -> None:
    played = Played().servers(ONE, TWO).connect(f"{ONE}#1").prove(ONE, f"{ONE}#1")
    assert played.state == ChainState(
        reason=ObservedReason.SOURCE_NOT_CONNECTED,
        detail=f"name server {TWO}: it is not connected",
    )


def test_many_name_servers_are_named_in_short() -> None:
    played = Played().servers(*(f"10.9.0.{number}" for number in range(1, 8)))
    assert played.state.detail.startswith("name servers 10.9.0.1, 10.9.0.2, 10.9.0.3 and 4 more: ")


def test_a_connected_one_is_not_proven() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    assert played.state.reason is ObservedReason.NOT_PROVEN_YET


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda one: one.lose(f"{ONE}#1"), ObservedReason.LOOKUPS_LOST),
        (lambda one: one.disconnect(f"{ONE}#1"), ObservedReason.SOURCE_NOT_CONNECTED),
        (lambda one: one.connect(f"{ONE}#9"), ObservedReason.NOT_PROVEN_YET),
        (lambda one: one.servers(ONE, TWO, "10.9.0.3"), ObservedReason.SOURCE_NOT_CONNECTED),
        (lambda one: one.see(f"{ONE}#1", one.send(ONE), offset=9), ObservedReason.CLOCKS_DIFFER),
        (lambda one: one.see(f"{ONE}#1", one.send(ONE), offset=-9), ObservedReason.CLOCKS_DIFFER),
        (lambda one: one.later(20 if one.send(ONE) else 0), ObservedReason.NOT_PROVEN_YET),
    ],
    ids=["loss", "disconnect", "reconnect", "new server", "fast clock", "slow clock", "missed"],
)
def test_what_ends_it(broken: Callable[[Played], Played], reason: ObservedReason) -> None:
    played = whole().later(10)
    assert broken(played).state.reason is reason
    assert played.since is None


def test_a_name_server_that_is_gone_may_have_hidden_something() -> None:
    played = whole().later(50).servers(ONE)
    assert played.since is None
    assert played.later(60).since == at(53)


def test_only_a_canary_that_was_sent_after_the_break_mends_it() -> None:
    played = whole().keep(4000)
    before = played.send(ONE)
    played.later(1).lose(f"{ONE}#1").later(1).see(f"{ONE}#1", before)
    assert played.state.reason is ObservedReason.LOOKUPS_LOST
    played.later(1).prove(ONE, f"{ONE}#1")
    assert played.since is not None


def test_a_token_proves_once_and_none_can_be_guessed() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    token = played.send(ONE)
    assert played.see(f"{ONE}#1", "guessed").since is None
    assert played.see(f"{ONE}#1", token).since is not None
    played.lose(f"{ONE}#1").later(5000)
    assert played.see(f"{ONE}#1", token).since is None


def test_a_canary_proves_only_the_name_server_that_it_was_sent_to() -> None:
    played = Played().servers(ONE, TWO).connect(f"{ONE}#1").connect(f"{TWO}#2")
    played.prove(TWO, f"{TWO}#2")
    token = played.send(ONE)
    assert played.see(f"{TWO}#2", token).since is None
    assert played.see(f"{ONE}#1", token).since is not None


def test_a_canary_of_a_source_that_is_not_connected_proves_nothing() -> None:
    played = Played().servers(ONE)
    assert played.prove(ONE, f"{ONE}#1").since is None


def test_only_the_question_proves() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    name = f"{played.send(ONE)}.{CANARY_ZONE}"
    assert played.chain.looked_up(
        f"{ONE}#1", ReportedLookup(LookupStage.ANSWER, name, "10.1.1.1", at(0)), at(0)
    )
    assert played.since is None


def test_a_canary_that_comes_late_proves_nothing() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    token = played.send(ONE)
    played.later(CANARY_TIMEOUT.total_seconds() + 1).see(f"{ONE}#1", token)
    assert (played.since, played.chain.missed) == (None, 1)


def test_without_new_canaries_nothing_is_proven_for_long() -> None:
    played = whole().later(299)
    assert played.since is not None
    assert played.later(10).since is None


def test_behind_nat_a_canary_shows_whose_a_connection_is() -> None:
    played = Played().servers(ONE, TWO).connect(f"{NAT}#1").connect(f"{NAT}#2")
    played.prove(ONE, f"{NAT}#1").prove(TWO, f"{NAT}#2")
    assert played.since is not None
    played.keep(4000, one=f"{NAT}#1", two=f"{NAT}#2")
    assert played.since is not None
    played.disconnect(f"{NAT}#1")
    assert played.state.detail.startswith(f"name server {ONE}:")


def test_a_new_connection_behind_nat_may_be_that_of_any_name_server_there() -> None:
    played = Played().servers(ONE, TWO).connect(f"{ONE}#1").connect(f"{NAT}#2")
    played.prove(ONE, f"{ONE}#1").prove(TWO, f"{NAT}#2")
    assert played.since is not None
    played.later(1).connect(f"{NAT}#3")
    assert played.state.detail.startswith(f"name server {TWO}:")
    played.prove(TWO, f"{NAT}#3").later(61)
    assert played.prove(ONE, f"{ONE}#1").since == at(1)


def test_a_source_that_turns_out_to_be_another_name_servers_proves_nothing_any_more() -> None:
    played = Played().servers(ONE).connect(f"{TWO}#2").prove(ONE, f"{TWO}#2")
    assert played.since is not None
    played.servers(ONE, TWO).prove(TWO, f"{TWO}#2").later(61).prove(TWO, f"{TWO}#2")
    assert played.state.detail.startswith(f"name server {ONE}:")


def test_a_loss_of_a_connection_that_is_nobodys_ends_all() -> None:
    played = whole().keep(120).connect(f"{NAT}#1")
    assert played.since is None
    assert played.keep(60).since == at(123)
    played.keep(4000).lose(f"{NAT}#1")
    assert played.since == at(played.now)


def test_who_breaks_often_is_believed_later_each_time() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1").prove(ONE, f"{ONE}#1")
    waits = []
    for _ in range(3):
        played.later(10).lose(f"{ONE}#1").later(1).prove(ONE, f"{ONE}#1")
        began, waited = played.now, 0
        while played.since is None:
            assert played.state.reason is ObservedReason.LOOKUPS_LOST
            played.later(10).prove(ONE, f"{ONE}#1")
            waited += 10
        waits.append(waited)
        assert played.since == at(began)
    assert waits == [60, 120, 240]


def test_how_long_a_mended_chain_is_not_believed_can_be_set() -> None:
    played = Played(Chain(hold=timedelta())).servers(ONE).connect(f"{ONE}#1")
    for _ in range(3):
        played.later(1).lose(f"{ONE}#1")
        assert played.prove(ONE, f"{ONE}#1").since == at(played.now)


def test_a_clock_that_was_wrong_has_to_be_right_by_more() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    played.see(f"{ONE}#1", played.send(ONE), offset=4)
    assert played.chain.trusts_clock(f"{ONE}#1") is False
    played.later(1).see(f"{ONE}#1", played.send(ONE), offset=2.5)
    assert played.state.reason is ObservedReason.CLOCKS_DIFFER
    played.later(1).see(f"{ONE}#1", played.send(ONE), offset=1)
    assert played.since is not None
    assert played.chain.trusts_clock(f"{ONE}#1") is True


def test_autopath_hides_lookups_unless_names_with_a_search_domain_are_reported() -> None:
    played = whole()
    played.chain.set_autopath(ONE, at(3), in_use=True)
    assert played.state.reason is ObservedReason.AUTOPATH_IN_USE
    played.later(1).see(f"{ONE}#1", played.send(ONE, search=True), tail=SEARCH)
    assert played.state == ChainState(complete_since=at(3), autopath=True)
    played.later(1)
    played.chain.set_autopath(ONE, at(played.now), in_use=False)
    assert played.since is None


def test_a_canary_with_a_search_domain_proves_nothing_else_and_need_not_come_back() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1")
    token = played.send(ONE, search=True)
    assert played.see(f"{ONE}#1", token, tail=SEARCH).since is None
    assert played.see(f"{ONE}#1", played.send(ONE), tail=SEARCH).since is None
    played.prove(ONE, f"{ONE}#1")
    played.later(CANARY_TIMEOUT.total_seconds() + 1)
    assert (played.since, played.chain.missed) == (None, 1)
    since = played.keep(120).since
    played.send(ONE, search=True)
    assert played.later(CANARY_TIMEOUT.total_seconds() + 1).since == since


def test_a_time_with_a_wrong_clock_is_not_complete_afterwards() -> None:
    played = whole().later(10)
    played.see(f"{ONE}#1", played.send(ONE), offset=9).later(1).prove(ONE, f"{ONE}#1")
    played.later(61)
    assert played.since == at(14)


def test_every_connection_of_a_name_server_has_to_have_the_right_time() -> None:
    played = Played().servers(ONE).connect(f"{ONE}#1").connect(f"{ONE}#2")
    played.see(f"{ONE}#1", played.send(ONE), offset=9)
    assert played.prove(ONE, f"{ONE}#2").state.reason is ObservedReason.CLOCKS_DIFFER
    played.disconnect(f"{ONE}#1").later(61)
    assert played.prove(ONE, f"{ONE}#2").later(61).since is not None


def by_path(*, server: str = ONE) -> Played:
    """One name server, where canaries have to come back the way that pods ask, too."""
    played = Played(Chain(proves_path=True)).servers(server).connect(f"{server}#1")
    return played.prove(server, f"{server}#1")


def ask_as_pods_do(played: Played, *, tail: str = "", source: str = f"{ONE}#1") -> None:
    """A canary that comes back."""
    played.chain.path_canary_sent("path", at(played.now))
    played.later(1).see(source, "path", tail=tail)


def test_pods_may_ask_others_than_the_name_servers_that_report() -> None:
    played = by_path()
    assert played.state.reason is ObservedReason.NOT_PROVEN_YET
    played.chain.path_canary_sent("path", at(0))
    played.later(16).prove(ONE, f"{ONE}#1")
    assert played.state.reason is ObservedReason.DNS_BYPASSED
    ask_as_pods_do(played)
    assert played.since == at(17)
    played.servers(ONE, TWO).connect(f"{TWO}#2").prove(TWO, f"{TWO}#2")
    played.chain.path_canary_sent("later", at(played.now))
    played.later(100).prove(ONE, f"{ONE}#1").prove(TWO, f"{TWO}#2")
    assert played.state.reason is ObservedReason.DNS_BYPASSED


@pytest.mark.parametrize(
    "asked", [{"tail": SEARCH}, {"source": f"{TWO}#9"}], ids=["search", "unknown source"]
)
def test_what_does_not_show_the_way_that_pods_ask(asked: dict[str, str]) -> None:
    played = by_path()
    ask_as_pods_do(played, **asked)
    assert played.since is None


@pytest.mark.parametrize("breaks", [Played.connect, Played.disconnect, Played.lose])
def test_a_canary_that_nobody_may_have_reported_does_not_show_another_way(
    breaks: Callable[[Played, str], Played],
) -> None:
    source = f"{ONE}#1"
    played = by_path()
    played.chain.path_canary_sent("early", at(played.now))
    breaks(played.later(1), source).connect(source).later(1).prove(ONE, source)
    ask_as_pods_do(played)
    played.later(100).prove(ONE, source)
    assert (played.since is not None, played.chain.missed) == (True, 0)


def test_a_canary_the_way_that_pods_ask_proves_for_minutes_and_no_name_server() -> None:
    played = by_path()
    ask_as_pods_do(played)
    assert played.later(200).prove(ONE, f"{ONE}#1").since == at(1)
    assert played.later(200).prove(ONE, f"{ONE}#1").since is None
    other = Played(Chain(proves_path=True)).servers(ONE).connect(f"{ONE}#1")
    ask_as_pods_do(other)
    assert other.since is None
    for number in range(100):
        other.chain.path_canary_sent(str(number), at(0))
    assert len(other.chain._outstanding) <= 16


def test_where_it_is_not_asked_for_the_way_of_pods_proves_nothing() -> None:
    played = whole()
    ask_as_pods_do(played)
    played.chain.path_canary_sent("missed", at(played.now))
    assert played.later(20).since == at(3)


def test_a_host_is_tapped_once_every_name_server_reported_it() -> None:
    played = whole()
    wanted = "telemetry.example.com", "other.example.com"
    played.chain.tapped(f"{ONE}#1", wanted[0])
    assert played.chain.untapped(wanted) == set(wanted)
    played.chain.tapped(f"{TWO}#2", wanted[0])
    assert played.chain.untapped(wanted) == {wanted[1]}
    # Another name shows that more is tapped, and not that this host is.
    played.chain.tapped(f"{ONE}#1", None)
    played.chain.tapped(f"{TWO}#2", None)
    assert played.state.all_tapped
    assert played.chain.untapped(wanted) == {wanted[1]}
    played.connect(f"{TWO}#3").disconnect(f"{TWO}#2")
    assert played.chain.untapped(wanted) == set(wanted)
    played.chain.tapped(f"{TWO}#3", wanted[0])
    played.chain.keep_hosts([wanted[1]])
    assert played.chain.untapped(wanted) == set(wanted)
    assert Played().chain.untapped(wanted) == set(wanted)


def test_what_is_outstanding_and_who_is_connected_is_bounded() -> None:
    played = Played().servers(ONE)
    for number in range(3000):
        played.connect(f"{NAT}#{number}").send(ONE)
    assert len(played.chain._outstanding) <= 16
    assert len(played.chain.connections()) <= 1024


@dataclass
class History:
    """A chain, and what broke it."""

    played: Played = field(default_factory=Played)
    servers: set[str] = field(default_factory=set)
    live: dict[str, str] = field(default_factory=dict)
    """Connections, by address."""
    sent: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Canaries that are not back: to whom, and when."""
    used: list[str] = field(default_factory=list)
    broke: float = -1
    proven: dict[str, float] = field(default_factory=dict)

    def expire(self) -> None:
        for token, (_, when) in list(self.sent.items()):
            if timedelta(seconds=self.played.now - when) > CANARY_TIMEOUT:
                self.broke = max(self.broke, when)
                del self.sent[token]

    def send(self, server: str, _: str) -> None:
        if server in self.servers:
            self.sent[self.played.send(server)] = server, self.played.now

    def see(self, _: str, address: str) -> None:
        if not self.sent or address not in self.live:
            return
        token, (target, _) = next(reversed(self.sent.items()))
        self.played.see(self.live[address], token)
        if address == target or address not in self.servers:
            self.proven[target] = self.played.now
            self.used.append(token)
            del self.sent[token]

    def prove(self, server: str, address: str) -> None:
        if server in self.servers and address in self.live:
            self.send(server, address)
            self.see(server, address)

    def replay(self, _: str, address: str) -> None:
        if self.used and address in self.live:
            self.played.see(self.live[address], self.used[-1])

    def lose(self, _: str, address: str) -> None:
        if address in self.live:
            self.played.lose(self.live[address])
            self.broke = self.played.now

    def connect(self, _: str, address: str) -> None:
        if address not in self.live:
            self.live[address] = f"{address}#{self.played.now}"
            self.played.connect(self.live[address])
            self.broke = self.played.now

    def disconnect(self, _: str, address: str) -> None:
        if address in self.live:
            self.played.disconnect(self.live.pop(address))
            self.broke = self.played.now

    def change(self, server: str, _: str) -> None:
        self.servers = self.servers ^ {server}
        self.played.servers(*self.servers)
        self.proven.pop(server, None)
        self.sent = {token: one for token, one in self.sent.items() if one[0] in self.servers}
        self.broke = self.played.now

    def skew(self, server: str, _: str) -> None:
        if server in self.servers and server in self.live:
            self.played.see(self.live[server], self.played.send(server), offset=30)
            self.broke = self.played.now


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *("prove", "prove", "send", "see", "replay"),
                    *("lose", "connect", "connect", "disconnect", "change", "skew"),
                ]
            ),
            st.sampled_from([ONE, TWO]),
            st.sampled_from([ONE, TWO, NAT]),
            st.sampled_from([0.0, 0.5, 5.0, 20.0, 70.0, 400.0, 4000.0]),
        ),
        max_size=40,
    )
)
@examples(600)
def test_complete_since_never_lies_before_a_break(steps: list[tuple[str, str, str, float]]) -> None:
    history = History()
    # Most of what can happen needs two name servers that are connected.
    for address in (ONE, TWO):
        history.change(address, address)
        history.connect(address, address)
        history.prove(address, address)
    before: tuple[float, datetime | None] = -1, None
    for step, server, address, wait in steps:
        history.played.later(wait)
        history.expire()
        getattr(history, step)(server, address)
        since = history.played.since
        assert since == history.played.since
        if since is not None:
            assert history.servers
            assert since >= at(history.broke)
            assert all(one in history.proven for one in history.servers)
            # It moves only if something broke.
            assert before[1] is None or before[0] != history.broke or before[1] == since
        before = history.broke, since
