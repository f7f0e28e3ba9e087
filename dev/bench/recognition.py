"""How fast images are recognised, and what the catalogue costs at the start of a process."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.bench.figures import Figure, Target
from dev.bench.progress import Progress
from fleet_telemetry.catalogue.builtin_file import FILE, decode
from fleet_telemetry.catalogue.catalogue import Catalogue, builtin
from fleet_telemetry.catalogue.neutral_images import NEUTRAL_IMAGES

_FEW = ("dependency-track", "emqx", "sonarqube", "sourcegraph")
_MB = 1 << 20


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    repetitions: int


def measure(_: Path, size: Size, progress: Progress) -> list[Figure]:
    """Measure in this process, in its own CPU time."""
    progress.begin("recognition: images and the catalogue")
    whole = builtin()
    section = (
        f"Recognition: {len(whole.products)} products, {sum(1 for _ in whole.patterns())} images"
    )
    few = Catalogue({name: whole.products[name] for name in _FEW})
    others = [f"registry.example:5000/hub/{image}:1.2.3" for image in NEUTRAL_IMAGES]
    others = [image for image in others if whole.match_image(image, "main") is None]
    own = [f"{pattern.replace('*', 'x')}:1.2.3" for pattern in whole.patterns()]
    figures = [
        Figure.of(
            section,
            f"images of {kind}, {name}",
            "/s",
            list(_rates(catalogue, images, size)),
            Target(200_000, at_least=True) if catalogue is whole else None,
        )
        for kind, images in (("other software", others), ("the products", own))
        for name, catalogue in (("all products", whole), ("four products", few))
    ]
    text = (Path(__file__).parents[2] / "operator/fleet_telemetry/catalogue" / FILE).read_bytes()
    loads = [_seconds(lambda: list(decode(text))) * 1000 for _ in range(size.repetitions)]
    figures.append(Figure.of(section, "read the catalogue at the start", "ms", loads, Target(100)))
    figures.append(
        Figure.of(section, "memory of the catalogue", "MB", [_megabytes(text)], Target(8))
    )
    return figures


def _rates(catalogue: Catalogue, images: Sequence[str], size: Size) -> Iterator[float]:
    def recognise() -> None:
        for _ in range(size.rounds):
            for image in images:
                catalogue.match_image(image, "main")

    for _ in range(size.repetitions):
        yield size.rounds * len(images) / _seconds(recognise)


def _seconds(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


def _megabytes(text: bytes) -> float:
    tracemalloc.start()
    try:
        kept = list(decode(text))
        used, _ = tracemalloc.get_traced_memory()
        assert kept
        return used / _MB
    finally:
        tracemalloc.stop()
