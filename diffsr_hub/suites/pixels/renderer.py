"""Pictures of a simulation from a second, cheap-to-draw copy of its model; physics keeps the original.

With software OpenGL, the shadow map, multisampled reflections, the floor's grid and the meshes' faces take nearly all
of the time of a picture, and none of them is needed to see what a robot does.
"""

import atexit
import copy
import weakref

import mujoco
import numpy as np
from mujoco import mjtRndFlag
from numpy.typing import NDArray

from diffsr_hub.errors import unknown
from diffsr_hub.suites.pixels.meshes import thin
from diffsr_hub.suites.pixels.opengl import Context, open_context
from diffsr_hub.suites.pixels.view import Camera, View

_ENDLESS = 2_000.0  # metres: farther than a robot gets in an episode; floors of 40 m end in the middle of one
_ONE_QUAD = 1e4  # metres between the lines of a floor's grid, which is drawn quad by quad
_FACETS = (8, 4)  # around and along a sphere or a capsule
_NO_SHADOW = 16  # side of a shadow map that is never drawn; 0 is refused
_LEFT_OUT = (mjtRndFlag.mjRND_SHADOW, mjtRndFlag.mjRND_REFLECTION, mjtRndFlag.mjRND_SKYBOX, mjtRndFlag.mjRND_HAZE)
_MOST_GEOMS = 1_000


class Renderer:
    """Draws one simulation.

    Args:
        model: The simulation's `MjModel`, which is only read.
        view: Its camera, size, samples and mesh cell.

    Raises:
        UserError: There is no such camera, or nothing here can draw.
    """

    def __init__(self, model: mujoco.MjModel, view: View) -> None:
        self._camera, self._followed = find_camera(model, view.camera)
        self._model = cheap_copy(model, view)
        self._scene, self._options = mujoco.MjvScene(self._model, _MOST_GEOMS), mujoco.MjvOption()
        for flag in _LEFT_OUT:
            self._scene.flags[flag] = False
        self._context = open_context(view.size)
        self._drawing = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._drawing)
        self._rectangle = mujoco.MjrRect(0, 0, view.size, view.size)
        self._pixels = np.empty(view.frame_shape, np.uint8)
        self._close = weakref.finalize(self, _free, self._context, self._drawing)
        self._close.atexit = False  # which would come after MuJoCo ends EGL; what is registered last comes first
        atexit.register(self._close)

    def __call__(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """A picture `[size, size, 3]` of the simulation as its last step left it; nothing of it is changed."""
        if self._followed is not None:
            self._camera.lookat[0] = data.xpos[self._followed, 0]
        self._context.make_current()
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, data, self._options, None, self._camera, everything, self._scene)
        mujoco.mjr_render(self._rectangle, self._scene, self._drawing)
        mujoco.mjr_readPixels(self._pixels, None, self._rectangle, self._drawing)
        # OpenGL counts rows from below; of a camera that hangs upside down, as Meta-World's do, only columns turn.
        return self._pixels[:, ::-1].copy() if self._upside_down(data) else self._pixels[::-1].copy()

    def close(self) -> None:
        """Release OpenGL."""
        self._close()
        atexit.unregister(self._close)

    def _upside_down(self, data: mujoco.MjData) -> bool:
        number = self._camera.fixedcamid
        return number >= 0 and bool(data.cam_xmat[number, 7] < 0)  # the height of the camera's up


def cheap_copy(model: mujoco.MjModel, view: View) -> mujoco.MjModel:
    """A copy that looks nearly the same and is drawn a hundred times as fast in software."""
    cheap = copy.copy(model)
    quality = cheap.vis.quality
    quality.shadowsize, quality.offsamples = _NO_SHADOW, view.samples if view.samples > 1 else 0
    quality.numslices, quality.numstacks = _FACETS
    cheap.vis.global_.offwidth = cheap.vis.global_.offheight = view.size
    for plane in np.flatnonzero(cheap.geom_type == mujoco.mjtGeom.mjGEOM_PLANE):
        if isinstance(view.camera, Camera):
            _stretch(cheap, int(plane))
        cheap.geom_size[plane, 2] = _ONE_QUAD
    thin(cheap, view.cell)
    return cheap


def find_camera(model: mujoco.MjModel, wanted: str | Camera) -> tuple[mujoco.MjvCamera, int | None]:
    """A camera, and the body that it follows if it is one of ours.

    Args:
        model: Where to find it.
        wanted: The name of a camera of the model, or one of ours.

    Raises:
        UserError: The model has no such camera; those that it has are listed.
    """
    camera = mujoco.MjvCamera()
    if isinstance(wanted, Camera):
        camera.type, camera.lookat[:] = mujoco.mjtCamera.mjCAMERA_FREE, (0.0, 0.0, wanted.height)
        camera.distance, camera.azimuth, camera.elevation = wanted.distance, wanted.azimuth, wanted.elevation
        return camera, model.body(wanted.body).id
    names = [model.camera(number).name for number in range(model.ncam)]
    if wanted not in names:
        raise unknown("camera", wanted, names)
    camera.type, camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, names.index(wanted)
    return camera, None


def _stretch(model: mujoco.MjModel, plane: int) -> None:
    """Make a floor endless whose pattern keeps its size."""
    material = model.geom_matid[plane]
    if material >= 0 and not model.mat_texuniform[material]:
        model.mat_texrepeat[material] *= _ENDLESS / model.geom_size[plane, :2]
    model.geom_size[plane, :2] = _ENDLESS


def _free(context: Context, drawing: mujoco.MjrContext) -> None:
    """Release both, the drawing in its own context."""
    context.make_current()
    drawing.free()
    context.free()
