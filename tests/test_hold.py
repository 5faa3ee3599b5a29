"""Pictures that are vertices stay themselves: how much, where, in which batch, and what tells them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from standins.decoders import PROMPT, world

from latentworld import vertices
from latentworld.decoding import Profile, faithful_decoder, hold, inverse
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.hold import Hold
from latentworld.decoding.settings import HoldSettings
from latentworld.errors import PresetError, WorldDamaged, WorldMismatch
from latentworld.plane import Plane
from latentworld.vertices import Residuals, Trio

STEPS, SHAPE = 3, (4, 8, 8)
VALUES = vertices.from_seeds((3, 4, 5), SHAPE)
PLANE = Plane(VALUES)


def decoder(guidance: float = 4.0, batch: int = 4, steps: int = STEPS) -> Diffusion:
    return faithful_decoder(world(), steps=steps, guidance=guidance, batch=batch)


def trio(kind: str = "guidance", pictures: tuple[int, ...] = (0, 2), steps: int = STEPS) -> Trio:
    """The seeds' latents as if some had been inverted; what is added is noise, to be seen in bytes."""
    rng, count = np.random.default_rng(1), len(pictures)
    tables = [{"kind": "picture", "world": world().digest} if n in pictures else {"kind": "seed"} for n in range(3)]
    details = rng.normal(0, 0.05, (count, *SHAPE)).astype(np.float16)
    shape = (count, steps, *SHAPE)
    both = Residuals(rng.normal(0, 0.05, shape).astype(np.float16), rng.normal(0, 0.02, shape).astype(np.float16))
    return Trio(VALUES, {"vertices": tables, "hold": kind}, details, both if kind == "residual" else None)


def held(kind: str = "guidance", reach: float = 45.0, steps: int = STEPS) -> Hold:
    made = trio(kind, steps=steps)
    settings = HoldSettings("x.safetensors", made.digest, kind, reach)  # type: ignore[arg-type]
    anchors = VALUES[made.pictures]
    return Hold(anchors, settings, None if kind == "residual" else made.details, made.residuals)


def saved(path: Path, kind: str = "guidance", **more: object) -> HoldSettings:
    made = trio(kind)
    path.write_bytes(vertices.serialised(made))
    found = hold.chosen(str(path), vertices.read(path), "auto", 45.0, world().digest)
    assert found is not None
    return replace(found, **more)  # type: ignore[arg-type]


@given(st.floats(-1.5, 2.5), st.floats(-1.5, 2.5), st.floats(0.1, 3.0))
def test_shares_are_of_the_direction_and_at_most_one(alpha: float, beta: float, radius: float) -> None:
    unit = PLANE.unit(alpha, beta)
    one, other = (PLANE.latents(unit, r).double().numpy() for r in (1.0, radius))
    shares = held().shares(one)
    assert shares.shape == (1, 2)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares.sum() <= 1.0
    np.testing.assert_allclose(held().shares(other), shares, atol=1e-6)
    assert not held().shares(-one).any() or shares.sum() < 1  # the antipode of a picture is nothing


def test_shares_at_the_vertices_and_at_the_reach() -> None:
    corners = PLANE.latents(PLANE.unit([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])).double().numpy()
    np.testing.assert_allclose(held().shares(corners), [[1, 0], [0, 0], [0, 1]], atol=1e-12)
    way = PLANE.unit(np.linspace(0, 1, 400), np.zeros(400))
    shares = held(reach=30.0).shares(PLANE.latents(way).double().numpy())[:, 0]
    angles = np.degrees(np.arccos(np.clip(way @ way[0], -1, 1)))
    assert (shares[angles > 30.01] == 0).all()
    assert (np.diff(shares) <= 1e-9).all()
    slope = np.diff(shares) / np.diff(angles)
    assert abs(slope[0]) < 1e-3  # level at the picture
    assert np.abs(np.diff(slope)).max() < 0.002  # and with no kink anywhere, C1


def test_two_near_pictures_leave_each_other_alone() -> None:
    near = VALUES[[0, 0]].copy()
    near[1] = VALUES[0] + 0.3 * VALUES[1]  # about 17 degrees apart
    both = Hold(near, HoldSettings("x", "", "guidance", 60.0))
    np.testing.assert_allclose(both.shares(near), np.eye(2), atol=1e-12)
    assert both.reaches.max() < np.radians(20)


@pytest.mark.parametrize("kind", ["guidance", "residual"])
def test_a_row_never_depends_on_its_mates(kind: str) -> None:
    """Held and unheld rows together, in any slot, alone: the same bytes."""
    own = decoder().holding(held(kind))
    latents = PLANE.latents(PLANE.unit([0.0, 0.5, 0.1, 0.0, 1.0], [0.0, 0.5, 0.0, 1.0, 0.0]))
    together = own(latents, PROMPT)
    for row in range(5):
        assert torch.equal(own(latents[row : row + 1], PROMPT)[0], together[row])
    assert torch.equal(own(latents.flip(0), PROMPT).flip(0), together)


@pytest.mark.parametrize("kind", ["guidance", "residual"])
def test_what_nothing_holds_is_the_same_bytes_as_without(kind: str) -> None:
    bare, own = decoder(), decoder().holding(held(kind, reach=20.0))
    far = PLANE.latents(PLANE.unit([1.0, 0.5, -0.6], [0.0, 0.5, 0.3]))
    near = PLANE.latents(PLANE.unit(0.05, 0.0))
    assert torch.equal(own(far, PROMPT), bare(far, PROMPT))
    assert not torch.equal(own(near, PROMPT), bare(near, PROMPT))


def test_without_pictures_everything_is_as_before() -> None:
    bare = decoder()
    assert bare.profile.hold == ""
    assert "hold" not in bare.profile.record()
    assert Profile.read(bare.profile.record()) == bare.profile
    trio = Trio(VALUES, {"vertices": [{"kind": "seed"}] * 3})
    assert hold.chosen("x", trio, "auto", 45.0, "any world") is None
    assert hold.chosen("x", globals()["trio"](), "none", 45.0, world().digest) is None


def test_eased_guidance_is_none_at_a_vertex() -> None:
    """At the vertex: the unguided decoder, and the detail on its clean latent."""
    own, start = decoder(guidance=6.0).holding(held()), PLANE.latents(PLANE.unit(0.0, 0.0))
    alone = inverse.unguided(decoder(), 4).clean(start, PROMPT)
    detail = torch.from_numpy(trio().details.astype(np.float32))[:1]  # type: ignore[union-attr]
    torch.testing.assert_close(own.clean(start, PROMPT), alone + detail, rtol=1e-3, atol=1e-4)


def test_the_unguided_decoder_is_held_too() -> None:
    own = decoder(guidance=1.0).holding(held())
    assert own.rows == 1
    start = PLANE.latents(PLANE.unit([0.0, 0.5], [0.0, 0.2]))
    assert own(start, PROMPT).isfinite().all()


def test_residuals_follow_any_guidance(tmp_path: Path) -> None:
    """Recorded once, exact under every weight: at the vertex each comes to the same clean latent."""
    from installation.vertices.making import Options, Place, trio as made_of  # noqa: I001

    picture = source(np.random.default_rng(3).random((3, 64, 64)).astype(np.float32))
    places = [Place(picture), Place(None, VALUES[1]), Place(None, VALUES[2])]
    made = made_of(decoder(steps=4), PROMPT, places, Options("residual")).trio
    file = tmp_path / "t.safetensors"
    file.write_bytes(vertices.serialised(made))
    chosen = hold.chosen(str(file), vertices.read(file), "auto", 45.0, world().digest)
    start = Plane(made.vertices).latents(PLANE.unit(0.0, 0.0)[None])
    start = Plane(made.vertices).latents(Plane(made.vertices).unit(0.0, 0.0))
    ends = [
        decoder().variant(replace(decoder(weight, steps=4).settings, hold=chosen)).clean(start, PROMPT)
        for weight in (1.0, 2.5, 7.0)
    ]
    for end in ends[1:]:
        torch.testing.assert_close(end, ends[0], rtol=0, atol=0.02)
    assert float((decoder(7.0, steps=4).clean(start, PROMPT) - ends[0]).abs().max()) > 0.05  # what it would be


def source(levels: np.ndarray) -> object:
    from installation.pictures import SourcePicture

    return SourcePicture(levels, "p.png", "0" * 64, levels.shape[1:], (0, 0, 64, 64))


def test_a_profile_tells_holds_apart(tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    base = saved(file)
    kinds = [None, base, replace(base, reach=30.0)]
    profiles = [decoder().variant(replace(decoder().settings, hold=kind)).profile for kind in kinds]
    assert len({profile.hash for profile in profiles}) == 3
    assert Profile.read(profiles[1].record()) == profiles[1]
    assert any("hold was" in line for line in profiles[1].differences(profiles[0]))
    assert profiles[1].differences(profiles[1]) == []
    residual = saved(tmp_path / "r.safetensors", "residual")
    assert decoder().variant(replace(decoder().settings, hold=residual)).profile.hold not in {
        profile.hold for profile in profiles
    }


def test_a_variant_keeps_the_hold_and_its_networks(tmp_path: Path) -> None:
    own = decoder().variant(replace(decoder().settings, hold=saved(tmp_path / "t.safetensors")))
    latents = PLANE.latents(PLANE.unit(0.0, 0.0))
    before = own(latents, PROMPT)
    other = own.variant(replace(own.settings, guidance=2.0))
    assert other.profile.hold == own.profile.hold
    assert other.warm
    assert torch.equal(other.variant(own.settings)(latents, PROMPT), before)


def test_moments_show_what_is_decoded() -> None:
    own = decoder(batch=1).holding(held("residual"))
    start = PLANE.latents(PLANE.unit(0.1, 0.0))
    last = list(own.moments(start, PROMPT))[-1].after
    assert torch.equal(own.paint(last), own(start, PROMPT))


def test_steps_other_than_the_files_are_refused_under_residual(tmp_path: Path) -> None:
    file = tmp_path / "trio.safetensors"
    chosen = saved(file, "residual")
    with pytest.raises(PresetError, match=r"steps = 5: .*trio.safetensors are of 3 steps"):
        decoder().variant(replace(decoder(steps=5).settings, hold=chosen))
    eased = replace(chosen, kind="guidance")  # what was encoded for residuals eases too, in any number of steps
    assert decoder().variant(replace(decoder(steps=5).settings, hold=eased)).profile.hold


def test_pictures_of_another_world_or_shape_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    chosen = saved(file)
    with pytest.raises(WorldMismatch, match=r"another world .*plane.hold"):
        hold.chosen(str(file), vertices.read(file), "auto", 45.0, "ffff")
    with pytest.raises(WorldMismatch, match=r"are \[4, 8, 8\], this decoder wants \[4, 16, 8\]"):
        decoder().variant(replace(decoder().settings, size=(128, 64), hold=chosen))


def test_a_file_that_changed_or_lacks_residuals_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    chosen = saved(file)
    with pytest.raises(PresetError, match="no residuals"):
        hold.read(replace(chosen, kind="residual"))
    saved(file, "residual")
    with pytest.raises(WorldDamaged, match="another file"):
        hold.read(chosen)


def test_files_of_both_forms_are_read(tmp_path: Path) -> None:
    """Form 1, as files of before have it: no word of its vertices, nothing added."""
    from safetensors.numpy import save_file

    old = tmp_path / "old.safetensors"
    metadata = {"format": "latentworld.vertices.1", "sha256": vertices.digest(VALUES), "origin": '{"seeds": [3, 4, 5]}'}
    save_file({"vertices": VALUES}, old, metadata)
    found = vertices.read(old)
    assert found.pictures == []
    assert found.halves == {}
    file = tmp_path / "new.safetensors"
    saved(file, "residual")
    again = vertices.read(file)
    assert again.digest == trio("residual").digest
    assert again.pictures == [0, 2]
    assert again.residuals is not None
    assert again.residuals.steps == STEPS
    metadata["format"] = "latentworld.vertices.9"
    save_file({"vertices": VALUES}, old, metadata)
    with pytest.raises(WorldDamaged, match="another version"):
        vertices.read(old)


@pytest.mark.parametrize("broken", ["fixed", "details", "count"])
def test_what_is_added_is_checked(tmp_path: Path, broken: str) -> None:
    made, file = trio("residual"), tmp_path / "t.safetensors"
    both = made.residuals
    assert both is not None
    assert made.details is not None
    if broken == "fixed":
        made = replace(made, residuals=Residuals(both.fixed[:, :2], both.per_guidance))
    elif broken == "details":
        made = replace(made, details=made.details[:, :2])
    else:
        made = replace(made, origin={"vertices": [{"kind": "picture"}] * 3})
    file.write_bytes(vertices.serialised(made))
    with pytest.raises(WorldDamaged, match="not of their shape"):
        vertices.read(file)
