"""Losses: contrast of pictures with captions, and the set loss of mask classification.

Shape letters: N pictures (times decoder depths), Q queries, T targets of a picture, P pixels, K classes.
"""

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
def match(logits: Tensor, scores: Tensor, masks: Tensor, known: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Hungarian matching in every picture -> (queries, targets), indices into N * Q and N * T.

    logits (N, Q, P); class log-probabilities (N, Q, K + 1); masks (N, T, P) in 0..1; known (N, P) in 0..1: pixels that
    count; labels (N, T), -1 where there is no target.
    """
    n, q, t = *logits.shape[:2], masks.shape[1]
    soft, known = logits.sigmoid(), known[:, None]
    across = F.softplus(-logits) @ masks.mT + (F.softplus(logits) @ (known - masks).mT)
    cost = across * (MASK_WEIGHT / known.sum(2, keepdim=True).clamp(min=1))
    inside = (soft * known).sum(2, keepdim=True) + masks.sum(2)[:, None]
    cost += DICE_WEIGHT * (1 - (2 * soft @ masks.mT + 1) / (inside + 1))
    cost -= CLASS_WEIGHT * scores.exp().gather(2, labels.clamp(min=0)[:, None].expand(n, q, t))
    table, counts = cost.cpu().numpy(), (labels >= 0).sum(1).tolist()
    queries, targets = [], []
    for i, count in enumerate(counts):
        rows, columns = linear_sum_assignment(table[i, :, :count])
        queries += (i * q + rows).tolist()
        targets += (i * t + columns).tolist()
    return tuple(torch.tensor(x, device=logits.device, dtype=torch.long) for x in (queries, targets))


def set_loss(
    logits: Tensor, scores: Tensor, masks: Tensor, known: Tensor, labels: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of masks and classes, the mean over the N pictures -> (loss, its parts). Shapes are those of `match`."""
    n, q, k = *logits.shape[:2], scores.shape[2] - 1
    queries, targets = match(logits, scores, masks, known, labels)
    picture = torch.div(queries, q, rounding_mode="floor")
    predicted, wanted, counted = logits.flatten(0, 1)[queries], masks.flatten(0, 1)[targets], known[picture]
    pixels = counted.sum(1).clamp(min=1)
    soft = F.softplus(predicted)
    mask = ((soft * counted - predicted * wanted).sum(1) / pixels).mean()
    soft = predicted.sigmoid()
    dice = (1 - (2 * (soft * wanted).sum(1) + 1) / ((soft * counted).sum(1) + wanted.sum(1) + 1)).mean()
    goal = torch.zeros(n * q, k + 1, device=logits.device)
    goal[:, k] = VOID_WEIGHT
    goal[queries] = SMOOTHING / k
    goal[queries, k] = 0
    goal[queries, labels.flatten()[targets]] += 1 - SMOOTHING
    named = -(goal * scores.flatten(0, 1)).sum() / goal.sum()
    return MASK_WEIGHT * mask + DICE_WEIGHT * dice + CLASS_WEIGHT * named, {"mask": mask, "dice": dice, "class": named}


def pixel_loss(logits: Tensor, scores: Tensor, masks: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy of the semantic map (sums over queries of class x mask probability) with each pixel's class.

    Shapes are those of `match`; weights (K,): of the pixels of each class.
    """
    classes = scores[..., :-1].exp()
    maps = (classes.mT @ logits.sigmoid()).clamp(min=1e-6)  # N K P
    right = masks * weights[labels.clamp(min=0)][..., None] * (labels >= 0)[..., None]
    share = (maps / maps.sum(1, keepdim=True)).log()
    picked = share.gather(1, labels.clamp(min=0)[..., None].expand_as(masks))
    return -(picked * right).sum() / right.sum().clamp(min=1)
