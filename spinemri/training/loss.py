"""What the network is punished for: every class of a synthetic slice, one class of a real one.

A real data set labels one structure and only part of the spine. There the other classes are merged into "not this
structure", and nothing outside the labelled extent counts: an unlabelled vertebra is not background.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nnf

from spinemri.synthesis.tissue import BACKGROUND, BODY, CORD, DISC, SAC

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN = -1
"""Class of a pixel of which nobody knows what it is."""

_SMOOTH_PX = 20.0  # a class absent from the batch costs next to nothing
_EPS = 1e-5
_CANAL_BORDER = 4.0  # extra weight of the outline of the sac
_OUTER_BORDER = 0.15  # weight of the outline of bodies and discs towards what is no spine


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss to descend, and the soft Dice it was made of.

    Parameters
    ----------
    value : scalar
    dice : per class without background (full labels), or one value (partial labels); detached
    present : which of them the batch shows
    """

    value: torch.Tensor
    dice: torch.Tensor
    present: torch.Tensor


def full_loss(logits: torch.Tensor, classes: torch.Tensor, weights: torch.Tensor) -> Loss:
    """Weighted cross-entropy plus one minus the soft Dice over the batch, all classes labelled.

    Parameters
    ----------
    logits : (batch, class, rows, columns)
    classes : (batch, rows, columns) int64
    weights : one per class, for the cross-entropy
    """
    certain = 1 - (1 - _OUTER_BORDER) * outer_border(classes)
    importance = certain * (1 + _CANAL_BORDER * canal_border(classes))
    entropy = nnf.cross_entropy(logits, classes, weight=weights, reduction="none") * importance
    truth = nnf.one_hot(classes, logits.shape[1]).movedim(-1, 1).float()
    dice = _soft_dice(decided(logits, weights), truth, certain[:, None], dims=(0, 2, 3))[1:]
    value = entropy.sum() / (weights[classes] * importance).sum() + 1 - dice.mean()
    return Loss(value, dice.detach(), truth.sum((0, 2, 3))[1:] > 0)


def decided(logits: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Probabilities freed of the cross-entropy's weights, as the predictor frees them before it decides."""
    return (logits - weights.log().view(-1, *[1] * (logits.ndim - 2))).softmax(1)


def canal_border(classes: torch.Tensor) -> torch.Tensor:
    """1 within two pixels of the outline of sac and cord, else 0, (batch, rows, columns).

    A stenosis is a dent of a few pixels, which the mean over an image hardly notices; it is what the sac is measured
    for.
    """
    canal = ((classes == SAC) | (classes == CORD)).float()
    return nnf.max_pool2d(canal, 5, 1, 2) + nnf.max_pool2d(1 - canal, 5, 1, 2) - 1


def outer_border(classes: torch.Tensor) -> torch.Tensor:
    """1 within two pixels of where bodies and discs meet background, else 0, (batch, rows, columns).

    Painted bodies are fuller at their sides than readers draw real ones, and real images do label this border: they
    shall teach it.
    """
    column = ((classes == BODY) | (classes == DISC)).float()
    background = (classes == BACKGROUND).float()
    return nnf.max_pool2d(column, 5, 1, 2) * background + nnf.max_pool2d(background, 5, 1, 2) * column


def partial_loss(
    logits: torch.Tensor, labelled: torch.Tensor, extent: torch.Tensor, target: torch.Tensor, weights: torch.Tensor
) -> Loss:
    """The same for slices in which one class is labelled, inside an extent; the other classes are merged.

    Parameters
    ----------
    logits : (batch, class, rows, columns)
    labelled : (batch, rows, columns) 1 where the labelled structure is
    extent : (batch, rows, columns) 1 where the labels can be trusted, to both sides
    target : (batch,) the class that is labelled in each slice
    weights : one per class; a pixel that is not the structure weighs what it is now taken for
    """
    probabilities = logits.softmax(1)
    found, chosen = (
        torch.stack([p[c] for p, c in zip(of, target, strict=True)]) for of in (probabilities, decided(logits, weights))
    )
    importance = torch.where(
        labelled > 0, weights[target][:, None, None], merged_weight(probabilities, target, weights)
    )
    entropy = -torch.where(labelled > 0, torch.log(found + _EPS), torch.log(1 - found + _EPS))
    groups = [target == c for c in sorted({int(c) for c in target})]
    dice = torch.stack([_soft_dice(chosen[g], labelled[g], extent[g]) for g in groups])
    value = (entropy * importance * extent).sum() / ((importance * extent).sum() + 1) + 1 - dice.mean()
    return Loss(value, dice.mean().detach()[None], (labelled * extent).sum()[None] > 0)


def kept_loss(logits: torch.Tensor, seen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted cross-entropy (scalar) with what earlier weights saw, (batch, rows, columns), where not UNKNOWN."""
    if not bool((seen != UNKNOWN).any()):
        return logits.sum() * 0  # the mean over no pixel is not a number
    return nnf.cross_entropy(logits, seen, weight=weights, ignore_index=UNKNOWN)


def merged_weight(probabilities: torch.Tensor, target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weight (batch, rows, columns) of a pixel that is not ``target``: the mean over the classes it is taken for."""
    others = probabilities.detach().clone()
    for slice_probabilities, mine in zip(others, target, strict=True):
        slice_probabilities[mine] = 0
    return (others * weights[:, None, None]).sum(1) / others.sum(1).clamp(min=_EPS)


def _soft_dice(
    found: torch.Tensor, truth: torch.Tensor, counted: torch.Tensor, dims: Sequence[int] | None = None
) -> torch.Tensor:
    """Soft Dice over some axes, all by default; ``counted`` is how much each pixel counts."""
    axes = tuple(range(found.ndim)) if dims is None else tuple(dims)
    return (2 * (found * truth * counted).sum(axes) + _SMOOTH_PX) / (((found + truth) * counted).sum(axes) + _SMOOTH_PX)
