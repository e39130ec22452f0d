import copy
from typing import Any

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

from diffsr_hub.suites.pixels.meshes import cluster, thin


def ball(points: int, radius: float) -> NDArray[np.float64]:
    directions = np.random.default_rng(0).standard_normal((points, 3))
    return radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def model(*radii: float) -> Any:
    """Balls of 400 vertices each, of whose convex hulls MuJoCo makes faces."""
    meshes = "".join(
        f'<mesh name="m{i}" vertex="{" ".join(map(str, ball(400, radius).ravel()))}"/>'
        for i, radius in enumerate(radii)
    )
    geoms = "".join(f'<geom type="mesh" mesh="m{i}"/>' for i in range(len(radii)))
    return mujoco.MjModel.from_xml_string(
        f"<mujoco><asset>{meshes}</asset><worldbody><body><freejoint/>{geoms}</body></worldbody></mujoco>"
    )


def corners(found: Any, mesh: int) -> NDArray[np.float64]:
    """Of the faces of a mesh, `[F, 3, 3]`."""
    first, count = found.mesh_faceadr[mesh], found.mesh_facenum[mesh]
    return np.asarray(found.mesh_vert[found.mesh_vertadr[mesh] :][found.mesh_face[first : first + count]])


def test_vertices_of_one_cell_become_one_and_every_face_has_three() -> None:
    vertices, cell = ball(500, 1.0), 0.5
    faces = np.random.default_rng(1).integers(500, size=(900, 3))
    owner, kept = cluster(vertices, faces, cell)
    assert set(owner) == set(range(owner.max() + 1)) and len(kept) < len(faces)
    for number in range(owner.max() + 1):
        assert np.ptp(vertices[owner == number], axis=0).max() <= cell
    thinned = np.sort(owner[faces[kept]], axis=1)
    assert len(np.unique(thinned, axis=0)) == len(thinned)
    assert all(len(set(face)) == 3 for face in thinned.tolist())
    every = {tuple(sorted(face)) for face in owner[faces].tolist() if len(set(face)) == 3}
    assert every == {tuple(face) for face in thinned.tolist()}


def test_a_thinned_mesh_has_fewer_faces_and_the_same_shape() -> None:
    original = model(1.0)
    thinned = copy.copy(original)
    thin(thinned, 0.3)
    assert thinned.mesh_facenum[0] < original.mesh_facenum[0] / 2
    sizes = np.linalg.norm(corners(thinned, 0), axis=-1)
    assert sizes.min() > 0.8 and sizes.max() < 1.01
    count = thinned.mesh_normalnum[0]
    np.testing.assert_allclose(np.linalg.norm(thinned.mesh_normal[:count], axis=1), 1.0, rtol=1e-5)
    assert thinned.mesh_facenormal[: thinned.mesh_facenum[0]].max() < count


def test_what_would_vanish_gets_a_finer_grid_and_the_others_do_not_care() -> None:
    both, alone = model(0.01, 1.0), model(1.0)
    thin(both, 0.3)
    thin(alone, 0.3)
    assert both.mesh_facenum[0] >= 4
    np.testing.assert_array_equal(corners(both, 1), corners(alone, 0))


def test_a_speck_stays_as_it_is() -> None:
    speck = model(1e-3)
    before = corners(speck, 0)
    thin(speck, 1.0)
    np.testing.assert_array_equal(corners(speck, 0), before)


def test_a_model_without_meshes_is_none_the_worse() -> None:
    empty = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    thin(empty, 0.1)
    assert empty.nmesh == 0


@pytest.mark.parametrize("cell", [0.05, 0.2])
def test_thinning_twice_leaves_a_mesh(cell: float) -> None:
    ours = model(1.0)
    thin(ours, cell)
    once = int(ours.mesh_facenum[0])
    thin(ours, cell)
    assert 4 <= ours.mesh_facenum[0] <= once
