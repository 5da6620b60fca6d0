"""Random views of annotated pictures: crops of random scale, small segments of other pictures, other colours.

A picture is uint8 (H, W, 3), its ids uint8 (H, W) with 255 where no segment is.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from fcclip import PIXEL_MEAN
from Scenes.scene import Scene

VOID = 255  # id of pixels of no segment; a picture has at most as many segments
GREY = np.round(PIXEL_MEAN).astype(np.uint8)  # what inference pads with: 0 after normalisation


def crop(
    picture: np.ndarray, ids: np.ndarray, spot: tuple[int, int], scale: float, side: int, r: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A square view with the pixel `spot` (row, column), in other colours -> picture, ids."""
    stretch = np.exp(r.normal(0, 0.08))
    scales, size = (scale * stretch, scale / stretch), ids.shape
    window = [min(n, side / s) for n, s in zip(size, scales)]  # in the source's pixels
    start = [min(max(0.0, p - r.uniform(0, w)), n - w) for p, w, n in zip(spot, window, size)]
    h, w = (min(side, max(1, round(n * s))) for n, s in zip(window, scales))
    box = (start[1], start[0], start[1] + window[1], start[0] + window[0])
    part = np.asarray(recolour(Image.fromarray(picture).resize((w, h), Image.BILINEAR, box, 2.0), r))
    marks = np.asarray(Image.fromarray(ids).resize((w, h), Image.NEAREST, box))
    if r.random() < 0.5:
        part, marks = part[:, ::-1], marks[:, ::-1]
    return padded(part, marks, side, side)


def padded(picture: np.ndarray, ids: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """At the right and below, as inference does it."""
    out, marks = np.empty((height, width, 3), np.uint8), np.full((height, width), VOID, np.uint8)
    out[:] = GREY
    out[: len(picture), : picture.shape[1]], marks[: len(ids), : ids.shape[1]] = picture, ids
    return out, marks


def whole(picture: np.ndarray, ids: np.ndarray, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture as inference gives it to the network: its shortest edge `edge` pixels, padded to multiples of 32."""
    h, w = (round(n * edge / min(ids.shape)) for n in ids.shape)
    part = np.asarray(Image.fromarray(picture).resize((w, h), Image.BILINEAR))
    return padded(
        part, np.asarray(Image.fromarray(ids).resize((w, h), Image.NEAREST)), -(-h // 32) * 32, -(-w // 32) * 32
    )


def paste(other: Scene, scene: Scene, r: np.random.Generator) -> Scene:
    """Half of the small segments of another scene, put where they were there (copy-paste, Ghiasi et al. 2021)."""
    area = np.bincount(other.ids.ravel(), minlength=256)[: len(other.segments)]
    chosen = [k for k, a in enumerate(area) if 0 < a < 0.1 * other.ids.size and r.random() < 0.5]
    chosen = chosen[: VOID - len(scene.segments)]
    picture, ids = scene.picture.copy(), scene.ids.copy()
    for place, k in enumerate(chosen, len(scene.segments)):
        on = other.ids == k
        picture[on], ids[on] = other.picture[on], place
    return Scene(picture, ids, [*scene.segments, *(other.segments[k] for k in chosen)])


def recolour(picture: Image.Image, r: np.random.Generator) -> Image.Image:
    """Another saturation, exposure, white balance and contrast; sometimes blur."""
    picture = ImageEnhance.Color(picture).enhance(r.uniform(0.5, 1.5))
    contrast, middle = r.uniform(0.7, 1.3), r.uniform(90, 130)
    gains = r.uniform(0.7, 1.35) * r.uniform(0.92, 1.08, 3)
    curve = middle + (np.arange(256) - middle) * contrast
    picture = picture.point(np.clip(np.outer(gains, curve), 0, 255).astype(np.uint8).ravel().tolist())
    return picture.filter(ImageFilter.GaussianBlur(r.uniform(0.4, 1.2))) if r.random() < 0.2 else picture
