"""What a container declares by a switch, and how readings are combined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.workloads.references import ReferenceKind, Unread, ValueReference
from fleet_telemetry.workloads.workload import Container, EnvVar


class ReadingSource(StrEnum):
    """Where a reading comes from."""

    NOTHING = "Nothing"
    VARIABLE = "Variable"
    AMBIGUOUS = "Ambiguous"
    REFERENCE = "Reference"
    ENV_FROM = "EnvFrom"
    OVERRIDE = "Override"
    EXCLUSIVE = "Exclusive"
    """A variable is set beside which the product does not start with the switch."""
    DEFAULT = "Default"
    UNREADABLE = "Unreadable"
    PERSISTED = "Persisted"
    """Nothing is set, and the value of an earlier start may count."""
    START = "Start"
    """The desired value is set, and may not reach the product."""
    START_UNSET = "StartUnset"
    """Nothing is set, and what starts the product may set it."""
    SHELL = "Shell"
    """A shell runs the product, so its arguments cannot be read."""
    PROGRAM = "Program"
    """The container runs something else, as far as it can be read."""
    IMAGE_ARGUMENTS = "ImageArguments"
    """The arguments are those of the image, which are not known."""
    WORDS = "Words"
    """Other words may change what the argument means."""
    FIELD = "Field"
    """The field of a custom resource has a value."""
    FIELD_TYPE = "FieldType"
    """It has a value of another type."""
    OBJECT_ABSENT = "ObjectAbsent"
    """The custom resource does not exist, and the product may take its value from elsewhere."""
    FIELD_NOT_READ = "FieldNotRead"
    FIELD_FORBIDDEN = "FieldForbidden"
    FIELD_KIND_MISSING = "FieldKindMissing"
    FIELD_UNREACHABLE = "FieldUnreachable"


_WHY_UNKNOWN = {
    ReadingSource.AMBIGUOUS: Reason.AMBIGUOUS_VARIABLE,
    ReadingSource.REFERENCE: Reason.SET_BY_REFERENCE,
    ReadingSource.ENV_FROM: Reason.MAY_BE_SET_BY_ENV_FROM,
    ReadingSource.OVERRIDE: Reason.SWITCH_OVERRIDDEN,
    ReadingSource.EXCLUSIVE: Reason.EXCLUSIVE_VARIABLE,
    ReadingSource.DEFAULT: Reason.DEFAULT_UNKNOWN,
    ReadingSource.PERSISTED: Reason.SETTING_PERSISTS,
    ReadingSource.UNREADABLE: Reason.VERSION_UNREADABLE,
    ReadingSource.START: Reason.COMMAND_OVERRIDDEN,
    ReadingSource.START_UNSET: Reason.COMMAND_OVERRIDDEN,
    ReadingSource.SHELL: Reason.COMMAND_IS_SHELL,
    ReadingSource.PROGRAM: Reason.PROGRAM_UNKNOWN,
    ReadingSource.IMAGE_ARGUMENTS: Reason.IMAGE_ARGUMENTS_UNKNOWN,
    ReadingSource.WORDS: Reason.ARGUMENTS_AMBIGUOUS,
    ReadingSource.FIELD_TYPE: Reason.RESOURCE_VALUE_OF_OTHER_TYPE,
    ReadingSource.OBJECT_ABSENT: Reason.RESOURCE_ABSENT,
    ReadingSource.FIELD_NOT_READ: Reason.RESOURCE_NOT_READ,
    ReadingSource.FIELD_FORBIDDEN: Reason.RESOURCE_RIGHT_MISSING,
    ReadingSource.FIELD_KIND_MISSING: Reason.RESOURCE_KIND_MISSING,
    ReadingSource.FIELD_UNREACHABLE: Reason.RESOURCE_UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class SwitchReading:
    """The setting of a switch, and where it comes from: ``detail`` is a variable or an argument."""

    setting: Setting
    source: ReadingSource
    detail: str = ""
    why: Reason | None = None
    """The reason, where the source alone does not say it."""
    is_from_reference: bool = False
    """The value stands somewhere else, which ``detail`` names."""

    @property
    def why_unknown(self) -> Reason:
        """The reason, if the setting is unknown."""
        return self.why or _WHY_UNKNOWN.get(self.source, Reason.VALUE_NOT_UNDERSTOOD)


_WHY_UNREAD = {
    Unread.NOT_READ: Reason.CONFIG_MAP_NOT_READ,
    Unread.MISSING: Reason.CONFIG_MAP_MISSING,
    Unread.CHANGED: Reason.CONFIG_MAP_CHANGED,
}


def unread_value(entry: EnvVar) -> SwitchReading:
    """An entry by reference whose value is not known."""
    is_whole = entry.reference is not None and entry.reference.is_whole
    source = ReadingSource.ENV_FROM if is_whole else ReadingSource.REFERENCE
    why = _why_unread(entry.reference)
    return SwitchReading(Setting.UNKNOWN, source, entry.label, why, is_from_reference=True)


def value_reading(setting: Setting, source: ReadingSource, entry: EnvVar) -> SwitchReading:
    """An entry whose value is known."""
    is_read = entry.reference is not None
    return SwitchReading(setting, source, entry.label, is_from_reference=is_read)


def may_come_from(container: Container) -> SwitchReading:
    """A variable that no entry sets, and that an ``envFrom`` may."""
    unread = container.env_from_unread
    return SwitchReading(Setting.UNKNOWN, ReadingSource.ENV_FROM, why=_why_unread(unread))


def _why_unread(reference: ValueReference | None) -> Reason | None:
    if reference is None or reference.kind is not ReferenceKind.CONFIG_MAP:
        return None
    return _WHY_UNREAD[reference.unread or Unread.NOT_READ]


def setting_of(desired: Submission) -> Setting:
    """The setting that a policy asks for."""
    return Setting.DISABLED if desired is Submission.DISABLED else Setting.ENABLED


def is_expanded(value: str) -> bool:
    """Whether Kubernetes or the product replaces a part of the value by something else.

    SonarQube decodes values such as ``{b64}dHJ1ZQ==`` and ``{aes-gcm}...``, in any case of the word
    in braces (SonarSource/sonarqube@021cfd39: sonar-plugin-api-impl/src/main/java/org/sonar/api/
    config/internal/Encryption.java). It does not decode others; they are read as unknown, too.
    """
    return "$(" in value or "${" in value or (value.lstrip().startswith("{") and "}" in value)


def with_default(
    reading: SwitchReading, default: DefaultState, *, persists: bool = False
) -> SwitchReading:
    """The effect of a reading in a version with this default: an unset switch has the default. If
    an earlier start may have stored a value (``persists``), it is unknown."""
    if reading.setting is not Setting.UNSET:
        return reading
    if persists:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.PERSISTED, reading.detail)
    setting = Setting.UNKNOWN
    if default is DefaultState.ON:
        setting = Setting.ENABLED
    elif default in (DefaultState.OFF, DefaultState.NO_TELEMETRY):
        setting = Setting.DISABLED
    if reading.source is ReadingSource.OVERRIDE:  # the switch itself would not count
        return SwitchReading(setting, reading.source, reading.detail)
    return SwitchReading(setting, ReadingSource.DEFAULT)


_NEAREST_TO_SENDING = (Setting.ENABLED, Setting.UNSET, Setting.UNKNOWN, Setting.DISABLED)


def nearest_to_sending(settings: Iterable[Setting]) -> Setting:
    """One setting for several containers, switches or pods; unknown if there are none."""
    return min(settings, key=_NEAREST_TO_SENDING.index, default=Setting.UNKNOWN)


def farthest_from(desired: Setting, readings: Iterable[SwitchReading]) -> SwitchReading:
    """The reading that differs most from the desired setting: the opposite, then unset, then
    unknown."""
    order = {desired: 3, Setting.UNKNOWN: 2, Setting.UNSET: 1}
    return min(readings, key=lambda reading: order.get(reading.setting, 0))
