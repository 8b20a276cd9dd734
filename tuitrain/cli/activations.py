"""`tuitrain activations`: what each layer of a run's network makes of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.cli.predict import RunArgument, chosen_index, load_judging_set
from tuitrain.errors import UsageError, visible

if TYPE_CHECKING:
    from tuitrain.training.activations import Activations, LayerMaps


def activations(
    run: RunArgument,
    index: Annotated[
        int | None,
        typer.Option(
            "--index", "-i", help="An image of the set that judged the run, counted from 0; default: 0."
        ),
    ] = None,
    random: Annotated[bool, typer.Option("--random", "-r", help="Any image of that set.")] = False,
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer", "-l", help="This layer alone, such as conv3; default: all.", show_default=False
        ),
    ] = None,
    ema: options.Ema = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Show what each layer of a network makes of an image.

    After the operations of the layer; black is the lowest value of a layer, white its highest. Of a run that still goes
    on, its newest checkpoint is asked.
    """
    if index is not None and random:
        raise UsageError("--index and --random both name an image; give one of them.")
    from tuitrain.cli.runs import run_directory
    from tuitrain.data.catalog import class_names
    from tuitrain.runs.trained import trained_network
    from tuitrain.training.activations import activations as activations_of
    from tuitrain.training.judging import use_one_core

    trained = trained_network(run_directory(run, runs_dir), averaged=ema)
    dataset = load_judging_set(trained.preset, data_dir)
    chosen = chosen_index(0 if index is None and not random else index, len(dataset.test))
    image, actual = dataset.test.images[chosen], int(dataset.test.labels[chosen])
    use_one_core()
    found = activations_of(trained.network, trained.preset, image)
    layers = [one for one in found.layers if layer is None or one.name == layer.strip()]
    if not layers:
        names = ", ".join(one.name for one in found.layers)
        raise UsageError(f"--layer is '{visible(layer)}'; this network has {names}.")
    said = int(found.probabilities.argmax())
    if json:
        about = {"dataset": dataset.name, "judged_by": dataset.judged_by, "index": chosen, "actual": actual}
        emit_json({
            "run": trained.run, "epoch": trained.epoch, "step": trained.step, "averaged": trained.averaged, **about,
            **activations_json(found, layers),
        })  # fmt: skip
        return
    from tuitrain.cli.painted import ink, show_lines, show_wrapped, small_images
    from tuitrain.figures import accuracy_text
    from tuitrain.tui.paint.maps import network_lines
    from tuitrain.tui.paint.pictures import beside

    classes, width = [visible(name) for name in class_names(dataset.name)], stdout().width
    right = said == actual
    words = [
        [(f"{dataset.judged_by} image {chosen} of {dataset.name}: {classes[actual]}", "bold")],
        [
            (
                f"taken for {classes[said]}, {accuracy_text(float(found.probabilities[said]))}",
                "good" if right else "bad",
            )
        ],
        [(", ".join(filter(None, (f"after epoch {trained.epoch}", trained.weights))), "dim")],
    ]
    if layer is None:
        show_lines(beside(image, words, ink()))
        show_lines([()])
    show_lines(network_lines(layers, width, ink(), small=small_images()))
    if layer is not None:
        show_wrapped([*words[0], ("; ", ""), *words[1]], 2)


def activations_json(found: Activations, layers: Sequence[LayerMaps]) -> dict[str, Any]:
    """What its JSON object says of a network and an image; its keys are an interface."""
    return {
        "predicted": int(found.probabilities.argmax()),
        "probabilities": [float(p) for p in found.probabilities],
        "layers": [
            {
                "name": one.name,
                "shape": list(one.maps.shape),
                "lowest": one.lowest,
                "highest": one.highest,
                "maps": one.maps.tolist(),
            }
            for one in layers
        ],
    }
