"""Rotation: ours, batched, against torchvision's RandomRotation on PIL images, with every pixel compared."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import task, worker
from bench.arms import Arm, Crew
from bench.plan import Plan
from bench.talk import say

NAME = "rotation"
LIMIT_S = 120.0
DEGREES = 7.0


def begin(
    setting: dict[str, Any],
) -> tuple[worker.Answer, Mapping[str, Callable[[dict[str, Any]], worker.Answer]]]:
    """Both ways in one process: `measure` takes one of them, `compare` looks at every pixel."""
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.transforms import RandomRotation
    from torchvision.transforms import functional as tv

    from tuitrain.data.augment import rotate

    images = task.dataset(setting).train.images
    whole = torch.from_numpy(images.copy())
    epoch = torch.empty_like(whole)  # an epoch's images are rotated into the memory that shuffling them took
    if setting.get("threads"):
        torch.set_num_threads(setting["threads"])
    pictures = [Image.fromarray(image) for image in images[: setting["pil"]]]
    turn = RandomRotation((-DEGREES, DEGREES), fill=(1,))

    def batched() -> int:
        degrees = torch.empty(len(whole)).uniform_(-DEGREES, DEGREES)
        rotate(whole, degrees, out=epoch)
        return len(whole)

    def pil() -> int:
        for picture in pictures:
            turn(picture)
        return len(pictures)

    def measure(command: dict[str, Any]) -> worker.Answer:
        begun = time.perf_counter()
        count = {"batched": batched, "pil": pil}[setting["way"]]()
        return {"seconds": time.perf_counter() - begun, "images": count}

    def compare(command: dict[str, Any]) -> worker.Answer:
        count = min(setting["compared"], len(images))
        degrees = torch.empty(count, dtype=torch.float64).uniform_(-command["degrees"], command["degrees"])
        ours = rotate(whole[:count], degrees).numpy()
        wrong = 0
        for image, angle, mine in zip(images[:count], degrees.tolist(), ours, strict=True):
            theirs = np.asarray(tv.rotate(Image.fromarray(image), angle, fill=[1]))
            wrong += not np.array_equal(theirs, mine)
        return {"images": count, "different": wrong}

    measure({})
    return {"threads": torch.get_num_threads()}, {"measure": measure, "compare": compare}


def run(plan: Plan) -> None:
    """In turns, then the comparison."""
    base = {"dataset": plan.dataset, "data_dir": str(plan.data_dir) if plan.data_dir else None,
            "pil": 2_000 if plan.quick else 10_000, "compared": 1_000 if plan.quick else 5_000}  # fmt: skip
    wanted = [
        Arm("batched", "tuitrain: a whole epoch's images at once", "rotation", base | {"way": "batched"}),
        Arm("batched-1", "the same on one thread", "rotation", base | {"way": "batched", "threads": 1}),
        Arm("pil", "torchvision RandomRotation, PIL image by PIL image", "rotation", base | {"way": "pil"}),
    ]
    wanted = [arm for arm in wanted if plan.wants(NAME, arm.name)]
    if not wanted or not plan.has_time(NAME):
        return
    say(NAME)
    results = plan.results
    results.section(NAME, title=f"Rotation by up to {DEGREES:g}°", unit="images/s", better="more", base="pil")
    with Crew(wanted, LIMIT_S) as crew:
        for arm in wanted:
            results.arm(NAME, arm.name, what=arm.what, samples=[])
        for _ in range(plan.rounds):
            for arm in wanted:
                answer = crew.ask(arm.name, "measure", LIMIT_S)
                if answer:
                    results.sample(NAME, arm.name, answer["images"] / answer["seconds"])
        for degrees in (7.0, 180.0):
            answer = crew.ask("batched", "compare", LIMIT_S, degrees=degrees)
            if answer:
                results.section(NAME).setdefault("different", {})[f"{degrees:g}"] = answer
    for arm in wanted:
        failed = crew.failed.get(arm.name)
        results.finish(
            NAME, arm.name, f"failed: {failed}" if failed else "done", took_s=round(crew.took[arm.name], 1)
        )


if __name__ == "__main__":
    worker.serve(begin)
