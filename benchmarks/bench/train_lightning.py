"""An arm: PyTorch Lightning with the same network, its extras switched off."""

from __future__ import annotations

import logging
import time
from typing import Any

import torch
from torch import Tensor, nn

from bench import plain, task, worker


def run(setting: dict[str, Any], line: worker.Line) -> None:
    """Trains, and stops between the epochs to listen."""
    import pytorch_lightning as pl

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    preset, data = task.preset(setting, setting.get("seed", 0)), task.dataset(setting)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = plain.network(preset)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

        def training_step(self, batch: Any, _: int) -> Tensor:
            images, labels = batch
            return nn.functional.cross_entropy(self.net(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return plain.optimizer(self, preset)

    class Listen(pl.Callback):
        started = time.monotonic()
        warm = False

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            now = time.perf_counter()
            if self.warm:
                line.say({"seconds": now - self.begun, "images": len(data.train)})
            else:
                self.warm = True
                line.say({"ready": True, "setup_s": round(time.monotonic() - self.started, 2),
                          "warm_up_s": round(now - self.began_first, 2), "threads": torch.get_num_threads()})  # fmt: skip
            for command in line.commands():
                if command["do"] == "measure":
                    self.begun = time.perf_counter()
                    return
                line.say(
                    {"accuracies": [plain.accuracy(module.net, data, preset)], "peak_mib": worker.peak_mib()}
                )
            trainer.should_stop = True

        def on_train_start(self, trainer: Any, module: Any) -> None:
            self.began_first = time.perf_counter()

    module = Module()
    if setting.get("compile"):
        module.net.compile()  # in place, so that what is judged is what is trained
    trainer = pl.Trainer(
        accelerator="cpu", devices=1, max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[Listen()],
    )  # fmt: skip
    trainer.fit(module, plain.loader(data, preset, setting["workers"]))


if __name__ == "__main__":
    worker.own(run)
