"""python -m unittest DemoModel.tests DemoModel.tests_photographs   (run in Calibration/; seconds)"""

from __future__ import annotations

import io
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch

from fcclip import FCCLIP, Config, resize
from Scenes.captions import WIDTH, attributes, caption, claims
from Scenes.coco import annotate
from Scenes.kinds import CLASSES, SEEN, UNSEEN
from Scenes.scene import Segment, compose

from . import checkpoint
from .batches import Captions, Panoptic, Regions, Texts, cells
from .drawn import Drawn
from .evaluate import Quality
from .losses import contrast, match, pixel_loss, set_loss
from .model import build, encode_texts, mask_decoder, normalised, pixel_decoder, region_embedding
from .phases import CaptionPhase, Stage, TextPhase
from .session import Session
from .tokenizer import MERGES, Tokenizer, learn, texts_to_learn_from

TOKENIZER, WORLD = Tokenizer(), Drawn()
SMALL = Config(
    depths=(1, 1, 2, 1),
    dims=(32, 64, 96, 128),
    stem_dim=32,
    embed_dim=128,
    region_hidden=96,
    hidden=32,
    heads=8,
    points=4,
    enc_layers=2,
    enc_ffn=64,
    dec_layers=3,
    dec_ffn=64,
    queries=10,
    text_width=64,
    text_layers=2,
    text_tokens=len(TOKENIZER),
)


def small() -> FCCLIP:
    torch.manual_seed(3)
    net = build(SMALL)
    for layer in net.pixel.layers:  # zero after initialisation, which would hide mistakes
        torch.nn.init.normal_(layer.attn.offset.weight, std=0.2)
        torch.nn.init.normal_(layer.attn.weight.weight, std=0.2)
    return net.eval()


class Text(unittest.TestCase):
    def test_ids_are_numbered_as_clips(self):
        def letter(c):
            return ord(c) - 33

        self.assertEqual(TOKENIZER.encode("a"), [TOKENIZER.start, 256 + letter("a"), TOKENIZER.end])
        self.assertEqual(TOKENIZER.encode("zq"), [TOKENIZER.start, letter("z"), 256 + letter("q"), TOKENIZER.end])
        self.assertEqual((TOKENIZER.start, TOKENIZER.end), (len(TOKENIZER) - 2, len(TOKENIZER) - 1))

    def test_words_of_captions_are_single_tokens(self):
        self.assertEqual([c for c in CLASSES if len(TOKENIZER.encode(c)) != 3], [])
        self.assertEqual(len(TOKENIZER.encode("There is a purple toadstool in the scene.")), 11)

    def test_merges_are_those_learnt(self):
        self.assertEqual([" ".join(m) for m in learn(texts_to_learn_from())], MERGES.read_text().splitlines()[1:])

    def test_every_caption_can_be_encoded(self):
        r = np.random.default_rng(0)
        for c in range(len(CLASSES)):
            segment = Segment(c, 3, 2) if c < 40 else Segment(c)
            TOKENIZER([caption(segment, r, 1, 1)[0] for _ in range(4)])

    def test_claims(self):
        star, ball = Segment(CLASSES.index("star"), 5, 1), Segment(CLASSES.index("ball"), 5, 0)
        true = attributes([star])

        def fits(*said):
            return float(claims(said) @ true) == claims(said).sum()

        self.assertTrue(fits(Segment(star.category)) and fits(star))
        self.assertFalse(fits(ball) or fits(Segment(star.category, 4)) or fits(star, ball))
        self.assertEqual(true.shape, (WIDTH,))


class Pictures(unittest.TestCase):
    def test_same_seed_same_bytes(self):
        a, b, c = compose((7, 1), 128), compose((7, 1), 128), compose((7, 2), 128)
        self.assertEqual(
            (a.picture.tobytes(), a.ids.tobytes(), a.segments), (b.picture.tobytes(), b.ids.tobytes(), b.segments)
        )
        self.assertNotEqual(a.picture.tobytes(), c.picture.tobytes())

    def test_annotations_cover_every_pixel(self):
        for i in range(20):
            scene = compose((8, i))
            ids, info = annotate(scene)
            self.assertEqual(sum(s["area"] for s in info), ids.size)
            self.assertEqual({s["id"] for s in info}, set(np.unique(ids).tolist()))

    def test_head_sees_no_unseen_class(self):
        self.assertEqual(len(set(SEEN) | set(UNSEEN)), len(CLASSES))
        scenes = WORLD.seen_scenes(128)
        batch = Panoptic(WORLD, 1, 30, scenes)[0]
        self.assertLess(int(batch["labels"].max()), len(SEEN))
        again = [Panoptic(WORLD, 1, 2, scenes)[5]["pictures"].tolist() for _ in range(2)]
        self.assertEqual(*again)

    def test_cells_pool_as_inference_does(self):
        scene = compose((9, 0))
        count = len(scene.segments)
        on = torch.from_numpy(scene.ids[None] == np.arange(count)[:, None, None]).float()
        quarter = torch.nn.functional.avg_pool2d(on[None], 4) - 0.5
        wanted = (resize(quarter, (8, 8))[0].flatten(1) > 0).float()
        self.assertTrue(torch.equal(torch.from_numpy(cells(scene.ids, count)[1]), wanted))


class Network(unittest.TestCase):
    def test_batched_passes_are_the_references(self):
        net = small()
        pictures = torch.from_numpy(np.stack([compose((6, i), 128).picture for i in range(2)]))
        with torch.no_grad():
            maps = net.trunk(normalised(pictures))
            features, levels, shapes = pixel_decoder(net.pixel, maps)
            logits, embedding = mask_decoder(net.decoder, features, levels, shapes)[-1]
            for i in range(2):
                one = net.trunk(FCCLIP.preprocess(pictures[i]))
                wanted, parts = net.pixel(one)
                torch.testing.assert_close(features[i], wanted[0], atol=2e-4, rtol=1e-3)
                masks, classes = net.decoder(wanted, parts, shapes)
                torch.testing.assert_close(logits[i], masks[0], atol=2e-3, rtol=1e-3)
                torch.testing.assert_close(embedding[i], classes, atol=2e-3, rtol=1e-3)
                inside = (masks[0].flatten(1)[:, :16] > 0).float()
                pooled = inside @ one[-1][0].flatten(1).t() / (inside.sum(1, keepdim=True) + 1e-8)
                torch.testing.assert_close(region_embedding(net.region, pooled), net.region(one[-1], inside))

    def test_checkpoint_is_the_originals_in_half_precision(self):
        net = small().half().float()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "demo.pth"
            checkpoint.write(path, net)
            back = checkpoint.read(path)
            self.assertLess(path.stat().st_size, 2.2 * sum(p.numel() for p in net.parameters()))
            state = torch.load(path, weights_only=True)["model"]
        self.assertEqual(back.cfg, SMALL)
        self.assertEqual(tuple(state["backbone.clip_model.token_embedding.weight"].shape), (len(TOKENIZER), 64))
        texts = ["a photo of a star.", "There is a red ball in the scene"]
        with torch.no_grad():
            ours = encode_texts(net.text, torch.tensor(TOKENIZER(texts)))
            for text, row in zip(texts, ours):
                ids = TOKENIZER.encode(text)
                torch.testing.assert_close(
                    back.text(torch.tensor(ids + [0] * (77 - len(ids)))), row, atol=1e-5, rtol=1e-4
                )
        for (name, a), (_, b) in zip(net.trunk.named_parameters(), back.trunk.named_parameters()):
            self.assertTrue(torch.equal(a, b), name)

    def test_matching_finds_the_masks(self):
        masks = torch.zeros(2, 16)
        masks[0, :5], masks[1, 9:] = 1, 1
        logits = torch.full((3, 16), -6.0)
        logits[2] += 12 * masks[0]
        logits[0] += 12 * masks[1]
        scores = torch.zeros(2, 3, 4).log_softmax(2)
        logits, masks = torch.stack([logits, logits.flip(0)]), torch.stack([masks, masks])
        labels = torch.tensor([[0, 1], [1, -1]])  # the second picture has one target
        rows, columns = match(logits, scores, masks, torch.ones(2, 16), labels)
        self.assertEqual(dict(zip(rows.tolist(), columns.tolist())), {2: 0, 0: 1, 3: 2})

    def test_pixels_of_no_segment_do_not_count(self):
        r = torch.Generator().manual_seed(0)
        logits, scores = torch.randn(1, 3, 16, generator=r), torch.randn(1, 3, 3, generator=r).log_softmax(2)
        masks, labels = (torch.rand(1, 2, 16, generator=r) > 0.5).float(), torch.tensor([[0, 1]])
        known, other = torch.ones(1, 16), logits.clone()
        known[:, 8:], masks[..., 8:], other[..., 8:] = 0, 0, 5
        weights = torch.ones(2)
        for a, b in ((logits, other),):
            torch.testing.assert_close(
                set_loss(a, scores, masks, known, labels)[0], set_loss(b, scores, masks, known, labels)[0]
            )
            torch.testing.assert_close(
                pixel_loss(a, scores, masks, labels, weights), pixel_loss(b, scores, masks, labels, weights)
            )
        known[:] = 1
        self.assertNotEqual(
            float(set_loss(logits, scores, masks, known, labels)[0]),
            float(set_loss(other, scores, masks, known, labels)[0]),
        )

    def test_contrast_prefers_what_fits(self):
        a = torch.eye(4)
        self.assertLess(
            float(contrast(a, a, torch.eye(4), torch.tensor(20.0))),
            float(contrast(a, a.flip(0), torch.eye(4), torch.tensor(20.0))),
        )


class Interrupted(TextPhase):
    """Text phase that dies in its fourth step."""

    def loss(self, batch):
        self.calls = getattr(self, "calls", 0) + 1
        if self.calls == 4:
            raise KeyboardInterrupt
        return super().loss(batch)


class Runs(unittest.TestCase):
    def test_a_stopped_run_ends_like_one_that_was_not(self):
        def session(folder: str) -> Session:
            return Session(Path(folder), small(), WORLD, TOKENIZER, torch.device("cpu"), save_every=0)

        def stage(phase):
            return Stage("text", phase, Texts(WORLD, TOKENIZER, 1, 8), 6, 1e-3, warm=2)

        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b, redirect_stdout(io.StringIO()):
            whole = session(a)
            whole.run([stage(TextPhase)])
            with self.assertRaises(KeyboardInterrupt):
                session(b).run([stage(Interrupted)])
            rest = session(b)
            self.assertTrue(rest.resume())
            self.assertEqual((rest.stage, rest.step), (0, 3))
            rest.run([stage(TextPhase)])
        for (name, x), (_, y) in zip(whole.net.named_parameters(), rest.net.named_parameters()):
            torch.testing.assert_close(x, y, atol=1e-6, rtol=1e-5, msg=name)
        self.assertGreater(float((whole.net.text.project - small().text.project).detach().abs().max()), 1e-3)

    def test_captions_teach_the_projection_alone(self):
        net, started = small(), []
        before = {n: p.detach().clone() for n, p in net.named_parameters()}

        class Watched(CaptionPhase):
            def begin(self):
                super().begin()
                started.append({n: p.detach().clone() for n, p in net.named_parameters()})

        with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
            data = Captions(WORLD, TOKENIZER, 6, 2, WORLD.scenes(128), WORLD.close_ups(96))
            probe = Regions(WORLD, TOKENIZER, 7, 2, WORLD.scenes(128))
            Session(Path(folder), net, WORLD, TOKENIZER, torch.device("cpu")).run(
                [Stage("captions", Watched, data, 3, 1e-3, warm=1, probe=probe)]
            )
        self.assertEqual(len(started), 1)
        for name, p in net.named_parameters():
            taught = name.startswith("region.")
            self.assertEqual(torch.equal(p, started[0][name]), not taught, name)
            self.assertTrue(taught or torch.equal(p, before[name]), name)
        self.assertFalse(torch.equal(started[0]["region.up.weight"], before["region.up.weight"]))


class Measure(unittest.TestCase):
    def test_panoptic_quality(self):
        truth = np.zeros((4, 4), np.uint8)
        truth[:2] = 1
        found = np.ones((4, 4), np.uint8)
        found[:2, :3] = 2  # 6 of the 8 pixels of the second segment
        q = Quality()
        q.add(truth, [0, 1], found, [0, 1])
        self.assertAlmostEqual(q.of(0), 80)
        self.assertAlmostEqual(q.of(1), 75)
        q.add(truth, [0, 1], found, [0, 2])  # a wrong name is a miss and an extra
        self.assertAlmostEqual(q.of(1), 100 * 0.75 / 1.5)
        self.assertEqual(q.of(2), 0)
        self.assertIsNone(q.of(3))


if __name__ == "__main__":
    unittest.main()
