"""Zero the token embeddings that the fixture vocabularies never use, and compress.

python trim_clip.py clip.safetensors clip.safetensors.gz recorded.npz...
"""

import gzip
import sys

import numpy as np
from safetensors.numpy import load, save

source, target, *recorded = sys.argv[1:]
tensors = load(open(source, "rb").read())
used = np.unique(np.concatenate([np.load(name)["text.tokens"].ravel() for name in recorded]))
embedding = next(key for key in tensors if key.endswith("token_embedding.weight"))
kept = np.zeros_like(tensors[embedding])
kept[used] = tensors[embedding][used]
tensors[embedding] = kept
with open(target, "wb") as file:
    file.write(gzip.compress(save(tensors), mtime=0))
print(f"{target}: {len(used)} token embeddings kept")
