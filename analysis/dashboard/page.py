"""The page: draws a :class:`~analysis.dashboard.desk.Desk` and passes on clicks.

Most parts are functions, no components: a component is drawn again only when it is given something
else, and the desk stays the same object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import solara
import solara.lab

from analysis import style
from analysis.dashboard import shown
from analysis.dashboard.desk import AGAINST, LIMITS, Desk
from analysis.dashboard.dials import Dial
from analysis.dashboard.downloads import FORMATS, zipped
from analysis.dashboard.experiment import Frame
from analysis.dashboard.library import served
from analysis.dashboard.parts import Choice, CityMap, Knob, Setup, Table, html
from sim.results import version

ABOUT_SETTINGS = {
    "agents": ("agents", "Each stands for the same number of persons. More give less chance."),
    "years": ("years", "Years to simulate."),
    "seed": ("seed", "Of every random draw. The base has the same luck."),
}


@dataclass(frozen=True)
class Look:
    """What the visitor looks at."""

    city: str
    measure: str
    view: str
    year: int | None = None


@solara.component  # type: ignore[untyped-decorator, unused-ignore]
def Layout(children: list[Any] = []) -> Any:  # noqa: B006, N802 (Solara's own form)
    """Put nothing around the page."""
    return html("div", *children)


@solara.component  # type: ignore[untyped-decorator, unused-ignore]
def Page() -> None:  # noqa: N802 (the name that Solara looks for)
    """Draw the whole page; each open page has a desk of its own."""
    _, changed = solara.use_state(0)
    desk = solara.use_memo(lambda: Desk(served()), [])
    desk.notify = lambda: changed(lambda n: n + 1)
    desk.pace.begin()
    solara.use_effect(desk.pace.end, None)
    look, see = solara.use_state(Look("Beijing", "change", "World"))
    solara.use_effect(lambda: desk.stop, [])  # a closed page leaves no run behind
    task = solara.lab.use_task(desk.run, dependencies=None, raise_error=False)
    solara.Title("Talentflow")
    solara.Style(Path(__file__).with_name("page.css"))
    Setup()
    with html("div", css="tf"):
        html(
            "header",
            html("h1", "Talentflow"),
            html("p", f"Talent among 120 cities, simulated; version {version()}"),
        )
        with html("div", css="tf-body"):
            with html("section", css="tf-set", aria_label="Scenario and settings"):
                Settings(desk, task, desk.token())
            with html("main", css="tf-see"):
                _results(desk, look, see)


@solara.component  # type: ignore[untyped-decorator, unused-ignore]
def Settings(desk: Desk, task: Callable[[], None], token: object) -> None:  # noqa: N802
    """Draw the left side: scenario, settings, run and stop, the policies' dials.

    It is a component so that a year that is over does not draw some hundred dials again; the token
    says when that is needed.
    """
    with html("div"):
        Choice(
            name="scenario",
            label="Scenario",
            value=desk.name,
            options=[{"value": name, "text": name} for name in desk.library.names()],
            disabled=desk.running,
            event_picked=desk.choose,
        )
        if desk.scenario is not None:
            html("p", desk.scenario.title, css="tf-about")
        Choice(
            name="against",
            label="Compare with",
            value=desk.against,
            options=[{"value": key, "text": text} for key, text in AGAINST.items()],
            disabled=desk.running,
            event_picked=desk.compare_with,
        )
        with html("div"):
            for name, (label, about) in ABOUT_SETTINGS.items():
                if name in desk.settings:
                    _setting(desk, name, label, about)
        with solara.Row(gap="8px"):
            solara.Button(
                "Run",
                on_click=lambda: task(),
                disabled=desk.running or desk.scenario is None or bool(desk.fault),
                color=style.BLUE,
                dark=True,
                classes=["tf-run"],
            )
            solara.Button(
                "Stop",
                on_click=desk.stop,
                disabled=not desk.running or desk.stopping,
                outlined=True,
                classes=["tf-stop"],
            )
        if desk.fault:
            html("p", desk.fault, css="tf-fault", role="alert")
        _policies(desk)


def _setting(desk: Desk, name: str, label: str, about: str) -> None:
    """Draw the dial of agents, years or seed."""
    low, high = LIMITS[name]
    assert desk.scenario is not None
    slides = {"agents": (0.0, 5e5, 5e3), "years": (1.0, 50.0, 1.0), "seed": (0.0, 100.0, 1.0)}
    Knob(
        name=name,
        label=label,
        value=desk.settings[name],
        origin=desk.settings[name],
        low=low,
        high=high,
        slide=list(slides[name]),
        description=about,
        disabled=desk.running,
        event_turned=lambda value: desk.set(name, value),
    )


def _policies(desk: Desk) -> None:
    """Say what each policy is, and draw its dials."""
    html("h2", "Policies")
    if desk.scenario is None:
        return
    if not desk.scenario.interventions:
        html("p", "This scenario has none.", css="tf-note")
    for policy in shown.policies(desk.scenario):
        html("h3", policy["name"])
        html("p", f"{policy['lever']}: {policy['about']}", css="tf-about")
        html("p", f"Places: {policy['places']}. People: {policy['people']}.", css="tf-about")
        mine = [dial for dial in desk.dials if dial.policy == policy["name"]]
        for dial in mine:
            if dial.given:
                _policy_knob(desk, dial)
        rest = [dial for dial in mine if not dial.given]
        if rest:
            with html("details"):
                html("summary", f"More numbers, at their defaults ({len(rest)})")
                for dial in rest:
                    _policy_knob(desk, dial)
        if policy["sources"]:
            with html("details"):
                html("summary", "Sources")
                html("p", policy["sources"], css="tf-about")
    if any(desk.values[dial.key] != dial.value for dial in desk.dials):
        solara.Button("Back to the file's numbers", on_click=desk.reset, outlined=True, small=True)
    if desk.scenario.description:
        with html("details"):
            html("summary", "About this scenario")
            for paragraph in desk.scenario.description.split("\n\n"):
                html("p", paragraph, css="tf-about")


def _policy_knob(desk: Desk, dial: Dial) -> None:
    """Draw the dial of one number of a policy."""
    Knob(
        name=dial.key,
        label=dial.label,
        value=desk.values[dial.key],
        origin=dial.value,
        low=dial.low,
        high=dial.high,
        slide=list(dial.slide),
        unit=dial.unit,
        description=dial.description,
        disabled=desk.running,
        event_turned=lambda value: desk.turn(dial.key, value),
    )


def _results(desk: Desk, look: Look, see: Callable[[Look], None]) -> None:
    """Draw the right side: how far the run has come, maps, differences, one city, downloads."""
    frame = desk.frame
    _status(desk, frame)
    if frame is None:
        return
    year = frame.year if look.year is None else min(max(look.year, frame.start), frame.year)
    _looks(frame, look, see, year)
    _maps(frame, look, see, year)
    _city(frame, look, see, year)
    if frame.done and not desk.running:
        html("h2", "Tables")
        html("p", f"All tables of {frame.start} to {frame.year}, to work on.", css="tf-note")
        with solara.Row(gap="8px"):
            for kind, name in FORMATS.items():
                solara.FileDownload(
                    lambda kind=kind: zipped(frame, kind),
                    filename=f"{frame.scenario.name}-seed{frame.scenario.seed}-{kind}.zip",
                    label=f"{name} (ZIP)",
                    mime_type="application/zip",
                ).key(f"{kind}-{desk.runs}")


def _status(desk: Desk, frame: Frame | None) -> None:
    """Say what is going on, in words and by a bar."""
    if frame is None and not desk.running:
        text = "Pick a scenario, move its numbers, and press Run."
    elif frame is None:
        text = "Preparing the cities and the agents ..."
    else:
        what = f"{frame.scenario.name}, seed {frame.scenario.seed}"
        state = "running" if desk.running else "finished" if frame.finished else "stopped"
        text = f"{what}: {state} at {frame.year}, year {frame.done} of {frame.total}."
        text += f" One agent stands for {frame.persons:,} persons."
    html("p", text, css="tf-status", role="status")
    if desk.running:
        done: dict[str, Any] = {} if frame is None else {"value": frame.done, "max": frame.total}
        html("progress", aria_label="Years simulated", **done)
    if desk.outdated and not desk.running and frame is not None:
        html("p", "Settings were changed since; press Run to see what they do.", css="tf-note")


def _looks(frame: Frame, look: Look, see: Callable[[Look], None], year: int) -> None:
    """Let choose what the maps show, which part of the world, and which year."""
    with html("div", css="tf-row"):
        Choice(
            name="measure",
            label="Circles show",
            value=look.measure,
            options=[
                {"value": key, "text": text.format(start=frame.start)}
                for key, text in shown.MEASURES.items()
            ],
            event_picked=lambda value: see(replace(look, measure=value)),
        )
        Choice(
            name="view",
            label="Part of the world",
            value=look.view,
            options=[{"value": name, "text": name} for name in shown.VIEWS],
            event_picked=lambda value: see(replace(look, view=value)),
        )
        years = range(frame.year, frame.start - 1, -1)
        Choice(
            name="year",
            label="Year",
            value="" if look.year is None or look.year > frame.year else str(year),
            options=[
                {"value": "", "text": f"latest ({frame.year})"},
                *({"value": str(y), "text": str(y)} for y in years),
            ],
            event_picked=lambda value: see(replace(look, year=int(value) if value else None)),
        )


def _maps(frame: Frame, look: Look, see: Callable[[Look], None], year: int) -> None:
    """Draw one map; with a base three, and the largest differences as bars."""
    found = shown.measured(frame, look.measure, year)
    view = shown.VIEWS[look.view]
    what = shown.MEASURES[look.measure].format(start=frame.start)
    sides = [found[name] for name in ("scenario", "base") if name in found]
    largest = max(float(values.abs().max()) for values in sides)

    def one(name: str, title: str, top: float) -> None:
        CityMap(
            name=name,
            title=f"{title}, {year}",
            words=shown.summary(found[name]),
            land=shown.land(),
            ground=style.LAND,
            box=shown.box(view),
            marks=shown.marks(found[name], top, view, look.city),
            legend=shown.legend(top, view),
            hint="Click a city.",
            event_chosen=lambda city: see(replace(look, city=city)),
        )

    with html("div", css="tf-maps"):
        if frame.base is not None:
            one("base", f"{what}: {frame.base.name}", largest)
        one("scenario", f"{what}: {frame.scenario.name}", largest)
    html("p", "Persons. Full circles: gains; empty ones: losses; area by number.", css="tf-note")
    if frame.base is None:
        return
    html("h2", f"What {frame.scenario.name} changes, on the same luck")
    with html("div", css="tf-maps"):
        gap = float(found["difference"].abs().max())
        one("difference", f"Difference from {frame.base.name}", gap)
        Table(
            name="differences",
            caption=f"{what}: largest differences, {year}, persons",
            columns=["city", frame.scenario.name, frame.base.name, "difference"],
            rows=shown.difference_rows(found),
            empty="no difference in any city",
            event_chosen=lambda city: see(replace(look, city=city)),
        )
    html(
        "p",
        "One run each: a small difference can be chance. 'talentflow compare' gives intervals.",
        css="tf-note",
    )


def _city(frame: Frame, look: Look, see: Callable[[Look], None], year: int) -> None:
    """Draw one city: its numbers, its six dimensions, who comes and who leaves."""
    html("h2", f"{look.city}")
    with html("div", css="tf-row"):
        Choice(
            name="city",
            label="City",
            value=look.city,
            options=[{"value": city, "text": city} for city in sorted(shown.positions().index)],
            event_picked=lambda city: see(replace(look, city=city)),
        )
    sides = [frame.scenario.name, *([] if frame.base is None else [frame.base.name])]
    with html("div", css="tf-cards"):
        Table(
            name="facts",
            caption=f"{look.city}, {year}",
            columns=["measure", *sides],
            rows=shown.fact_rows(frame, look.city, year),
        )
        Table(
            name="dimensions",
            caption=f"Six dimensions, index points ({look.city}, {year})",
            columns=["dimension", *sides, f"in {frame.start}", f"score of {frame.start} is"],
            rows=shown.dimension_rows(frame, look.city, year),
        )
        for direction, caption in (
            ("coming", f"Who comes to {look.city}: from"),
            ("leaving", f"Who leaves {look.city}: for"),
        ):
            Table(
                name=direction,
                caption=f"{caption}, persons, {frame.start + 1}-{year}",
                columns=["city", *sides],
                rows=shown.exchange_rows(frame, look.city, year, direction),
                empty="nobody yet",
                event_chosen=lambda city: see(replace(look, city=city)),
            )
