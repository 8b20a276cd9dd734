"""One sentence about what to do if a device has too little memory."""

from __future__ import annotations

from tuitrain import nvml
from tuitrain.figures import gigabytes_text


def out_of_memory_message(device: str, batch_size: int) -> str:
    """Who else holds the memory of the device, or how the run needs less of it.

    Args:
        device: cpu, cuda:N or mps.
        batch_size: that the run trained with.
    """
    if (holder := _other_holder(device)) is not None:
        return f"out of memory on {device}: {holder}; free it, or use another --device."
    if batch_size == 1:
        return f"out of memory on {device} with a batch of 1; make the network smaller."
    smaller = 1 << (batch_size - 1).bit_length() - 1
    return f"out of memory on {device} with batch size {batch_size}; try --batch-size {smaller}."


def _other_holder(device: str) -> str | None:
    """The other process that holds more than half of a card's memory; None if there is none."""
    card = nvml.card(device)
    memory = card.memory() if card is not None else None
    if card is None or memory is None:
        return None
    others = sorted(card.others(), key=lambda process: process.memory or 0, reverse=True)
    held = sum(process.memory or 0 for process in others)
    if 2 * held <= memory[1]:
        return None
    most = others[0]
    name = f"{most.name} of {most.user}, " if most.name else ""
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return (
        f"{name}process {most.pid}{more} holds {gigabytes_text(held)} of its {gigabytes_text(memory[1])} GB"
    )
