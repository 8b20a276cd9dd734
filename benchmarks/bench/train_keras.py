"""An arm: Keras 3 on its torch backend with the same network, `fit` an epoch at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

from bench import plain, task, worker


def network(preset: Any, *, augment: bool) -> keras.Model:
    """The preset's network out of Keras's layers, channels first, with torch's initial weights' distribution."""
    layers: list[Any] = [keras.Input((1, 28, 28))]
    if augment:
        turn = preset.train.rotation / 360
        layers.append(
            keras.layers.RandomRotation(
                turn, fill_mode="constant", fill_value=plain.FILL, interpolation="nearest",
                data_format="channels_first", seed=0,
            )
        )  # fmt: skip
        mean, std = preset.train.normalize.mean, preset.train.normalize.std
        layers.append(keras.layers.Rescaling(1 / (255 * std), -mean / std))
    for layer in preset.model.layers:
        match layer.kind:
            case "conv":
                start = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=len(layers))
                padding = "same" if layer.padding else "valid"
                layers.append(
                    keras.layers.Conv2D(layer.conv, layer.kernel, padding=padding, use_bias=layer.bias,
                                        data_format="channels_first", kernel_initializer=start)
                )  # fmt: skip
            case "maxpool":
                layers.append(keras.layers.MaxPooling2D(layer.maxpool, data_format="channels_first"))
            case "global_avgpool":
                layers.append(keras.layers.GlobalAveragePooling2D(data_format="channels_first"))
        for op in layer.then:
            match op.kind:
                case "relu":
                    layers.append(keras.layers.ReLU())
                case "batchnorm":
                    layers.append(keras.layers.BatchNormalization(axis=1, momentum=0.9, epsilon=1e-5))
                case "dropout2d":
                    rate = preset.train.dropout if op.value is None else op.value
                    layers.append(keras.layers.SpatialDropout2D(rate, data_format="channels_first"))
    return keras.Sequential(layers)


def begin(
    setting: dict[str, Any],
) -> tuple[worker.Answer, Mapping[str, Callable[[dict[str, Any]], worker.Answer]]]:
    """Sets up, and trains the warm-up epoch."""
    keras.utils.set_random_seed(setting.get("seed", 0))
    preset, data = task.preset(setting, setting.get("seed", 0)), task.dataset(setting)
    settings = preset.train.optimizer
    resident = setting["input"] == "resident"
    model = network(preset, augment=resident)
    model.compile(
        keras.optimizers.SGD(settings.lr, settings.momentum),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=bool(setting.get("compile")),
    )
    images = data.train.images[:, None].astype(np.float32)
    labels = data.train.labels.astype(np.int64)
    batches = None if resident else plain.loader(data, preset, setting["workers"])

    def epoch() -> float:
        begun = time.perf_counter()
        if resident:
            model.fit(images, labels, batch_size=preset.train.batch_size, epochs=1, verbose=0, shuffle=True)
        else:
            model.fit(batches, epochs=1, verbose=0)
        return time.perf_counter() - begun

    def measure(command: dict[str, Any]) -> worker.Answer:
        return {"seconds": epoch(), "images": len(labels)}

    def judge(command: dict[str, Any]) -> worker.Answer:
        test = data.test.images[:, None].astype(np.float32)
        if not resident:
            test = (test / 255 - preset.train.normalize.mean) / preset.train.normalize.std
        found = model.predict(test, batch_size=1000, verbose=0).argmax(1)
        return {"accuracies": [float((found == data.test.labels).mean())], "peak_mib": worker.peak_mib()}

    told = {"warm_up_s": round(epoch(), 2), "threads": torch.get_num_threads()}
    return told, {"measure": measure, "judge": judge}


if __name__ == "__main__":
    worker.serve(begin)
