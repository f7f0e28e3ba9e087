"""Which variables neither a policy nor a TelemetryProduct may set."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.variable_names import (
    FIRST_WORDS,
    HARMLESS,
    NAMES,
    PARTS,
    is_refused_name,
    is_refused_value,
)
from fleet_telemetry.catalogue.catalogue import builtin
from tests.support.crd_values import HARMLESS_NAMES, REFUSED_NAMES
from tests.support.depth import examples
from tests.support.every import every

# One of each kind, written down: deriving them from the list would test nothing.
_BEYOND_THE_CRD = (
    *("ld-preload", "java.tool.options", "spring.config.location", "node.options"),
    *("ACME_DATABASE_URL", "ACME_API_KEY", "PRIVATEKEY", "SERVICE_ACCOUNT_CREDENTIALS"),
    *("ACME_CMD", "DOCKER_ENTRYPOINT", "PRE_START_HOOK", "ACME_PLUGINS", "ACME_PLUGIN_DIR"),
    *("ACME_CONF_DIR", "ACME_CONFIG_FILE", "ACME_CA_FILE", "ACME_CACERT", "ACME_CERT_FILE"),
    *(
        "JAVAX_NET_SSL_TRUSTSTORE",
        "ACME_KEY_STORE",
        "POSTGRES_SERVICE_HOST",
        "INIT_SCRIPT",
        "GTK_MODULES",
        "ORACLE_HOME",
        "LOG4J_CONFIGURATION_FILE",
        "log4j.configurationFile",
        "LOG4J_FORMAT_MSG_NO_LOOKUPS",
        "KRB5CCNAME",
        "CODEINTEL_PGHOST",
        "CODEINSIGHTS_PGSSLMODE",
        "SOCKS_SERVER",
        "SOCKS5_SERVER",
        "CONFIG_ORDINAL",
        "DT_CONFIG_PROFILE",
        "EMQX_NODE__COOKIE",
    ),
    # Where a library or a runtime finds code, and where a client sends its password or key.
    *("GDK_PIXBUF_MODULE_FILE", "OCL_ICD_VENDORS", "NIX_LD", "NIX_LD_LIBRARY", "QEMU_LD_PREFIX"),
    *("TS_NODE_PROJECT", "UVICORN_APP_DIR", "CELERY_LOADER", "COVERAGE_PROCESS_START", "GS_LIB"),
    *("DBUS_SESSION_BUS_ADDRESS", "JPDA_ADDRESS", "JETTY_BASE", "RSYNC_RSH", "SVN_SSH", "RSH"),
    *("COMSPEC", "PATHEXT", "SystemRoot", "LOCALAPPDATA", "USERPROFILE", "WINEDLLOVERRIDES"),
    *("XML_CATALOG_FILES", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "HISTFILE"),
    *("PGSSLMODE", "PGUSER", "MYSQL_HOST", "MYSQL_PWD", "REDISCLI_AUTH"),
    *("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL"),
)
_SWITCHES = """
ACME_PHONE_HOME CALLHOME GF_ANALYTICS_REPORTING_ENABLED GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES
N8N_DIAGNOSTICS_ENABLED DO_NOT_TRACK CHECKPOINT_DISABLE SCARF_ANALYTICS RAY_USAGE_STATS_ENABLED
HF_HUB_DISABLE_TELEMETRY
ANONYMIZED_TELEMETRY CATTLE_TELEMETRY_OPT OPT_OUT_CAPTURE SQA_OPT_OUT ROX_TELEMETRY_STORAGE_KEY_V1
SPICEDB_TELEMETRY_ENDPOINT NEO4J_dbms_usage__report_enabled TRAEFIK_GLOBAL_CHECKNEWVERSION
AIRFLOW__USAGE_DATA_COLLECTION__ENABLED NEXT_TELEMETRY_DISABLED K6_NO_USAGE_REPORT
COCKROACH_SKIP_ENABLING_DIAGNOSTIC_REPORTING MM_LOGSETTINGS_ENABLEDIAGNOSTICS TELEMETRY A
PGTELEMETRY_OFF PG_TELEMETRY COVERAGES OPENAI_TELEMETRY
SONAR_LOG_LEVEL SONAR_TELEMETRY_URL LOG LICENSE GITLAB_USAGE_PING KUBECOST_ANALYTICS
"""


@every("name", [*REFUSED_NAMES, *_BEYOND_THE_CRD])
def test_a_dangerous_name_is_refused_in_any_case(name: str) -> None:
    assert [is_refused_name(form) for form in (name, name.lower(), name.upper())] == [True] * 3


@every("name", [*HARMLESS_NAMES, *HARMLESS, *_SWITCHES.split()])
def test_a_telemetry_switch_is_not_refused(name: str) -> None:
    assert not is_refused_name(name)


@pytest.mark.parametrize("name", ["", "1A", "A=B", "A B", "A\n", "$(A)", "É", "A\x00", "LD_X\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    assert is_refused_name(name)


def test_no_built_in_switch_is_refused() -> None:
    names = {
        name
        for product in builtin().products.values()
        for channel in product.spec.channels
        for rule in channel.rules
        for name in (
            *(refusal.env for refusal in rule.refuses),
            *(
                spelling
                for switch in rule.switches
                if switch.env is not None and switch.env.word is None
                for spelling in (switch.env.name, *switch.env.aliases)
            ),
        )
    }
    assert {name for name in names if is_refused_name(name)} == set()


def test_of_the_researched_products_only_two_carriers_are_refused() -> None:
    # The research is no part of the repository. Both names carry options of other kinds, too:
    # a built-in product may use them after a review, a TelemetryProduct may not.
    path = os.environ.get("RESEARCHED_PRODUCTS", "")
    if not path:
        pytest.skip("RESEARCHED_PRODUCTS does not name a file")
    researched = yaml.safe_load(Path(path).read_text())["products"]
    names = {entry["name"] for product in researched for entry in product.get("env") or ()}
    refused = {name for name in names if is_refused_name(name)}
    assert refused == {"GITLAB_OMNIBUS_CONFIG", "JAVA_OPTS"}


_WORDS = st.sampled_from(["ACME", "X", "TELEMETRY", "a", ""])


@examples(200)
@given(st.sampled_from(FIRST_WORDS), _WORDS, st.sampled_from("_.-"))
def test_a_first_word_is_refused_whatever_follows(first: str, rest: str, joint: str) -> None:
    if f"{first}_{rest}".upper() not in HARMLESS:
        assert is_refused_name(f"{first.title()}{joint}{rest}")


@examples(200)
@given(_WORDS, st.sampled_from(["JAVA", "JVM", "PROXY", "SECRET"]), _WORDS)
def test_a_part_is_refused_wherever_it_stands(before: str, part: str, after: str) -> None:
    assert is_refused_name(f"{before}{part.lower()}{after}")


def test_the_lists_are_written_as_they_are_compared() -> None:
    for word in (*FIRST_WORDS, *NAMES, *HARMLESS):
        assert word == word.upper()
        assert re.fullmatch("[A-Z0-9_]+", word)
    for word in HARMLESS:
        assert is_refused_name(f"{word}_X")  # the exception is of this one name
    # The API server takes neither look-around nor back references.
    assert not re.search(r"\(\?|\\[0-9]", PARTS)
    assert "'" not in PARTS


@pytest.mark.parametrize("value", ["$(A)", "a$(A)", "$$(A)", "$("])
def test_a_value_that_inserts_a_variable_is_refused(value: str) -> None:
    assert is_refused_value(value)


@pytest.mark.parametrize("value", ["", "false", "$HOME", "${A}", "a(b)"])
def test_other_values_are_not(value: str) -> None:
    assert not is_refused_value(value)
