"""Meshes with fewer faces: the vertices in each cell of a grid become one (Rossignac and Borrel, 1993)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST_FACES = 4  # of a solid; what is thinner than a cell would vanish
_FINEST = 1 / 16  # of the cell that was asked for


def thin(model: Any, cell: float) -> None:
    """Thin every mesh of a MuJoCo model in place, for drawing: nothing that physics reads is kept right.

    A mesh that would collapse gets a finer grid, and stays as it is where none is fine enough.

    Args:
        model: A copy of an `MjModel`.
        cell: Side of a cell in metres.
    """
    for mesh in range(model.nmesh):
        step = cell
        while step >= cell * _FINEST and not _thin_mesh(model, mesh, step):
            step /= 2


def cluster(vertices: NDArray[Any], faces: NDArray[Any], cell: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which vertices become one, and which faces are still faces then, each once.

    Args:
        vertices: `[V, 3]`, metres.
        faces: `[F, 3]`, indices of vertices.
        cell: Side of a cell in metres.

    Returns:
        The cluster of each vertex `[V]`, counted from 0, and the indices of the faces that stay, sorted.
    """
    places = np.floor((vertices - vertices.min(axis=0)) / cell).astype(np.int64)
    _, owner = np.unique(places, axis=0, return_inverse=True)
    corners = np.sort(owner.reshape(-1)[faces], axis=1)
    solid = np.flatnonzero((corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]))
    _, first = np.unique(corners[solid], axis=0, return_index=True)
    return owner.reshape(-1), np.sort(solid[first])


def _thin_mesh(model: Any, mesh: int, cell: float) -> bool:
    """Thin one mesh; False where too little of it would stay, and it is left as it was."""
    vertices = _rows(model.mesh_vertadr[mesh], model.mesh_vertnum[mesh])
    normals = _rows(model.mesh_normaladr[mesh], model.mesh_normalnum[mesh])
    faces = _rows(model.mesh_faceadr[mesh], model.mesh_facenum[mesh])
    old, sides = model.mesh_face[faces].copy(), model.mesh_facenormal[faces].copy()
    owner, kept = cluster(model.mesh_vert[vertices], old, cell)
    count = int(owner.max()) + 1
    if len(kept) < _FEWEST_FACES or count > model.mesh_normalnum[mesh]:
        return False
    places = _means(model.mesh_vert[vertices], owner, count)
    directions = _means(model.mesh_normal[normals][sides.reshape(-1)], owner[old.reshape(-1)], count)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
    model.mesh_vert[vertices.start : vertices.start + count] = places
    model.mesh_normal[normals.start : normals.start + count] = directions
    new = _rows(faces.start, len(kept))
    model.mesh_face[new] = model.mesh_facenormal[new] = owner[old[kept]]
    model.mesh_facetexcoord[new] = model.mesh_facetexcoord[faces][kept]
    model.mesh_vertnum[mesh] = model.mesh_normalnum[mesh] = count
    model.mesh_facenum[mesh] = len(kept)
    return True


def _rows(first: Any, count: Any) -> slice:
    return slice(int(first), int(first) + int(count))


def _means(values: NDArray[Any], owner: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Mean `[count, 3]` of the values `[n, 3]` of each owner `[n]`."""
    sums = np.stack([np.bincount(owner, values[:, axis], count) for axis in range(3)], axis=1)
    return np.asarray(sums / np.maximum(np.bincount(owner, minlength=count), 1)[:, None])
