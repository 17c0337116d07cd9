"""The gallery of the documentation: every kind of picture, drawn from real runs by one command.

``make gallery``, or ``python -m analysis.gallery``, simulates the baseline on five seeds,
a comparison and a sweep, and writes ``docs/images`` and ``docs/gallery.md``. It draws into the
folder of the source tree, so it needs an editable installation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis import compare_plots
from analysis.kinds import KINDS
from sim.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POLICY, SWEEP, CITY = "beijing-rent-relief", "beijing-rent-relief", "Singapore"
SEEDS, PAIRS, AGENTS = 5, 8, 1_000_000
SCALE = 0.45
"""Pictures of a page are smaller than those of a run, which are for print."""


class Entry(NamedTuple):
    """A picture of the gallery: its file's name, what it shows, how to draw it, and the figure."""

    name: str
    about: str
    command: str
    figure: Figure


def entries(agents: int) -> Iterator[tuple[str, list[Entry]]]:
    """Simulate, and yield the sections of the gallery with their pictures.

    Parameters
    ----------
    agents : int
        Agents of the first run; the others have a fifth.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield "A run", list(_of_runs(agents))
        yield "A comparison and a sweep", list(_of_policies(agents // 5, Path(folder)))
    yield "The index", list(_of_landscape())


def _of_runs(agents: int) -> Iterator[Entry]:
    from analysis.pictures import draw_kind

    first = simulate(agents, seed=1)
    others = [simulate(agents // 5, seed) for seed in range(1, SEEDS + 1)]
    for kind, known in KINDS.items():
        fan = kind.endswith("-fan")
        shown: Any = others if fan else first
        city = [CITY] if known.a_city else []
        where = "runs/seed-*" if fan else "runs/baseline"
        command = f"talentflow plot {where} --kind {kind}" + (f" --city {CITY}" if city else "")
        yield Entry(kind, known.about, command, draw_kind(shown, kind, city))


def simulate(agents: int, seed: int) -> Any:
    """Return a finished run of the baseline, read back from disk as ``talentflow plot`` would."""
    from sim.results import read_run
    from sim.runner import run_scenario
    from sim.scenario import load_scenario

    scenario = load_scenario("baseline", {"population.agents": agents, "seed": seed})
    sys.stderr.write(f"baseline, {agents:,} agents, seed {seed}\n")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        run_scenario(scenario, out, pictures=False)
        return read_run(out)


def _of_policies(agents: int, folder: Path) -> Iterator[Entry]:
    from analysis.compared import Compared
    from analysis.pictures import draw_kind
    from sim.comparison_folder import run_comparison
    from sim.scenario import load_scenario
    from sim.sweep_run import run_sweep

    size = {"population.agents": agents}
    base, policy = (load_scenario(name, size) for name in ("baseline", POLICY))
    sys.stderr.write(f"{POLICY} against baseline, {PAIRS} pairs of {agents:,} agents\n")
    compared = Compared(run_comparison(base, [policy], folder / "cmp", seeds=PAIRS, pictures=False))
    for kind, known in compare_plots.KINDS.items():
        command = f"talentflow plot runs/compare-baseline-{POLICY}-seeds{PAIRS} --kind {kind}"
        figure = draw_kind(compared, kind, kinds=compare_plots.KINDS)
        yield Entry(kind, known.about, command, figure)
    sys.stderr.write(f"sweep of {SWEEP}\n")
    swept = Compared(run_sweep(load_scenario(SWEEP, size), folder / "sweep", base, pictures=False))
    for kind, known in compare_plots.SWEEP_KINDS.items():
        figure = draw_kind(swept, kind, kinds=compare_plots.SWEEP_KINDS)
        yield Entry(kind, known.about, f"talentflow sweep {SWEEP}", figure)


def _of_landscape() -> Iterator[Entry]:
    from analysis.landscape_plots import city_strip, heat_map
    from sim.landscape import load_landscape

    landscape = load_landscape()
    command = f"talentflow landscape --plot landscape --city {CITY}"
    for name, about, axes in (
        ("landscape", "all scores, published and estimated, with their doubt", heat_map(landscape)),
        ("landscape-city", "one city's scores with intervals", city_strip(landscape, CITY)),
    ):
        figure: Any = axes.get_figure(root=True)
        yield Entry(name, about, command, figure)


def write_gallery(docs: Path, agents: int = AGENTS) -> list[Path]:
    """Write the gallery into a folder of documentation.

    Parameters
    ----------
    docs : Path
        Gets ``gallery.md`` and ``images/``.
    agents : int
        Agents of the baseline.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    UserError
        If there is no such folder.
    """
    from analysis.pictures import write_figure

    if not docs.is_dir():
        raise UserError(f"{docs}: no such folder; install from a source tree with pip install -e .")
    images = docs / "images"
    images.mkdir(exist_ok=True)
    lines = [
        "# Gallery",
        "",
        "Every kind of picture, drawn from real runs by `make gallery`: the baseline with "
        f"{agents:,} agents over twenty years, five seeds of it and `{POLICY}` with "
        f"{agents // 5:,}. All that is said of the future is simulated.",
    ]
    files = []
    for section, pictures in entries(agents):
        lines += ["", f"## {section}"]
        for entry in pictures:
            file = images / f"{entry.name}.png"
            files.append(_shrink(write_figure(entry.figure, file)))
            about = entry.about[:1].upper() + entry.about[1:]
            lines += ["", f"**{about}**: `{entry.command}`", "", f"![{about}](images/{file.name})"]
    page = docs / "gallery.md"
    page.write_text("\n".join(lines) + "\n", "utf-8")
    return [*files, page]


def _shrink(file: Path) -> Path:
    """Scale a picture down (text that is drawn small is laid out otherwise, and cut off)."""
    from PIL import Image

    with Image.open(file) as image:
        size = (round(image.width * SCALE), round(image.height * SCALE))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(256).save(file, optimize=True)
    return file


def main() -> None:
    """Write the gallery of the source tree that this is installed from."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the documentation.")
    parser.add_argument("--agents", type=int, default=AGENTS, help="agents of the baseline")
    docs = Path(__file__).resolve().parents[1] / "docs"
    try:
        for file in write_gallery(docs, parser.parse_args().agents):
            sys.stdout.write(f"{file.relative_to(docs.parent)}\n")
    except UserError as error:
        sys.exit(f"talentflow: {error}")


if __name__ == "__main__":
    main()
