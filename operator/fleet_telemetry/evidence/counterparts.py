"""Which containers of pods are evidence for which containers of the pod template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.pod_facts import PodFacts

_MOST_BY_OTHER_NAMES = 64


class Counterparts:
    """Those that use one channel of one product.

    A container of a pod is a counterpart of one in the template if it runs the same component, by
    whichever name: in an older pod it may have had another one. But if a pod has a container of the
    same name among them, those that the template has too are not: they have counterparts of their
    own. Besides, two of which the template says nothing:

    - a container that uses the channel, of a component that the template does not have: an older
      pod's, or one that was added to the pod;
    - if a pod has none of these, a container of the same name with an image that the catalogue does
      not know.

    Each pod is looked through once, and not for each container: a pod may have thousands. One with
    very many that have other names shows nothing of any of them.
    """

    def __init__(
        self,
        pods: Sequence[PodFacts],
        every: Sequence[MatchedContainer],
        product: str,
        channel: ChannelName,
    ) -> None:
        """``every`` are all containers of the template that run a product."""
        own = [target for target in every if target.product.name == product]
        self.users = tuple(
            target for target in own if target.product.has_channel(channel, target.image)
        )
        """The containers of the template that use the channel."""
        components = frozenset(target.image.component for target in own)
        names = frozenset(target.container.name for target in self.users)
        self._pods = [_PodIndex(pod, product, channel, components, names) for pod in pods]

    def of(
        self, targets: Sequence[MatchedContainer]
    ) -> Iterator[tuple[PodFacts, MatchedContainer]]:
        """Those of some of the template's, pod by pod."""
        components = dict.fromkeys(target.image.component for target in targets)
        for pod in self._pods:
            found = pod.counterparts(targets, components) or list(pod.unrecognised(targets))
            yield from ((pod.facts, one) for one in found)


class _PodIndex:
    """The containers of a pod that run one product."""

    def __init__(
        self,
        facts: PodFacts,
        product: str,
        channel: ChannelName,
        components: frozenset[str],
        names: frozenset[str],
    ) -> None:
        """``components`` are those in the template, and ``names`` those of its containers that use
        the channel."""
        self.facts = facts
        self._of_component: dict[str, list[MatchedContainer]] = {}
        self._of_name: dict[tuple[str, str], list[MatchedContainer]] = {}
        self._unnamed: dict[str, list[MatchedContainer]] = {}
        self._added: list[MatchedContainer] = []
        known = {target.container.name for target in facts.targets}
        self._unknown = {
            container.name: container
            for container in facts.template.containers
            if container.name not in known
        }
        for target in facts.targets:
            if target.product.name != product:
                continue
            component, name = target.image.component, target.container.name
            if component not in components:
                if target.product.has_channel(channel, target.image):
                    self._added.append(target)
                continue
            self._of_component.setdefault(component, []).append(target)
            if name in names:
                self._of_name.setdefault((component, name), []).append(target)
            else:
                self._unnamed.setdefault(component, []).append(target)

    def counterparts(
        self, targets: Sequence[MatchedContainer], components: Iterable[str]
    ) -> list[MatchedContainer]:
        """Those of some containers of the template, which are of these components."""
        named = [
            one
            for target in targets
            for component in components
            for one in self._of_name.get((component, target.container.name), ())
        ]
        rest = self._unnamed if named else self._of_component
        every = chain(*(rest.get(component, ()) for component in components), self._added)
        others = list(islice(every, _MOST_BY_OTHER_NAMES + 1))
        if len(others) > _MOST_BY_OTHER_NAMES:
            others = [targets[0].with_unknown_image(others[0].container)]
        return [*named, *others]

    def unrecognised(self, targets: Iterable[MatchedContainer]) -> Iterator[MatchedContainer]:
        """Those of the same names with an image that the catalogue does not know."""
        for target in targets:
            container = self._unknown.get(target.container.name)
            if container is not None:
                yield target.with_unknown_image(container)
