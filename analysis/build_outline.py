"""Derive the small world outline of the maps from Natural Earth's land at 1:50m.

Run by hand, when the outline is to be renewed::

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python -m analysis.build_outline package/land-50m.json

It decodes the TopoJSON, leaves out Antarctica and the smallest islands, simplifies every ring and
writes ``analysis/data/world_outline.npz``. Natural Earth is in the public domain.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 0.10
"""Largest displacement allowed to a simplified coast, degrees."""
SMALLEST_AREA = 0.10
"""Rings that enclose less than this are left out, square degrees."""
SOUTHERN_LIMIT = -60.0
"""Rings wholly south of this latitude (Antarctica) are left out, degrees."""
UNIT = 0.01
"""Coordinates are stored as whole multiples of this, degrees; ±327° fit 16 bits."""
OUTLINE = Path(__file__).parent / "data" / "world_outline.npz"


def decode_rings(topology: dict[str, Any]) -> list[np.ndarray]:
    """Turn the land of a quantised TopoJSON into closed rings.

    Parameters
    ----------
    topology : dict
        The parsed file, whose ``objects.land`` is a collection of (multi)polygons.

    Returns
    -------
    list of ndarray
        One array of shape (points, 2) a ring: longitude (without jumps, so it may pass 180) and
        latitude in degrees.
    """
    scale = np.asarray(topology["transform"]["scale"])
    shift = np.asarray(topology["transform"]["translate"])
    arcs = [np.cumsum(np.asarray(arc), axis=0) * scale + shift for arc in topology["arcs"]]
    rings = []
    for geometry in topology["objects"]["land"]["geometries"]:
        single = geometry["type"] == "Polygon"
        polygons = [geometry["arcs"]] if single else geometry["arcs"]
        for polygon in polygons:
            for ring in polygon:
                # ~i stands for arc i walked backwards; neighbours share their end point
                parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
                ring_points = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
                # land that straddles the date line continues beyond 180° instead of jumping
                east = np.unwrap(ring_points[:, 0], period=360)
                ring_points[:, 0] = east - 360 * np.round((east.min() + east.max()) / 720)
                rings.append(ring_points)
    return rings


def simplify(line: np.ndarray, tolerance: float) -> np.ndarray:
    """Thin out a line by the algorithm of Ramer (1972) and Douglas and Peucker (1973).

    Parameters
    ----------
    line : ndarray, shape (points, 2)
        An open or closed line.
    tolerance : float
        Largest distance of a dropped point from the line that is kept, in the line's units.

    Returns
    -------
    ndarray, shape (fewer points, 2)
        The kept points, the first and the last among them.
    """
    keep = np.zeros(len(line), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        chord = line[last] - line[first]
        offset = line[first + 1 : last] - line[first]
        square = float(chord @ chord)
        share = np.clip(offset @ chord / square, 0, 1) if square > 0 else np.zeros(len(offset))
        away = np.hypot(*(offset - share[:, None] * chord).T)
        farthest = int(np.argmax(away))
        if away[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return line[keep]


def ring_area(ring: np.ndarray) -> float:
    """Return the area that a closed ring encloses, square degrees (shoelace formula)."""
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2


def derive(topology: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of the derived file.

    Parameters
    ----------
    topology : dict
        Natural Earth land as TopoJSON.

    Returns
    -------
    dict
        ``points``: int16, shape (points, 2), longitude and latitude in hundredths of a degree;
        ``ends``: int32, shape (rings,), index after each ring's last point.
    """
    kept = []
    for ring in decode_rings(topology):
        if ring[:, 1].max() < SOUTHERN_LIMIT or ring_area(ring) < SMALLEST_AREA:
            continue
        thin = simplify(ring, TOLERANCE)
        if len(thin) >= 4:
            kept.append(np.rint(thin / UNIT).astype(np.int16))
    ends = np.cumsum([len(ring) for ring in kept]).astype(np.int32)
    return {"points": np.concatenate(kept), "ends": ends}


def main(arguments: list[str]) -> None:
    """Write the outline from the TopoJSON file that is named first."""
    arrays = derive(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    np.savez_compressed(OUTLINE, **arrays)  # type: ignore[arg-type]
    size = OUTLINE.stat().st_size
    print(f"{OUTLINE.name}: {len(arrays['ends'])} rings, {len(arrays['points'])} points, {size} B")


if __name__ == "__main__":
    main(sys.argv[1:])
