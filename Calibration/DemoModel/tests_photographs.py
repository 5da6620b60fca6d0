"""python -m unittest DemoModel.tests_photographs   (run in Calibration/; seconds)"""

from __future__ import annotations

import io
import json
import tempfile
import time
import unittest
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from Scenes import coco
from Scenes.kinds import CLASSES

from .batches import Panoptic, Texts
from .phases import JointPhase, Stage, TextPhase
from .photographs import Photographs
from .session import Session
from .tests import TOKENIZER, small


class YourOwn(unittest.TestCase):
    """Annotated pictures in folders: scenes, written in both forms."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        coco.write(self.folder, range(4), 5, 128)
        (self.folder / "maps").mkdir()
        categories = {c["id"]: c["name"] for c in coco.categories()}
        annotations = json.loads((self.folder / "panoptic.json").read_text())["annotations"]
        present = sorted({s["category_id"] for a in annotations for s in a["segments_info"]})
        for a in annotations:
            ids = np.asarray(Image.open(self.folder / "panoptic" / a["file_name"]))[..., 0]
            classes = np.zeros_like(ids)
            for s in a["segments_info"]:
                classes[ids == s["id"]] = s["category_id"]
            Image.fromarray(classes).save(self.folder / "maps" / a["file_name"])
        lines = [f"{i}:{categories[i]},a{categories[i]}\t{'thing' if i <= 40 else 'stuff'}\n" for i in present]
        (self.folder / "names.txt").write_text("# id 0 is void\n" + "".join(lines))

    def maps(self) -> Photographs:
        names = self.folder / "names.txt"
        return Photographs.read(self.folder / "pictures", self.folder / "maps", None, names, ".png:.png", 128)

    def panoptic(self) -> Photographs:
        return Photographs.read(self.folder / "pictures", None, self.folder / "panoptic.json", None, "", 128)

    def test_both_forms_say_the_same(self):
        maps, panoptic = self.maps(), self.panoptic()
        for number in range(4):
            (_, a, of_maps), (_, b, of_panoptic) = maps.read_picture(number), panoptic.read_picture(number)
            a = np.array([maps.names[s.category][0] for s in of_maps])[a]
            b = np.array([panoptic.names[s.category][0] for s in of_panoptic])[b]
            self.assertTrue((a == b).all())
        self.assertEqual(len(panoptic.names), len(CLASSES))
        self.assertEqual((self.folder / "names.txt").read_text().split("\n", 1)[1], maps.name_list())

    def test_crops_are_the_same_every_time_and_hold_what_they_say(self):
        for world in (self.maps(), self.panoptic()):
            for i in range(20):
                a, b = (world.crop((1, i), 96) for _ in range(2))
                self.assertEqual((a.picture.tobytes(), a.ids.tobytes()), (b.picture.tobytes(), b.ids.tobytes()))
                self.assertEqual(set(np.unique(a.ids)) - {255}, set(range(len(a.segments))))
                self.assertEqual(a.picture.shape, (96, 96, 3))

    def test_the_whole_network_learns_them(self):
        for name, world in (("maps", self.maps()), ("panoptic", self.panoptic())):
            net, run = small(), self.folder / f"run-{name}"
            before = {n: p.detach().clone() for n, p in net.named_parameters()}
            data = Panoptic(world, 1, 2, world.crops(96), with_regions=True)
            with redirect_stdout(io.StringIO()):
                session = Session(run, net, world, TOKENIZER, torch.device("cpu"), reports=1)
                session.run([Stage("all", JointPhase, data, 2, 1e-3, warm=1, judge=world.judge)])
            same = {n for n, p in net.named_parameters() if torch.equal(p, before[n])}
            self.assertEqual({n for n in before if n.startswith("text.")}, same)
            self.assertIn("mIoU", (run / "log.txt").read_text())

    def test_what_cannot_be_used_is_named(self):
        (self.folder / "maps" / "000002.png").write_bytes(b"PNG")
        with self.assertRaisesRegex(SystemExit, "000002.png: cannot be read"):
            self.maps()
        (self.folder / "maps" / "000002.png").unlink()
        with self.assertRaisesRegex(SystemExit, "000002.png: cannot be read"):
            self.maps()
        (self.folder / "names.txt").write_text("grass\n")
        with self.assertRaisesRegex(SystemExit, "names.txt: grass has no id"):
            self.maps()
        (self.folder / "panoptic.json").write_text("{}")
        with self.assertRaisesRegex(SystemExit, "panoptic.json: is no COCO panoptic JSON"):
            self.panoptic()

    def test_a_deadline_shortens_the_stages(self):
        world, start = self.maps(), time.monotonic()
        with redirect_stdout(io.StringIO()):
            session = Session(self.folder / "run", small(), world, TOKENIZER, torch.device("cpu"), deadline=start + 3)
            stage = Stage("text", TextPhase, Texts(world, TOKENIZER, 1, 8), 10**6, 1e-3)
            session.run([stage, stage])
        self.assertEqual(session.stage, 2)
        self.assertLess(time.monotonic() - start, 60)


if __name__ == "__main__":
    unittest.main()
