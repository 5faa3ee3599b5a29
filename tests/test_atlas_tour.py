"""Tours over maps of the analytic world: each mode keeps its word, the walk keeps to its plan, and presets film it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from standins import surveys

from latentworld import globe, walks
from latentworld.atlas import field, mesh, smooth, tour_stops
from latentworld.atlas.graph import TourGraph
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.tour import TASTE, Tour, plan
from latentworld.atlas.types import Atlas, Line, Mesh, Phases
from latentworld.decoding.analytic import SHELL, analytic, lattice_modes
from latentworld.errors import AtlasError
from latentworld.preset import Preset, dump, parse

PLANE = surveys.PLANE
WORLD = analytic(PLANE, lattice_modes(12, 0), 0.1, size=(2, 2), batch=512)
SAMPLINGS = {
    "globe": Globe(nside=20),
    "window": Window(rows=36, columns=36),
    "adaptive": Adaptive(rows=65, columns=65, coarse=4, budget=0.3),
}
every = pytest.mark.parametrize("kind", list(SAMPLINGS))


@cache
def country(kind: str) -> tuple[Atlas, Mesh, np.ndarray]:
    atlas = surveys.survey(SAMPLINGS[kind], surveys.looked(WORLD))
    net = mesh.mesh(atlas)
    return atlas, net, field.rates(atlas, net)


def planned(kind: str, mode: Any, **wishes: Any) -> Tour:
    return plan(*country(kind), mode, **wishes)


def frames(tour: Tour, stride: float = 0.1) -> np.ndarray:
    """Units of a film's frames."""
    units, radii = walks.build(tour.walk, PLANE).ahead(np.arange(0.0, tour.length, stride))
    np.testing.assert_allclose(radii, 1.0, atol=1e-12)
    return units


def rates(units: np.ndarray) -> np.ndarray:
    """Between consecutive frames."""
    steps = np.linalg.norm(np.diff(WORLD.mixture.flow(units * SHELL), axis=0), axis=1)
    return steps / np.linalg.norm(np.diff(PLANE.points(units), axis=0), axis=1)


def straight(kind: str) -> np.ndarray:
    """Rates of great circles through the country."""
    if kind == "globe":
        ends = globe.normalise(np.random.default_rng(4).normal(size=(3, 2, 3)))
        ways = [(u, globe.project(u, v), 2 * np.pi) for u, v in ends]
    else:
        ends = [
            PLANE.unit(*c) for c in (([0, 1], [0, 1]), ([0, 1], [1, 0]), ([0.5, 0.5], [0, 1]), ([0, 1], [0.5, 0.5]))
        ]
        ways = [(u, globe.tangent(u, v), globe.angle(u, v)) for u, v in ends]
    return np.concatenate(
        [rates(globe.step(u, h, np.arange(0, length, 0.1 / PLANE.target))[0]) for u, h, length in ways]
    )


def test_a_tours_film_lasts_a_lap_or_a_way_and_is_never_empty() -> None:
    tour = planned("window", "seek", stops=3)
    base = parse({"pacing": {"speed": 5.0, "floor": 0.01}})
    assert tour.closed
    assert tour.preset(base).film.seconds == pytest.approx(tour.length / 5.0)
    assert tour.preset(base).pacing.kind == "latent"
    fast = parse({"pacing": {"speed": 1e9, "ceiling": 1e9}, "film": {"fps": 20.0}})
    assert tour.preset(fast).film.seconds == 1 / 20


def test_the_film_of_an_open_tour_ends_on_its_last_point() -> None:
    tour = planned("window", "visit", points=PLANE.unit([0.1, 0.8], [0.2, 0.3]), closed=False)
    base = parse({"pacing": {"speed": 5.0, "floor": 0.01}})
    film = tour.preset(base).film
    walk = walks.build(tour.walk, PLANE)
    (last,), _ = walk.ahead([(film.frames - 1) * base.pacing.speed / film.fps])
    stride = base.pacing.speed / film.fps / PLANE.target  # radians
    assert globe.angle(last, tour.unit[-1]) < 0.6 * stride


def test_a_tour_has_two_stops_or_more() -> None:
    assert len(planned("window", "seek", stops=2).unit) >= 2
    with pytest.raises(AtlasError, match="give 2 or more"):
        planned("window", "seek", stops=1)


def test_a_tour_keeps_to_the_radius_of_its_atlas() -> None:
    atlas, net, found = country("window")
    raised = plan(replace(atlas, radius=1.5), net, found, "seek", stops=3)
    assert raised.walk.radius == 1.5
    assert raised.length == pytest.approx(1.5 * planned("window", "seek", stops=3).length, rel=1e-6)


def test_rifts_draw_one_tour_as_much_as_they_repel_another() -> None:
    assert TASTE == {"seek": -8.0, "follow": -8.0, "avoid": 8.0, "visit": 0.0, "shortest": 0.0, "geodesic": 0.0}


def test_what_is_closed_unless_told() -> None:
    points = PLANE.unit([0.2, 0.8, 0.5], [0.2, 0.3, 0.9])
    closed = {("visit", 2): False, ("visit", 3): True, ("shortest", 2): False, ("shortest", 3): False,
              ("seek", 2): True, ("seek", 3): True, ("avoid", 2): True, ("avoid", 3): True}  # fmt: skip
    for (mode, count), expected in closed.items():
        assert planned("window", mode, points=points[:count]).closed is expected
        assert planned("window", mode, points=points[:count], closed=not expected).closed is not expected


@every
def test_seeking_and_avoiding_keep_the_goals_on_rendered_frames(kind: str) -> None:
    threshold = np.quantile(straight(kind), 0.9)
    assert (rates(frames(planned(kind, "seek"))) > threshold).mean() >= 0.5
    assert (rates(frames(planned(kind, "avoid"))) > threshold).mean() <= 0.03


def test_without_weaving_a_seeking_tour_keeps_on_the_ridge() -> None:
    tour = planned("globe", "seek", weave=0.0, stops=5)
    survey = WORLD.true_rate(globe.normalise(np.random.default_rng(0).normal(size=(4000, 3))))
    assert (WORLD.true_rate(frames(tour)) > np.quantile(survey, 0.9)).mean() > 0.95


@every
@pytest.mark.parametrize("mode", ["seek", "avoid"])
def test_the_walk_keeps_to_the_planned_places(kind: str, mode: str) -> None:
    tour = planned(kind, mode)
    assert tour.strays <= 2.0
    unit = walks.build(tour.walk, PLANE).ahead(np.linspace(0, tour.length, 6000))[0]
    apart = np.array([globe.angle(unit, place).min() for place in tour.planned])
    assert apart.max() <= (tour.strays + 0.1) * tour.cell  # no corner is cut by more than it says
    assert 10 <= len(tour.unit) <= 500


def test_a_tour_over_the_globe_crosses_the_horizon_and_closes() -> None:
    tour = planned("globe", "seek")
    fronts = PLANE.chart(tour.unit)[2]
    assert fronts.any()
    assert not fronts.all()
    walk = walks.build(tour.walk, PLANE)
    assert tour.closed
    ends = walk.ahead([0.0, walk.length - 1e-9])[0]
    assert globe.angle(ends[0], ends[1]) < 1e-6
    units = walk.ahead(np.linspace(0, walk.length, 6000))[0]
    on_the_way = np.array([globe.angle(units, u).min() for u in tour.unit])
    assert on_the_way.max() < 0.1 * tour.cell  # each waypoint, whichever side it lies on


def test_shortest_changes_less_than_going_straight() -> None:
    points = PLANE.unit([0.05, 0.9], [0.1, 0.8])
    tour = planned("window", "shortest", points=points)
    assert not tour.closed
    units = frames(tour, 0.02)
    assert globe.angle(units[0], points[0]) < 1e-9
    assert globe.angle(tour.unit[-1], points[1]) < 1e-9
    direct = globe.slerp(points[0], points[1], np.linspace(0, 1, 2000))

    def change(path: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(WORLD.mixture.flow(path * SHELL), axis=0), axis=1).sum())

    assert change(units) < 0.98 * change(direct)


def test_avoiding_between_points_crosses_rifts_where_it_costs_least() -> None:
    points = PLANE.unit([0.05, 0.9], [0.1, 0.8])
    tour = planned("window", "avoid", points=points, closed=False)
    direct = globe.slerp(points[0], points[1], np.linspace(0, 1, 2000))
    steep = np.quantile(country("window")[2], 0.9)

    def exposed(units: np.ndarray) -> float:
        lengths = np.linalg.norm(np.diff(PLANE.points(units), axis=0), axis=1)
        return float(lengths[WORLD.true_rate(units[1:]) > steep].sum())

    assert exposed(frames(tour, 0.02)) < 0.8 * exposed(direct)


def test_a_calm_way_is_no_staircase() -> None:
    points = PLANE.unit([0.7, 0.98], [0.3, 0.02])
    tour = planned("window", "avoid", points=points, closed=False)
    assert tour.length <= 1.2 * PLANE.target * globe.angle(*points)


def between(units: np.ndarray) -> np.ndarray:
    """Angles between all pairs of units [n, n]."""
    return np.asarray(globe.angle(units[:, None], units[None]))


@pytest.mark.parametrize("count", [2, 5, 9])
def test_the_strongest_stops_are_ridges_and_keep_their_distance(count: int) -> None:
    """The upper tenth of the area by rate, the very highest first, each as far from the others as a fair share of the
    area is wide, or two thirds of that as often as it must be."""
    atlas, net, rate = country("globe")
    graph = TourGraph(atlas, net, rate, -8.0)
    stops = tour_stops.strongest(graph, count)
    assert len(stops) == count
    assert stops[0] == rate.argmax()
    assert (np.diff(rate[stops]) <= 0).all()
    assert (rate[stops] >= np.quantile(rate, 0.9) * 0.99).all()  # the globe's places have equal areas
    fair = np.sqrt(4 * np.pi) / np.sqrt(count)
    nearest = (between(atlas.unit[stops]) + 9 * np.eye(count)).min()
    shares = fair / 1.5 ** np.arange(8)
    kept = shares[shares <= nearest * 1.02][0]
    ridge = np.flatnonzero(graph.rank >= 0.9)
    wider = shares[np.flatnonzero(shares == kept)[0] - 1] if kept < fair else None
    if wider is not None:  # at the distance tried before there were too few
        chosen = list(ridge[np.argsort(-rate[ridge], kind="stable")][:1])
        for place in ridge[np.argsort(-rate[ridge], kind="stable")][1:]:
            if globe.angle(atlas.unit[chosen], atlas.unit[place]).min() >= wider * 1.02:
                chosen.append(place)
        assert len(chosen) < count


def test_the_calmest_stops_are_the_corners_of_one_calm_region() -> None:
    """Places of the lower six tenths that hang together; the calmest, then always the one farthest from all before."""
    atlas, net, rate = country("window")
    graph = TourGraph(atlas, net, rate, 8.0)
    stops = tour_stops.calmest(graph, 5)
    calm = graph.rank < 0.6
    beside: dict[int, set[int]] = {int(place): set() for place in np.flatnonzero(calm)}
    for one, other in net.edges[calm[net.edges].all(axis=1)].tolist():
        beside[one].add(other)
        beside[other].add(one)

    def region(place: int) -> frozenset[int]:
        seen, front = {place}, [place]
        while front:
            new = beside[front.pop()] - seen
            seen |= new
            front += new
        return frozenset(seen)

    here = np.array(sorted(region(int(stops[0]))))
    assert len(here) == max(map(len, {region(place) for place in beside}))
    assert stops[0] == here[rate[here].argmin()]
    for k in range(1, 5):
        apart = globe.angle(atlas.unit[here][:, None], atlas.unit[stops[:k]][None]).min(axis=1)
        assert globe.angle(atlas.unit[stops[:k]], atlas.unit[stops[k]]).min() == pytest.approx(apart.max())


def test_without_calm_there_is_no_tour_around_it() -> None:
    pair = surveys.part(country("window")[0], np.arange(2))
    with pytest.raises(AtlasError, match="no calm region"):
        tour_stops.calmest(TourGraph(pair, mesh.mesh(pair), np.array([1.0, 2.0]), 8.0), 3)


@pytest.mark.parametrize("closed", [True, False])
def test_points_are_visited_in_a_good_order(closed: bool) -> None:
    random = np.random.default_rng(2)
    points = PLANE.unit(random.uniform(0.05, 0.95, 6), random.uniform(0.05, 0.95, 6))
    tour = planned("window", "visit", points=points, closed=closed)
    units = frames(tour, 0.02)
    apart = np.array([globe.angle(units, point).min() for point in points])
    assert apart.max() < 0.5 * tour.cell
    atlas, net, rate = country("window")
    graph = TourGraph(atlas, net, rate, 0.0, by_meaning=True)
    places, _ = graph.nearest(points)
    cost = np.stack([graph.reached(int(place), graph.cost)[0][places] for place in places])

    def total(order: Any) -> float:
        pairs = zip(order, [*order[1:], *order[: int(closed)]])
        return float(sum(cost[a, b] for a, b in pairs))

    best = min(total(order) for order in permutations(range(6)))
    assert total(list(tour_stops.order(graph, places, closed))) <= 1.02 * best


def test_points_keep_their_order_when_told() -> None:
    points = PLANE.unit([0.1, 0.9, 0.2, 0.8], [0.1, 0.9, 0.2, 0.8])
    units = frames(planned("window", "visit", points=points, ordered=True, closed=False), 0.05)
    seen = [int(globe.angle(units, point).argmin()) for point in points]
    assert seen == sorted(seen)


def test_labels_are_visited_at_their_surest_places() -> None:
    atlas, _, _ = country("window")
    label = WORLD.basin(atlas.unit)
    kinds = np.unique(label)
    apart = np.linalg.norm(atlas.features - WORLD.mixture.modes[label], axis=1)
    phases = Phases([f"mode {i}" for i in range(12)], label, np.asarray(1 / (1 + apart), np.float64))
    wanted = [f"mode {i}" for i in kinds[:3]]
    tour = planned("window", "visit", phases=phases, labels=wanted)
    units = frames(tour)
    assert set(kinds[:3]) <= set(WORLD.basin(units).tolist())
    assert tour.closed
    with pytest.raises(AtlasError, match=r"'cat'.*mode"):
        planned("window", "visit", phases=phases, labels=["cat", wanted[0]])
    with pytest.raises(AtlasError, match="label the atlas first"):
        planned("window", "visit", labels=wanted)


def circle(strength: float, about: float) -> Line:
    """A closed line of the window."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    line = np.stack([about + 0.08 * np.cos(turn), about + 0.08 * np.sin(turn)], axis=1)
    return Line((0, 1), line, PLANE.unit(*line.T), strength, True)


def test_lines_are_followed_from_the_strongest_on() -> None:
    lines = [circle(3.0, 0.7), circle(1.0, 0.25)]
    strongest = planned("window", "follow", lines=lines, weave=0.0)
    assert strongest.closed
    units = frames(strongest)
    near = np.array([globe.angle(units, u).min() for u in lines[0].unit])
    assert near.max() < 0.5 * strongest.cell
    both = planned("window", "follow", lines=lines, follow=(1, 2), weave=0.0)
    assert not both.closed
    units = frames(both)
    near = np.array([globe.angle(units, u).min() for line in lines for u in line.unit])
    assert np.quantile(near, 0.9) < 0.5 * both.cell
    woven = planned("window", "follow", lines=lines)
    assert woven.length > 1.1 * strongest.length
    for told in ({"lines": lines, "follow": (3,)}, {"lines": []}, {"lines": lines, "follow": ()}):
        with pytest.raises(AtlasError, match="rift line"):
            planned("window", "follow", **told)


def test_a_preset_films_the_whole_tour() -> None:
    tour = planned("globe", "avoid", stops=4)
    base = Preset()
    made = tour.preset(base)
    again = parse(tomllib.loads(dump(made)))
    assert again == made
    assert again.walk == tour.walk
    assert made.film.seconds == pytest.approx(tour.length / base.pacing.speed)
    assert made.pacing.kind == "latent"
    assert made.plane == base.plane


def test_hundreds_of_waypoints_are_walked_evenly() -> None:
    tour = planned("globe", "seek")
    assert len(tour.unit) > 150
    walk = walks.build(tour.walk, PLANE)
    fine = 4e-6 * tour.length  # so short that a chord is its arc
    for begin in np.linspace(0.02, 0.97, 17) * tour.length:
        points = PLANE.points(*walk.ahead(begin + fine * np.arange(4)))
        np.testing.assert_allclose(np.linalg.norm(np.diff(points, axis=0), axis=1), fine, rtol=1e-5)


def test_the_same_every_time() -> None:
    one, two = planned("window", "seek"), planned("window", "seek")
    np.testing.assert_array_equal(one.unit, two.unit)


def test_a_way_that_turns_back_makes_a_smooth_walk() -> None:
    points = PLANE.unit([0.2, 0.8, 0.2], [0.5, 0.5, 0.501])
    way = smooth.Way(points, np.zeros(3), np.array([True, True, True]), False)
    even = smooth.eased(smooth.sampled(way, 0.02), 0.8)
    stops = smooth.waypoints(even, 0.02, 0.25)
    walk = walks.build(
        walks.Waypoints(points=tuple((float(a), float(b)) for a, b in zip(*PLANE.chart(stops)[:2])), closed=False),
        PLANE,
    )
    units = walk.ahead(np.linspace(0, walk.length, 4000))[0]
    assert max(globe.angle(units, point).min() for point in points) < 0.01
    assert walk.length < 1.1 * PLANE.target * 2 * globe.angle(points[0], points[1])


@pytest.mark.parametrize(
    ("mode", "wishes", "words"),
    [
        ("wander", {}, "choose one of"),
        ("visit", {}, "two places or more, here 0"),
        ("shortest", {"points": PLANE.unit([0.5], [0.5])}, "two places or more, here 1"),
        ("visit", {"points": PLANE.unit([0.5, 1.3], [0.5, 0.5])}, r"alpha 1.3.*outside the atlas"),
        ("visit", {"points": -PLANE.unit([0.5, 0.6], [0.5, 0.5])}, r"far side lies outside the atlas"),
        ("shortest", {"points": PLANE.unit([0.5, 0.5], [0.5, 0.5])}, "no length"),
        ("seek", {"weave": -1.0}, "weave"),
        ("seek", {"weave": float("nan")}, "weave"),
    ],
)
def test_what_the_atlas_does_not_have_is_refused(mode: str, wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(AtlasError, match=words) as caught:
        planned("window", mode, **wishes)
    assert "\n" not in str(caught.value)


def test_places_that_no_way_joins_are_refused() -> None:
    atlas, net, rate = country("window")
    row = atlas.lattice[:, 0]
    cut = Mesh(net.triangles, net.edges[(row[net.edges] <= 17).all(axis=1) | (row[net.edges] > 17).all(axis=1)])
    with pytest.raises(AtlasError, match="no way joins"):
        plan(atlas, cut, rate, "visit", points=PLANE.unit([0.1, 0.9], [0.5, 0.5]))
    with pytest.raises(AtlasError, match="do not fit"):
        plan(atlas, net, rate[1:], "seek")
    with pytest.raises(AtlasError, match="without neighbours"):
        plan(atlas, Mesh(net.triangles[:0], net.edges[:0]), rate, "seek")
