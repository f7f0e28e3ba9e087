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


FERRETDB = "ghcr.io/ferretdb/ferretdb:2.1.0"
KIBANA = "docker.elastic.co/kibana/kibana:8.15.0"
PREFECT = "prefecthq/prefect:3.5.0-python3.12"
DBT = "ghcr.io/dbt-labs/dbt-postgres:1.8.0"
OTTERIZE = "otterize/network-mapper:2.0.0"
DASHED = "--send-anonymous-usage-stats"
FERRETDB_OFF = {"FERRETDB_TELEMETRY": "disable"}
KIBANA_OFF = {"TELEMETRY_ENABLED": "false"}
KIBANA_RUNS = "/usr/local/bin/kibana-docker"


@every(
    ("image", "args", "env", "setting"),
    [
        # The value is the next word.
        (FERRETDB, "", FERRETDB_OFF, OFF),
        (FERRETDB, "--telemetry=enable", FERRETDB_OFF, ON),
        (FERRETDB, "--telemetry enable", FERRETDB_OFF, UNKNOWN),
        (FERRETDB, "--telemetry=disable --telemetry enable", {}, UNKNOWN),
        (FERRETDB, "--telemetry=disable", {}, OFF),
        (KIBANA, KIBANA_RUNS, KIBANA_OFF, OFF),
        (KIBANA, f"{KIBANA_RUNS} --telemetry.enabled true", KIBANA_OFF, UNKNOWN),
        (KIBANA, f"{KIBANA_RUNS} --telemetry.optIn true", KIBANA_OFF, UNKNOWN),
        (KIBANA, f"{KIBANA_RUNS} --telemetry.allowChangingOptInStatus true", KIBANA_OFF, UNKNOWN),
        (KIBANA, f'{KIBANA_RUNS} --telemetry={{"enabled":true}}', KIBANA_OFF, UNKNOWN),
        (KIBANA, f"{KIBANA_RUNS} --telemetry.enabled=false", {}, OFF),
        (KIBANA, f"{KIBANA_RUNS} --logging.verbose true", KIBANA_OFF, OFF),
        # Another flag beside it says nothing of it.
        (KIBANA, f"{KIBANA_RUNS} --telemetry.enabled=false --telemetry.optIn=false", {}, OFF),
        (KIBANA, f"{KIBANA_RUNS} --telemetry.optIn=false --telemetry.enabled=false", {}, OFF),
        (KIBANA, f'{KIBANA_RUNS} --telemetry.enabled=false --telemetry={{"enabled":true}}', {},
         UNKNOWN),
        ("coder/coder:2.20.0", "server --telemetry=false --telemetry-url=https://x", {}, OFF),
        ("coder/coder:2.20.0", "server --telemetry=false --telemetry true", {}, UNKNOWN),
        ("hasura/graphql-engine:v2.40.0", "graphql-engine serve --enable-telemetry true",
         {"HASURA_GRAPHQL_ENABLE_TELEMETRY": "false"}, UNKNOWN),
        # The flag without a value.
        (OTTERIZE, "--telemetry-usage-enabled", {"OTTERIZE_TELEMETRY_USAGE_ENABLED": "false"}, ON),
        (OTTERIZE, "--telemetry-enabled", {"OTTERIZE_TELEMETRY_ENABLED": "false"}, UNKNOWN),
        (OTTERIZE, "--telemetry-usage-enabled=true", {"OTTERIZE_TELEMETRY_ENABLED": "false"}, OFF),
        ("influxdb:2.7.12", "--reporting-disabled", {"INFLUXD_REPORTING_DISABLED": "false"}, OFF),
        ("influxdb:2.7.12", "--reporting-disabled=true --reporting-disabled=false", {}, ON),
        ("aquasec/trivy:0.65.0", "image --disable-telemetry x", {}, OFF),
        ("aquasec/trivy:0.65.0", "image --disable-telemetry --disable-telemetry=false x", {},
         UNKNOWN),
        # Both of a pair.
        (PREFECT, "prefect server start --analytics-off --analytics-on", {}, UNKNOWN),
        (PREFECT, "prefect server start --analytics-off", {}, OFF),
        (PREFECT, "prefect server start --analytics-on", {}, ON),
        ("prefecthq/prefect:2.7.0-python3.11", "prefect orion start --analytics-off --analytics-on",
         {}, UNKNOWN),
        *((image, f"--no{DASHED[1:]} {DASHED} run", {}, UNKNOWN) for image in (
            DBT, "ghcr.io/dbt-labs/dbt-core:1.0.0", "ghcr.io/dbt-labs/dbt-core:1.2.0")),
        (DBT, f"--no{DASHED[1:]} run", {}, OFF),
        ("ghcr.io/coroot/coroot:1.20.0",
         "--disable-usage-statistics --no-disable-usage-statistics", {}, UNKNOWN),
        ("grafana/k6:0.50.0", "run --no-usage-report=false --no-usage-report x.js", {}, UNKNOWN),
        ("grafana/k6:0.50.0", "run --no-usage-report=false x.js", {}, ON),
        ("liquibase/liquibase:4.31.0", "--analytics-enabled=false --analyticsEnabled=true", {},
         UNKNOWN),
        ("grafana/k6:0.50.0", "run x.js -- --no-usage-report", {}, UNKNOWN),
        # A file is weaker than the command line.
        ("timescale/timescaledb:2.17.0-pg16",
         "postgres -c config_file=/x -c timescaledb.telemetry_level=off", {}, OFF),
    ],
)  # fmt: skip
def test_words_of_the_command_line(
    image: str, args: str, env: dict[str, str], setting: Setting
) -> None:
    assert declared(image, "Usage", args, **env) is setting


HAZELCAST = "-Dhazelcast.phone.home.enabled"
ALL, LINE, JDK, TOOL = "_JAVA_OPTIONS", "JAVA_OPTS", "JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"


@every(
    ("env", "setting"),
    [
        ({}, UNSET),
        ({LINE: "-Xmx1g"}, UNSET),
        *(({name: f"-Xmx1g {HAZELCAST}=false"}, OFF) for name in (ALL, LINE, JDK, TOOL)),
        *(({name: f"{HAZELCAST}=True"}, UNKNOWN) for name in (ALL, LINE, JDK, TOOL)),
        ({LINE: f"{HAZELCAST}=FALSE"}, OFF),
        # The JVM takes the last one.
        ({LINE: f"{HAZELCAST}=false {HAZELCAST}=true"}, UNKNOWN),
        ({LINE: f"{HAZELCAST}=true {HAZELCAST}=false"}, OFF),
        ({LINE: f"{HAZELCAST}=false {HAZELCAST}"}, UNKNOWN),
        ({LINE: f"{HAZELCAST}=$(X)"}, UNKNOWN),
        # And that of the strongest variable.
        ({TOOL: f"{HAZELCAST}=false", JDK: f"{HAZELCAST}=true"}, UNKNOWN),
        ({TOOL: f"{HAZELCAST}=false", LINE: f"{HAZELCAST}=true"}, UNKNOWN),
        ({JDK: f"{HAZELCAST}=false", LINE: f"{HAZELCAST}=true"}, UNKNOWN),
        ({LINE: f"{HAZELCAST}=false", ALL: f"{HAZELCAST}=true"}, UNKNOWN),
        ({LINE: f"{HAZELCAST}=true", ALL: f"{HAZELCAST}=false"}, OFF),
        ({"HZ_PHONE_HOME_ENABLED": "false", LINE: "-Xmx1g"}, OFF),
    ],
)
def test_the_property_of_hazelcast(env: dict[str, str], setting: Setting) -> None:
    for image in ("hazelcast/hazelcast:5.4.0", "hazelcast/hazelcast-enterprise:5.4.0"):
        assert declared(image, "Usage", **env) is setting


@every(
    ("image", "channel", "switch", "name"),
    [
        ("kafbat/kafka-ui:v1.4.2", "UpdateCheck", "GITHUB_RELEASE_INFO_ENABLED",
         "github.release.info.enabled"),
        ("liquibase/liquibase:4.31.0", "Usage", "LIQUIBASE_ANALYTICS_ENABLED",
         "liquibase.analytics.enabled"),
        ("acryldata/datahub-gms:v0.14.0", "Usage", "DATAHUB_TELEMETRY_ENABLED",
         "telemetry.enabledServer"),
        ("acryldata/datahub-gms:v0.14.0", "Usage", "DATAHUB_TELEMETRY_ENABLED",
         "DATAHUB_TELEMETRY_ENABLED"),
        ("metabase/metabase:v0.50.0", "Usage", "MB_ANON_TRACKING_ENABLED",
         "mb.anon.tracking.enabled"),
        ("sonarqube:26.7.0.124771-community", "Usage", "SONAR_TELEMETRY_ENABLE",
         "sonar.telemetry.enable"),
    ],
)  # fmt: skip
def test_a_property_in_each_variable_of_the_jvm(
    image: str, channel: str, switch: str, name: str
) -> None:
    assert declared(image, channel, **{switch: "false"}) is OFF
    assert declared(image, channel, **{switch: "false", ALL: "-Da=b"}) is OFF
    for variable in (ALL, JDK, TOOL):
        found = declared(image, channel, **{switch: "false", variable: f"-D{name}=true"})
        assert found in (ON, UNKNOWN), variable
    for weaker in (JDK, TOOL, LINE):
        both = {switch: "false", weaker: f"-D{name}=false", ALL: f"-D{name}=true"}
        assert declared(image, channel, **both) in (ON, UNKNOWN), weaker


def test_datahub_passes_another_variable_to_the_jvm() -> None:
    words = {"DATAHUB_TELEMETRY_ENABLED": "false", "JMX_OPTS": "-Dtelemetry.enabledServer=true"}
    assert declared("acryldata/datahub-gms:v0.14.0", "Usage", **words) is UNKNOWN


MINIO = "minio/minio:RELEASE.2024-09-13T20-26-02Z"
DIRECTUS = "directus/directus:11.7.2"
OPENOBSERVE = "openobserve/openobserve:v0.92.2"
CUBE = "cubejs/cube:v1.7.43"
TEMPORAL = "temporalio/server:1.31.2"


@every(
    ("image", "channel", "variable", "path", "setting"),
    [
        (MINIO, "UpdateCheck", "MINIO_UPDATE=off", "/config.env", UNKNOWN),
        (MINIO, "UpdateCheck", "MINIO_UPDATE=off", "/data", OFF),
        (DIRECTUS, "Usage", "TELEMETRY=false", "/directus/.env", UNKNOWN),
        (DIRECTUS, "Usage", "TELEMETRY=false", "/directus/uploads", OFF),
        (OPENOBSERVE, "Usage", "ZO_TELEMETRY=false", "/.env", UNKNOWN),
        (OPENOBSERVE, "Usage", "ZO_TELEMETRY=false", "/data", OFF),
        (CUBE, "Usage", "CUBEJS_TELEMETRY=false", "/cube/conf/cube.js", UNKNOWN),
        (CUBE, "Usage", "CUBEJS_TELEMETRY=false", "/cube/conf/cube.py", UNKNOWN),
        (CUBE, "Usage", "CUBEJS_TELEMETRY=false", "/cube/conf", UNKNOWN),
        (CUBE, "Usage", "CUBEJS_TELEMETRY=false", "/cube/conf/model", OFF),
        (TEMPORAL, "UpdateCheck", "TEMPORAL_VERSION_CHECK_DISABLED=1",
         "/etc/temporal/config/dynamicconfig", UNKNOWN),
        # What the vendor's chart always mounts.
        (TEMPORAL, "UpdateCheck", "TEMPORAL_VERSION_CHECK_DISABLED=1",
         "/etc/temporal/dynamic_config", OFF),
        (TEMPORAL, "UpdateCheck", "TEMPORAL_VERSION_CHECK_DISABLED=1",
         "/etc/temporal/config/config_template.yaml", OFF),
    ],
)  # fmt: skip
def test_files_that_count_more_than_the_variable(
    image: str, channel: str, variable: str, path: str, setting: Setting
) -> None:
    name, value = variable.split("=")
    mounts = [{"name": "files", "mountPath": path}]
    given = container(image, env={name: value}, volumeMounts=mounts)
    of = under(policy(channels=[channel]))
    found = decide(of.input(manifest(given), Trigger.RECONCILE, pods=())).verdicts
    [verdict] = [one for one in found if one.channel is ChannelName(channel)]
    assert verdict.observations["declared"].setting is setting
