"""What several captured steps need, made at once and kept on the device, and what they leave there.

A captured step takes its row by a counter on the device: one copy in place of a kernel for each thing it needs. What
it leaves, its loss and its logits, goes into a row too, and is added up for many steps at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Memory of the rows of one stepper.
BYTES = 1 << 26
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Row:
    """What one step needs: labels (N,), pixels (N, 1, 28, 28), factors of its dropouts, and which row it is, (rows,)."""

    labels: Tensor
    pixels: Tensor
    factors: Tensor | None
    mark: Tensor


class PreparedSteps:
    """Rows of device memory for the next steps of full batches.

    Args:
        batch: images a step.
        factors: 32-bit numbers that the dropouts of one step multiply with.
        most: rows at most; fewer where they would take too much memory.
        device: where.

    Attributes:
        begin: the first step that the rows are filled for.
        end: the step after the last.
        row: the place of the next step among the rows, (1,), which each step moves on.
    """

    def __init__(self, batch: int, factors: int, most: int, device: torch.device) -> None:
        self.batch, self._factors = batch, factors
        # Labels are of 64 bits; the pixels begin at a multiple of 128 bytes, as cuDNN chooses by that.
        self._pixels_at = _rounded(2 * batch)
        self._factors_at = self._pixels_at + 784 * batch
        self._mark_at = self._factors_at + _rounded(factors)
        words = self._mark_at + _rounded(-(-most // 4))
        self.rows = max(1, min(most, BYTES // (4 * words)))
        self._all = torch.zeros(self.rows, words, device=device)
        marks = self._all[:, self._mark_at :].view(torch.bool)[:, : self.rows]
        marks.copy_(torch.eye(self.rows, dtype=torch.bool, device=device))
        self.row = torch.zeros(1, dtype=torch.int64, device=device)
        self._losses = torch.zeros(self.rows, device=device)
        self._logits = torch.zeros(self.rows, batch, CLASSES, device=device)
        self.begin = self.end = 0

    def empty(self) -> None:
        """Forgets what the rows are filled for."""
        self.begin = self.end = 0

    def fill(self, begin: int, labels: Tensor, pixels: Tensor, factors: Tensor | None) -> None:
        """Fills rows for the steps from `begin` on.

        Args:
            begin: the first step.
            labels: int64 (steps x batch,).
            pixels: float (steps x batch, 1, 28, 28).
            factors: float (steps, factors); None without dropouts.
        """
        steps = len(labels) // self.batch
        rows = self._all[:steps]
        rows[:, : 2 * self.batch].view(torch.int64).copy_(labels.view(steps, self.batch))
        rows[:, self._pixels_at : self._factors_at].copy_(pixels.reshape(steps, -1))
        if factors is not None:
            rows[:, self._factors_at : self._factors_at + self._factors].copy_(factors)
        self.row.zero_()
        self.begin, self.end = begin, begin + steps

    def take(self) -> Row:
        """What the next step needs, copied from its row."""
        one = self._all.index_select(0, self.row)[0]
        return Row(
            labels=one[: 2 * self.batch].view(torch.int64),
            pixels=one[self._pixels_at : self._factors_at].view(self.batch, 1, 28, 28),
            factors=one[self._factors_at : self._factors_at + self._factors] if self._factors else None,
            mark=one[self._mark_at :].view(torch.bool)[: self.rows],
        )

    def leave(self, row: Row, loss: Tensor, logits: Tensor) -> None:
        """Keeps the mean loss () and the logits (N, 10) of a step, and moves on to the next."""
        # By a choice and not by an index: writing there takes a sort where algorithms are to be deterministic.
        torch.where(row.mark, loss, self._losses, out=self._losses)
        torch.where(row.mark.view(-1, 1, 1), logits, self._logits, out=self._logits)
        self.row += 1

    def sums(self, begin: int, end: int) -> tuple[Tensor, Tensor]:
        """The sum of the images' losses, and the number of right predictions, in the steps from `begin` to `end`.

        Numbers of 32 bits are added in 64, so that no order of adding them gives other bits as long as a step's loss is
        at least a 500,000th of another's.
        """
        rows = slice(begin - self.begin, end - self.begin)
        labels = self._all[rows, : 2 * self.batch].view(torch.int64)
        right = self._logits[rows].argmax(2) == labels
        return (self._losses[rows] * self.batch).sum(dtype=torch.float64), right.sum()


def _rounded(words: int) -> int:
    return -(-words // 32) * 32
