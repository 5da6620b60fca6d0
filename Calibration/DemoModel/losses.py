"""Losses: contrast of pictures with captions, and the set loss of mask classification."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

MASK_WEIGHT, DICE_WEIGHT, CLASS_WEIGHT, VOID_WEIGHT = 5.0, 5.0, 2.0, 0.1  # as in Mask2Former
SMOOTHING = 0.1  # of the class targets: keeps this branch from ruling out what it has never seen


def contrast(pictures: Tensor, texts: Tensor, fits: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE in both directions with several positives: every text that is true of a picture is one of its positives.

    pictures (A, E), texts (T, E), fits (A, T) 0/1; scale multiplies the cosines.
    """
    z = scale * F.normalize(pictures, dim=-1) @ F.normalize(texts, dim=-1).t()
    rows = (z.log_softmax(1) * fits).sum(1) / fits.sum(1).clamp(min=1)
    columns = (z.log_softmax(0) * fits).sum(0) / fits.sum(0).clamp(min=1)
    return -(rows.mean() + columns.mean()) / 2


@torch.no_grad()
def match(logits: Tensor, scores: Tensor, masks: Tensor, labels: Tensor) -> tuple[list[int], list[int]]:
    """Hungarian matching of one picture -> (queries, targets).

    logits (Q, P); class log-probabilities (Q, K + 1); masks (T, P); labels (T,).
    """
    pixels = logits.shape[1]
    soft = logits.sigmoid()
    cost = (F.softplus(-logits) @ masks.t() + F.softplus(logits) @ (1 - masks).t()) * (MASK_WEIGHT / pixels)
    cost += DICE_WEIGHT * (1 - (2 * soft @ masks.t() + 1) / (soft.sum(1)[:, None] + masks.sum(1) + 1))
    cost -= CLASS_WEIGHT * scores.exp()[:, labels]
    rows, columns = linear_sum_assignment(cost.cpu().numpy())
    return rows.tolist(), columns.tolist()


def set_loss(
    logits: Tensor, embedding: Tensor, rows: Tensor, scale: Tensor, masks: Tensor, labels: Tensor, owner: Tensor
) -> tuple[Tensor, Tensor]:
    """One depth of the decoder -> (loss, its parts (3,): mask, dice, class).

    logits (B, Q, h, w); embedding (B, Q, E); rows (K + 1, E) unit, void last;
    masks (T, h*w) in 0..1; labels, owner (T,).
    """
    b, q = embedding.shape[:2]
    k = len(rows) - 1
    scores = (scale * F.normalize(embedding, dim=-1) @ rows.t()).log_softmax(-1)
    flat = logits.flatten(2)
    queries, targets = [], []
    for i in range(b):
        mine = (owner == i).nonzero()[:, 0]
        a, c = match(flat[i], scores[i], masks[mine], labels[mine])
        queries += [i * q + n for n in a]
        targets.append(mine[torch.tensor(c, device=mine.device, dtype=torch.long)])
    chosen, order = torch.tensor(queries, device=logits.device), torch.cat(targets)
    predicted, wanted = flat.flatten(0, 1)[chosen], masks[order]
    mask = F.binary_cross_entropy_with_logits(predicted, wanted)
    soft = predicted.sigmoid()
    dice = (1 - (2 * (soft * wanted).sum(1) + 1) / (soft.sum(1) + wanted.sum(1) + 1)).mean()
    goal = torch.zeros(b * q, k + 1, device=logits.device)
    goal[:, k] = VOID_WEIGHT
    goal[chosen] = SMOOTHING / k
    goal[chosen, k] = 0
    goal[chosen, labels[order]] += 1 - SMOOTHING
    named = -(goal * scores.flatten(0, 1)).sum() / goal.sum()
    return MASK_WEIGHT * mask + DICE_WEIGHT * dice + CLASS_WEIGHT * named, torch.stack([mask, dice, named]).detach()
