"""Makes the fixtures of EvaluateTests: random annotations and predictions, and their scores by the standard tools.

    python3 -m venv /tmp/evaluate && /tmp/evaluate/bin/pip install numpy==2.4.6 pillow pycocotools==2.0.11
    git clone https://github.com/cocodataset/panopticapi
    git -C panopticapi checkout 7bb4655548f98f3fedc07bf37e9040a992b054b0
    PYTHONPATH=panopticapi /tmp/evaluate/bin/python make_evaluate.py

PQ comes from panopticapi's pq_compute (not on PyPI, hence the clone), AP from pycocotools' COCOeval, IoU from numpy (a
confusion matrix without void).
"""

import json
from pathlib import Path

import numpy as np
from panopticapi.evaluation import pq_compute
from PIL import Image
from pycocotools import mask as masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = Path(__file__).parent
PICTURES, HEIGHT, WIDTH = 6, 120, 136
CATEGORIES = [
    {"id": i, "name": n, "isthing": t}
    for i, n, t in [(1, "ball", 1), (4, "box", 1), (9, "star", 1), (20, "sky", 0), (21, "grass", 0), (33, "water", 0)]
]
THINGS, STUFF = [1, 4, 9], [20, 21, 33]


def save(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def write_map(folder, name, ids):
    (HERE / folder).mkdir(exist_ok=True)
    Image.fromarray(np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], 2).astype(np.uint8)).save(
        HERE / folder / name, optimize=True
    )


def ellipse(rng, largest):
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    cy, cx, ry, rx = rng.uniform(0, HEIGHT), rng.uniform(0, WIDTH), rng.uniform(5, largest), rng.uniform(5, largest)
    return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1


def scene(rng):
    """-> ids of every pixel, category of every id, ids of crowds."""
    ids, categories = np.zeros((HEIGHT, WIDTH), np.int64), {}
    edges = [0, rng.integers(20, 50), rng.integers(60, 90), HEIGHT]
    for top, bottom, category in zip(edges, edges[1:], rng.permutation(STUFF)):
        number = int(rng.integers(1, 1 << 24))
        ids[top:bottom], categories[number] = number, int(category)
    for _ in range(9):
        number = int(rng.integers(1, 1 << 24))
        ids[ellipse(rng, 60 if rng.random() < 0.2 else 22)], categories[number] = number, int(rng.choice(THINGS))
    ids[ellipse(rng, 20)] = 0
    kept = set(np.unique(ids)) - {0}
    categories = {number: category for number, category in categories.items() if number in kept}
    crowds = {number for number, category in categories.items() if category in THINGS and rng.random() < 0.15}
    return ids, categories, crowds


def disturb(rng, ids, categories):
    """A possible prediction of a network: everything shifted, some classes wrong, some segments absent or invented."""
    found, names = np.roll(ids, rng.integers(-4, 5, 2), (0, 1)).copy(), dict(categories)
    for number in list(names):
        group = THINGS if names[number] in THINGS else STUFF
        if rng.random() < 0.15:
            names[number] = int(rng.choice(group))
        if rng.random() < 0.1:
            found[found == number] = 0
    for _ in range(3):
        number = int(rng.integers(1, 1 << 24))
        found[ellipse(rng, 12)], names[number] = number, int(rng.choice(THINGS))
    kept = set(np.unique(found)) - {0}
    return found, {number: category for number, category in names.items() if number in kept}


def polygon(rng):
    """Corners of a star-shaped polygon, partly beyond the picture."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
    radius = rng.uniform(6, 70, len(angles))
    centre = rng.uniform(0, [WIDTH, HEIGHT])
    return (
        np.round(
            np.clip(
                centre + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1), -3, [WIDTH + 3, HEIGHT + 3]
            ),
            2,
        )
        .ravel()
        .tolist()
    )


def encode(mask):
    code = masks.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": code["size"], "counts": code["counts"].decode()}


def runs(mask):
    flat = mask.ravel(order="F").astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": lengths if flat[0] == 0 else [0] + lengths}


def panoptic():
    truth, prediction = [], []
    confusion = np.zeros((2, len(CATEGORIES), PICTURES), int)
    both = np.zeros(len(CATEGORIES), int)
    for i in range(PICTURES):
        rng, name = np.random.default_rng((1, i)), f"{i}.png"
        ids, categories, crowds = scene(rng)
        found, names = disturb(rng, ids, categories)
        write_map("truth", name, ids)
        write_map("prediction", name, found)
        truth.append(
            {
                "image_id": i,
                "file_name": name,
                "segments_info": [
                    {"id": n, "category_id": c, "area": int((ids == n).sum()), "iscrowd": int(n in crowds)}
                    for n, c in categories.items()
                ],
            }
        )
        prediction.append(
            {"image_id": i, "file_name": name, "segments_info": [{"id": n, "category_id": c} for n, c in names.items()]}
        )
        one, other = (
            np.vectorize(lambda n, table=table: table.get(n, -1))(m) for m, table in ((ids, categories), (found, names))
        )
        for k, category in enumerate(CATEGORIES):
            t, p = one == category["id"], (other == category["id"]) & (one >= 0)
            confusion[0, k, i], confusion[1, k, i] = t.sum(), p.sum()
            both[k] += (t & p).sum()
    images = [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in range(PICTURES)]
    save("truth.json", {"images": images, "annotations": truth, "categories": CATEGORIES})
    save("prediction.json", {"images": images, "annotations": prediction, "categories": CATEGORIES})
    result = pq_compute(str(HERE / "truth.json"), str(HERE / "prediction.json"))
    iou = both / (confusion.sum(2).sum(0) - both)

    def keep(r):
        return {k: float(r[k]) for k in ("pq", "sq", "rq")}

    return {
        "all": keep(result["All"]),
        "things": keep(result["Things"]),
        "stuff": keep(result["Stuff"]),
        "classes": {str(c): keep(r) for c, r in result["per_class"].items()},
        "iou": {str(c["id"]): float(v) for c, v in zip(CATEGORIES, iou)},
    }


def instances():
    annotations, detections = [], []
    for i in range(PICTURES):
        rng = np.random.default_rng((2, i))
        for _ in range(10):
            form, category = rng.random(), int(rng.choice(THINGS[:2]))
            crowd = int(rng.random() < 0.12)
            if form < 0.5 and not crowd:
                segmentation = [polygon(rng) for _ in range(rng.integers(1, 3))]
            else:
                segmentation = (runs if form < 0.8 else encode)(ellipse(rng, 110 if rng.random() < 0.4 else 25))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": category,
                    "iscrowd": crowd,
                    "segmentation": segmentation,
                }
            )
    images = [{"id": i, "file_name": f"{i}.jpg", "height": HEIGHT, "width": WIDTH} for i in range(PICTURES)]
    truth = {"images": images, "annotations": annotations, "categories": CATEGORIES[:3]}
    coco = COCO()
    coco.dataset = truth
    coco.createIndex()
    for annotation in annotations:
        mask = coco.annToMask(annotation)
        annotation["area"] = int(mask.sum())
        annotation["bbox"] = [0, 0, WIDTH, HEIGHT]
        rng = np.random.default_rng((3, annotation["id"]))
        for _ in range(rng.integers(0, 3)):
            shifted = np.roll(mask, rng.integers(-3, 4, 2), (0, 1))
            category = annotation["category_id"] if rng.random() < 0.85 else int(rng.choice(THINGS))
            # Few distinct scores: ties are to be broken alike.
            detections.append(
                {
                    "image_id": annotation["image_id"],
                    "category_id": category,
                    "score": round(float(rng.random()), 2),
                    "segmentation": encode(shifted),
                }
            )
    truth["annotations"] = [a for a in annotations if a["area"] > 0]
    save("instances.json", truth)
    save("detections.json", detections)
    # The area of every mask, as pycocotools rasterises it.
    areas = [a["area"] for a in truth["annotations"]]
    coco = COCO(str(HERE / "instances.json"))
    expected = {"areas": areas}
    for name, ids in (("all", [1, 4]), ("1", [1]), ("4", [4])):
        run = COCOeval(coco, coco.loadRes(str(HERE / "detections.json")), "segm")
        run.params.catIds = ids
        run.evaluate()
        run.accumulate()
        run.summarize()
        expected[name] = dict(zip(("ap", "ap50", "ap75", "small", "medium", "large"), map(float, run.stats[:6])))
    return expected


if __name__ == "__main__":
    save("expected.json", {"panoptic": panoptic(), "instances": instances()})
    # A label map as Cityscapes has it: road, car, void.
    Image.fromarray(np.array([[7, 26, 0], [7, 7, 255]], np.uint8)).save(HERE / "labels.png")
