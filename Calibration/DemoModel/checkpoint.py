"""The trained network as a checkpoint of the original: torch.save of {"model": ...}, CLIP and head in one file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fcclip import UPSTREAM_TO_MINE, Config, rename
from random_checkpoint import upstream_layout

from .model import FCCLIP


def upstream(net: FCCLIP) -> dict[str, Tensor]:
    """Every key of the original with our values."""
    mine = {k: v.detach().float().cpu() for k, v in net.state_dict().items()}
    out = {}
    for key, shape in upstream_layout(net.cfg).items():
        (name,) = rename({key: torch.empty(0)}, UPSTREAM_TO_MINE)
        out[key] = mine.pop(name).reshape(shape).contiguous()
    if mine:
        raise KeyError(f"no key of the original for {sorted(mine)}")
    return out


def write(path: Path, net: FCCLIP) -> None:
    """PATH in half precision, and beside it the text encoder alone (`.text.pth`), which is all that new words need."""
    state = {k: v.half() for k, v in upstream(net).items()}
    text = {k: v for k, v in state.items() if k.startswith("backbone.clip_model.") and ".visual." not in k}
    for target, content in ((path, state), (path.with_suffix(".text.pth"), text)):
        part = target.with_suffix(".part")
        torch.save({"model": content}, part)
        part.replace(target)


def read(path: Path) -> FCCLIP:
    """Any checkpoint of the original in one file, text tower included, through the reference's own loader."""
    state = {k: v.float() for k, v in torch.load(path, map_location="cpu", weights_only=True)["model"].items()}
    return FCCLIP(Config.from_upstream(state), with_text=True).load_upstream(state)
