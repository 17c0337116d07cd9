"""The world as a background: outline of the land, an equal-area projection, curved arcs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from analysis.style import LAND


@dataclass(frozen=True)
class View:
    """A part of the world on an Equal Earth map with its own central meridian.

    Attributes
    ----------
    name : str
        What the part is called.
    west, east, south, north : float
        Limits in degrees; west < east.
    """

    name: str
    west: float
    east: float
    south: float
    north: float

    @property
    def centre(self) -> float:
        """Central meridian, degrees east."""
        return (self.west + self.east) / 2

    def from_centre(self, longitude: np.ndarray) -> np.ndarray:
        """Return longitudes as degrees east of the central meridian, in [−180, 180)."""
        return (np.asarray(longitude, dtype=float) - self.centre + 180) % 360 - 180

    def positions(self, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Return map coordinates, shape (places, 2), of places given in degrees."""
        return project(self.from_centre(longitude), np.asarray(latitude, dtype=float))

    def contains(self, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        """Return which places lie in the view, booleans."""
        near = np.abs(self.from_centre(longitude)) <= (self.east - self.west) / 2
        return near & (latitude >= self.south) & (latitude <= self.north)

    def limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the limits of x and of y in map coordinates."""
        half = (self.east - self.west) / 2
        # parallels are longest nearest to the equator
        widest = min(max(0.0, self.south), self.north) if self.north > 0 else self.north
        right = float(project(np.array(half), np.array(widest))[0])
        heights = project(np.zeros(2), np.array([self.south, self.north]))[:, 1]
        return (-right, right), (float(heights[0]), float(heights[1]))


WORLD = View("World", -169.0, 191.0, -56.0, 77.0)
"""The seam runs through Bering Strait, so it cuts no continent."""
PACIFIC = View("World", -30.0, 330.0, -56.0, 77.0)
"""The seam runs through the Atlantic, so moves across the Pacific are in one piece."""

_EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)


@functools.cache
def outline() -> tuple[np.ndarray, ...]:
    """Return the outlines of the land.

    Returns
    -------
    tuple of ndarray
        One closed ring an island or continent, shape (points, 2): longitude (beyond 180 where
        land straddles the date line) and latitude, degrees. Source: Natural Earth
        4.1.0, 1:50m, simplified (see data/README.md).
    """
    file = resources.files("analysis") / "data" / "world_outline.npz"
    with resources.as_file(file) as path, np.load(path) as data:
        points = data["points"].astype(float) / 100
        ends = data["ends"]
    return tuple(np.split(points, ends[:-1]))


def project(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Project to the Equal Earth map.

    Šavrič, Patterson and Jenny (2019), International Journal of Geographical Information Science
    33, 454–465.

    Parameters
    ----------
    longitude : ndarray
        Degrees east of the central meridian.
    latitude : ndarray
        Degrees, in [−90, 90].

    Returns
    -------
    ndarray, shape (…, 2)
        Map coordinates for a globe of radius 1.
    """
    a1, a2, a3, a4 = _EQUAL_EARTH
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(latitude)))
    squared = theta**2
    sixth = squared**3
    slope = a1 + 3 * a2 * squared + sixth * (7 * a3 + 9 * a4 * squared)
    x = 2 * np.sqrt(3) * np.radians(longitude) * np.cos(theta) / (3 * slope)
    y = theta * (a1 + a2 * squared + sixth * (a3 + a4 * squared))
    return np.stack(np.broadcast_arrays(x, y), axis=-1)


def draw_land(ax: Axes, view: View = WORLD) -> None:
    """Draw the land as a pale background and set limits and aspect of the Axes.

    Parameters
    ----------
    ax : Axes
        Axes without ticks afterwards; one unit is as long in x as in y.
    view : View
        The part of the world.
    """
    rings = []
    for ring in outline():
        middle = float(ring[:, 0].min() + ring[:, 0].max()) / 2
        # whole rings move across the seam, so that none is torn
        shift = float(view.from_centre(np.array(middle))) - middle
        rings.append(project(ring[:, 0] + shift, ring[:, 1]))
    ax.add_collection(PolyCollection(rings, facecolors=LAND, edgecolors=LAND, linewidths=0.3))
    across, up = view.limits()
    ax.set_xlim(*across)
    ax.set_ylim(*up)
    ax.set_aspect("equal", anchor="N")
    ax.set_axis_off()


def arc(
    start: np.ndarray,
    end: np.ndarray,
    view: View = WORLD,
    *,
    bend: float = 0.18,
    points: int = 60,
) -> list[np.ndarray]:
    """Return a curved arc between two places on the map, the short way round the globe.

    The arc bows to the left of its direction of travel, so that the two directions between a pair
    of places run apart. Where it crosses the map's seam it is two pieces.

    Parameters
    ----------
    start, end : ndarray, shape (2,)
        Longitude and latitude in degrees.
    view : View
        The map.
    bend : float
        Height of the bow as a share of the distance, less for arcs longer than 60°.
    points : int
        Points of the whole arc.

    Returns
    -------
    list of ndarray
        Pieces of shape (points, 3): map coordinates and the share of the way, from 0 to 1.
    """
    first = np.array([float(view.from_centre(start[0])), start[1]])
    last = np.array([float(view.from_centre(end[0])), end[1]])
    last[0] = first[0] + (last[0] - first[0] + 180) % 360 - 180
    way = last - first
    side = np.array([-way[1], way[0]]) * min(1.0, 60 / max(float(np.hypot(*way)), 1e-9))
    control = (first + last) / 2 + 2 * bend * side
    t = np.linspace(0, 1, points)[:, None]
    curve = (1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last
    curve[:, 1] = np.clip(curve[:, 1], -85, 85)
    wrapped = (curve[:, 0] + 180) % 360 - 180
    track = np.column_stack([project(wrapped, curve[:, 1]), t[:, 0]])
    breaks = np.flatnonzero(np.abs(np.diff(wrapped)) > 180) + 1
    return [piece for piece in np.split(track, breaks) if len(piece) > 1]


def needle(track: np.ndarray, width: float, *, tip: float = 0.12) -> np.ndarray:
    """Return the outline of an arc that narrows from its origin to its destination.

    Tapered links are read faster and with fewer errors than arrows (Holten and van Wijk 2009,
    Proceedings of CHI, 2299–2308).

    Parameters
    ----------
    track : ndarray, shape (points, 3)
        A piece of :func:`arc`.
    width : float
        Width at the origin, map units.
    tip : float
        Width at the destination as a share of that at the origin.

    Returns
    -------
    ndarray, shape (2 × points, 2)
        A polygon.
    """
    line, share = track[:, :2], track[:, 2]
    heading = np.gradient(line, axis=0)
    length = np.maximum(np.hypot(heading[:, 0], heading[:, 1]), 1e-12)
    across = np.column_stack([-heading[:, 1], heading[:, 0]]) / length[:, None]
    half = (width / 2 * (1 - (1 - tip) * share))[:, None]
    return np.concatenate([line + across * half, (line - across * half)[::-1]])
