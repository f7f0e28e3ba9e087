"""Containers of products that set a switch, and have something else that counts more."""

from __future__ import annotations

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.decision import decide
from fleet_telemetry.switches.edits import Trigger
from tests.support.builders import container, manifest, policy, under
from tests.support.every import every

ON, OFF, UNSET, UNKNOWN = Setting.ENABLED, Setting.DISABLED, Setting.UNSET, Setting.UNKNOWN
TRAEFIK = "traefik:v3.5.0"
NO_CHECKS = "--global.checkNewVersion=false"


def declared(image: str, channel: str, args: str = "", **env: str) -> Setting:
    """What the pod template says of a channel's switches."""
    words = {"args": args.split()} if args else {}
    of = under(policy(channels=[channel]))
    given = of.input(manifest(container(image, env=env, **words)), Trigger.RECONCILE, pods=())
    name = ChannelName(channel)
    [verdict] = [one for one in decide(given).verdicts if one.channel is name]
    return verdict.observations["declared"].setting


@every(
    ("args", "setting"),
    [
        # A word that is no flag and no value ends the flags; those that are true or false, and
        # those that are there or not, take no value from the next word.
        (f"--ping true {NO_CHECKS}", UNSET),
        (f"--api.dashboard true {NO_CHECKS}", UNSET),
        (f"-- {NO_CHECKS}", UNSET),
        (f"{NO_CHECKS} word", OFF),
        (f"--ping=true {NO_CHECKS}", OFF),
        (f"--ping {NO_CHECKS}", OFF),
        # Which flags take the next word is not listed in full.
        (f"--log.level DEBUG {NO_CHECKS}", UNKNOWN),
        (f"--log.level=DEBUG {NO_CHECKS}", OFF),
    ],
)
def test_traefik_reads_flags_up_to_the_first_other_word(args: str, setting: Setting) -> None:
    assert declared(TRAEFIK, "UpdateCheck", args) is setting
    usage = args.replace("checkNewVersion", "sendAnonymousUsage")
    for image in (TRAEFIK, "traefik:v2.11.0"):
        assert declared(image, "Usage", usage) is setting
