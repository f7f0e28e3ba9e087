"""What the chart replaces in a rule stands there exactly once."""

from __future__ import annotations

import pytest

from observability.alerts import ALERTS, Alert

WITH_THRESHOLD = [alert for alert in ALERTS if alert.threshold is not None]


@pytest.mark.parametrize("alert", WITH_THRESHOLD, ids=lambda alert: alert.name)
def test_the_threshold_is_once_in_the_expression(alert: Alert) -> None:
    assert alert.threshold is not None
    assert alert.expression.count(alert.threshold.expression) == 1
    assert alert.threshold.format.count("%s") == 1


@pytest.mark.parametrize("alert", WITH_THRESHOLD, ids=lambda alert: alert.name)
def test_the_default_is_the_number_that_stands_there(alert: Alert) -> None:
    assert alert.threshold is not None

    def seconds(text: str) -> float:
        product = 1.0
        for factor in text.strip("<> ").split(" * "):
            product *= float(factor)
        return product

    chosen = alert.threshold.format % f"{alert.threshold.default:g}"
    assert seconds(chosen) == seconds(alert.threshold.expression)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_no_text_names_a_time_that_the_values_may_change(alert: Alert) -> None:
    for word in ("week", "half an hour", "for a day whether"):
        assert word not in alert.summary
    if alert.threshold is not None:
        assert "half an hour" not in alert.description
