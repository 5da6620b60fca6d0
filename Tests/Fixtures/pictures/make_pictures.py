"""Writes the small pictures of PictureTests and decoded.json: size and XXH3-64 of the RGB pixels that Pillow decodes.

    pip install pillow numpy xxhash && python make_pictures.py

Pictures for EXIF orientations are the same upright picture stored in eight ways.
"""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import xxhash
from PIL import Image, ImageOps

HERE = Path(__file__).parent
y, x = np.mgrid[0:37, 0:53]
scene = np.stack([x * 4 + y, 255 - y * 6, (x * x // 8 + y * 3) % 256], -1).clip(0, 255).astype(np.uint8)
scene[8:18, 30:45] = (250, 30, 40)
rgb = Image.fromarray(scene)
grey = rgb.convert("L")
made = []


def save(name, image, **options):
    image.save(HERE / name, **options)
    made.append(name)


save("baseline_420.jpg", rgb, quality=85, subsampling=2)
save("baseline_422.jpg", rgb, quality=85, subsampling=1)
save("baseline_444.jpg", rgb, quality=90, subsampling=0)
save("rgb_kept.jpg", rgb, quality=90, keep_rgb=True)
save("progressive.jpg", rgb, quality=85, progressive=True)
save("restart.jpg", rgb, quality=85, restart_marker_blocks=2)
save("grey.jpg", grey, quality=85)
save("cmyk.jpg", rgb.convert("CMYK"), quality=90)
save("one_pixel.jpg", rgb.crop((35, 10, 36, 11)), quality=90)

opposite = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that stores the upright picture so
for orientation, method in opposite.items():
    stored = rgb if method is None else rgb.transpose(method)
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(f"orientation_{orientation}.jpg", stored, quality=90, subsampling=0, exif=exif)
exif = Image.Exif()
exif[0x0112] = 6
save("orientation_6.png", rgb.transpose(2), exif=exif, optimize=True)

save("rgb.png", rgb, optimize=True)
save("rgba.png", Image.merge("RGBA", (*rgb.split(), grey)), optimize=True)
save("grey.png", grey, optimize=True)
save("grey_alpha.png", Image.merge("LA", (grey, rgb.split()[2])), optimize=True)
save("palette.png", rgb.quantize(40), optimize=True)
save("palette_transparent.png", rgb.quantize(12), optimize=True, transparency=3)
save("bilevel.png", grey.convert("1"), optimize=True)
save("one_pixel.png", rgb.crop((35, 10, 36, 11)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(name, depth, colour, rows, interlace=0, width=53, height=37):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    data = b"".join(b"\0" + r for r in rows)
    (HERE / name).write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    )
    made.append(name)


low = (scene.astype(np.uint16) << 8) | (255 - scene)
raw_png("rgb16.png", 16, 2, [r.astype(">u2").tobytes() for r in low])
g4 = np.pad(np.asarray(grey) >> 4, ((0, 0), (0, 1)))
raw_png("grey4.png", 4, 0, [((r[0::2] << 4) | r[1::2]).astype(np.uint8).tobytes() for r in g4])
passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
raw_png(
    "interlaced.png", 8, 2, [r.tobytes() for (a, b, c, d) in passes for r in scene[a::c, b::d] if r.size], interlace=1
)
wide = np.zeros((3, 20000, 3), np.uint8)
wide[:] = (np.arange(20000) // 80 % 256)[None, :, None]
Image.fromarray(wide).save(HERE / "wide_20000x3.png", optimize=True)
made.append("wide_20000x3.png")

table = {}
for name in made + ["synth_420x300.jpg", "synth_161x97.png"]:
    image = ImageOps.exif_transpose(Image.open(HERE / name)).convert("RGB")
    pixels = np.asarray(image)
    table[name] = {
        "size": [image.height, image.width],
        "hash": xxhash.xxh3_64_hexdigest(np.ascontiguousarray(pixels).tobytes()),
    }
lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
(HERE / "decoded.json").write_text(f'{{"pillow": "{PIL.__version__}", "pictures": {{\n{lines}\n}}}}\n')
