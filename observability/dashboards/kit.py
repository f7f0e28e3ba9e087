"""What all dashboards share: variables, colours, and panels that keep the house's rules.

Every panel says what it shows and in which unit, asks the data source that was chosen, and filters
by the dashboard's variables. The colours are such that colour-blind people tell them apart, too (a
test works out what they see), and a state is always written out as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from observability import metrics as m

BLUE, ORANGE, VERMILLION = "#0072B2", "#E69F00", "#D55E00"
SKY, YELLOW, WINE, GREY = "#56B4E9", "#F0E442", "#882255", "#999999"
NEUTRAL = "text"
"""What writing has, on light and on dark."""
COLOURS = {
    "Compliant": BLUE,
    "Pending": SKY,
    "Unknown": YELLOW,
    "NonCompliant": VERMILLION,
    "NotEnforceable": WINE,
    "Exempt": GREY,
}
"""Of states."""
DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH = 24
"""Of a dashboard's grid."""

Panel = stat.Panel | timeseries.Panel | table.Panel | barchart.Panel | statetimeline.Panel
_Kind = TypeVar(
    "_Kind",
    stat.Panel,
    timeseries.Panel,
    table.Panel,
    barchart.Panel,
    statetimeline.Panel,
)
Link = dict[str, str]
"""Of a cell: title and url."""
Variable = dashboard.QueryVariable | dashboard.DatasourceVariable


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, and what its results are called in the legend."""

    expression: str
    legend: str = ""


# Filters: what every selector of a dashboard begins with.
SCRAPED = 'cluster=~"$cluster", job=~"$job", instance=~"$instance"'
FLEET = f'{SCRAPED}, resource_namespace=~"$namespace", product=~"$product"'


def variables(*more: dashboard.QueryVariable, fleet: bool) -> list[Variable]:
    """The variables of a dashboard. Those of the scrape are only of interest for the operator."""
    scraped = models.VariableHide.HIDE_VARIABLE if fleet else models.VariableHide.DONT_HIDE
    cluster = query_variable("cluster", "cluster", f"label_values({m.BUILD_INFO}, cluster)")
    # A Prometheus of one cluster adds no such label, and `.+` would find nothing there.
    cluster.all_value(".*")
    known: list[Variable] = [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        cluster,
        query_variable(
            "job", "job", f'label_values({m.BUILD_INFO}{{cluster=~"$cluster"}}, job)'
        ).hide(scraped),
        query_variable(
            "instance",
            "instance",
            f'label_values({m.BUILD_INFO}{{cluster=~"$cluster", job=~"$job"}}, instance)',
        ).hide(scraped),
    ]
    if fleet:
        known += [
            query_variable(
                "namespace",
                "namespace",
                f'label_values({m.WITHOUT_POLICY}{{cluster=~"$cluster"}}, resource_namespace)',
            ),
            query_variable(
                "product",
                "product",
                f'label_values({m.WITHOUT_POLICY}{{cluster=~"$cluster", '
                'resource_namespace=~"$namespace"}, product)',
            ),
        ]
    return [*known, *more]


def query_variable(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable with all of its values at first."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .definition(query)
        .datasource(DATASOURCE)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(models.VariableOption(text="All", value="$__all", selected=True))
    )


def number(
    title: str,
    about: str,
    expression: str,
    *,
    unit: str = "short",
    steps: Sequence[tuple[float | None, str]] = ((None, NEUTRAL),),
    decimals: int | None = None,
    size: tuple[int, int] = (4, 4),
) -> stat.Panel:
    """One number, coloured by the steps: from which value on, and the colour."""
    panel = (
        stat.Panel()
        .unit(unit)
        .no_value("none")
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .thresholds(thresholds(steps))
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.THRESHOLDS))
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    )
    if decimals is not None:
        panel.decimals(decimals)
    panel.with_target(instant(Ask(expression)))
    return _common(panel, title, about, size)


def lines(
    title: str,
    about: str,
    *asks: Ask,
    unit: str,
    colours: dict[str, str] | None = None,
    stacked: bool = False,
    size: tuple[int, int] = (12, 8),
) -> timeseries.Panel:
    """Something over time."""
    panel = (
        timeseries.Panel()
        .unit(unit)
        .min(0)
        .line_width(2)
        .fill_opacity(70 if stacked else 10)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.RIGHT)
            .show_legend(True)
            .calcs(["lastNotNull"])
        )
        .tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    if stacked:
        panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL))
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, [_fixed(colour)])
    for ask, ref in zip(asks, "ABCDEFGH", strict=False):
        panel.with_target(_target(ask).ref_id(ref).range())
    return _common(panel, title, about, size)


def bars(
    title: str,
    about: str,
    expression: str,
    *,
    by: str,
    series: str,
    colours: dict[str, str],
    size: tuple[int, int] = (12, 8),
) -> barchart.Panel:
    """Stacked bars: one for each value of the label ``by``, its parts by the label ``series``."""
    panel = (
        barchart.Panel()
        .unit("short")
        .orientation(common.VizOrientation.HORIZONTAL)
        .stacking(common.StackingMode.NORMAL)
        .show_value(common.VisibilityMode.AUTO)
        .x_field(f"{by}\\{series}")
        .legend(
            VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .with_transformation(
            models.DataTransformerConfig(
                id_val="groupingToMatrix",
                options={
                    "columnField": series,
                    "rowField": by,
                    "valueField": "Value",
                    "emptyValue": "zero",
                },
            )
        )
    )
    for name, colour in colours.items():
        panel.override_by_name(name, [_fixed(colour)])
    panel.with_target(instant(Ask(expression)).format(PromQueryFormat.TABLE))
    return _common(panel, title, about, size)


def rows(
    title: str,
    about: str,
    *asks: Ask,
    columns: dict[str, str],
    links: dict[str, Link] | None = None,
    units: dict[str, str] | None = None,
    size: tuple[int, int] = (24, 9),
) -> table.Panel:
    """A table: of the labels and values of the results those ``columns``, in this order."""
    panel = table.Panel().unit("short").filterable(True)
    for ask, ref in zip(asks, "ABCDEFGH", strict=False):
        panel.with_target(instant(ask).ref_id(ref).format(PromQueryFormat.TABLE))
    if len(asks) > 1:
        panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        models.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(columns)}}
        )
    )
    panel.with_transformation(
        models.DataTransformerConfig(
            id_val="organize",
            options={
                "indexByName": {name: place for place, name in enumerate(columns)},
                "renameByName": {name: shown for name, shown in columns.items() if name != shown},
            },
        )
    )
    for name, link in (links or {}).items():
        panel.override_by_name(
            columns[name], [models.DynamicConfigValue(id_val="links", value=[link])]
        )
    for name, unit in (units or {}).items():
        panel.override_by_name(
            columns[name], [models.DynamicConfigValue(id_val="unit", value=unit)]
        )
    if "state" in columns:
        panel.override_by_name(
            columns["state"],
            [
                models.DynamicConfigValue(
                    id_val="mappings",
                    value=[
                        models.ValueMap(
                            options={
                                state: models.ValueMappingResult(color=colour, text=state)
                                for state, colour in COLOURS.items()
                            }
                        )
                    ],
                ),
                models.DynamicConfigValue(
                    id_val="custom.cellOptions",
                    value=common.TableColoredBackgroundCellOptions(
                        mode=common.TableCellBackgroundDisplayMode.BASIC
                    ),
                ),
            ],
        )
    return _common(panel, title, about, size)


def phases(
    title: str,
    about: str,
    ask: Ask,
    *,
    words: dict[str, tuple[str, str]],
    size: tuple[int, int] = (24, 8),
) -> statetimeline.Panel:
    """States over time; ``words`` says what a value is called, and its colour."""
    panel = (
        statetimeline.Panel()
        .unit("short")
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .mappings(
            [
                models.ValueMap(
                    options={
                        value: models.ValueMappingResult(text=text, color=colour)
                        for value, (text, colour) in words.items()
                    }
                )
            ]
        )
        .with_target(_target(ask).range())
    )
    return _common(panel, title, about, size)


def board(
    uid: str, title: str, about: str, known: Iterable[Variable], panels: Iterable[Panel]
) -> models.Dashboard:
    """A dashboard, its panels from left to right and from top to bottom."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["fleet-telemetry"])
        .readonly()
        .timezone("browser")
        .time("now-24h", "now")
        .refresh("1m")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Fleet telemetry")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["fleet-telemetry"])
            .include_vars(True)
            .keep_time(True)
            .as_dropdown(True)
        )
    )
    for variable in known:
        built.with_variable(variable)
    for place, panel in enumerate(panels, 1):
        built.with_panel(panel.id(place))
    made = built.build()
    _lay_out(made.panels or ())
    return made


def link_to(uid: str, title: str, **given: str) -> Link:
    """A link to another dashboard, with its variables given by fields of the row."""
    values = "&".join(f"var-{name}=${{__data.fields.{field}}}" for name, field in given.items())
    return {
        "title": title,
        "url": f"/d/{uid}?${{datasource:queryparam}}&${{cluster:queryparam}}&{values}",
    }


def thresholds(steps: Sequence[tuple[float | None, str]]) -> dashboard.ThresholdsConfig:
    """From which value on, and the colour; the first has no value."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=colour) for value, colour in steps])
    )


def instant(ask: Ask) -> prometheus.Dataquery:
    """Asked once, for now."""
    return _target(ask).instant()


def _target(ask: Ask) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(ask.expression).datasource(DATASOURCE).ref_id("A")
    return query.legend_format(ask.legend) if ask.legend else query


def _fixed(colour: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(
        id_val="color",
        value=models.FieldColor(mode=models.FieldColorModeId.FIXED, fixed_color=colour),
    )


def _common(panel: _Kind, title: str, about: str, size: tuple[int, int]) -> _Kind:
    width, height = size
    return panel.title(title).description(about).datasource(DATASOURCE).span(width).height(height)


def _lay_out(panels: Iterable[models.Panel | models.RowPanel]) -> None:
    """Put each where it comes to lie highest, and of such places into the leftmost."""
    filled = [0] * WIDTH
    for panel in panels:
        assert panel.grid_pos is not None
        width, height = panel.grid_pos.w, panel.grid_pos.h
        y, x = min((max(filled[x : x + width]), x) for x in range(WIDTH - width + 1))
        panel.grid_pos.x, panel.grid_pos.y = x, y
        filled[x : x + width] = [y + height] * width
