"""The benchmarks work: figures, ratios, gates, tables, the page, and a tiny run of real arms."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from support import ROOT, warm

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def _path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(*arguments, script="run.py", timeout=280):
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def document(tmp_path, **sections):
    from bench.results import Results

    results = Results.new(tmp_path / "r.json", quick=False)
    results.data["sections"] = sections
    results.save()
    return results


def arm(*samples, **more):
    return {"samples": list(samples), "state": "done", "what": "something", **more}


def test_ratios_are_medians_of_the_rounds_own_ratios(tmp_path):
    # The machine was half as fast in the second round; the arms' ratio was 2 all the time.
    results = document(
        tmp_path,
        speed={
            "base": "slow",
            "better": "more",
            "arms": {"slow": arm(100, 50, 90), "fast": arm(200, 100, 180)},
        },
    )
    fast = results.section("speed")["arms"]["fast"]
    assert (fast["ratio"], fast["ratio_min"], fast["ratio_max"]) == (2.0, 2.0, 2.0)
    assert (fast["median"], fast["min"], fast["max"]) == (180, 100, 200)


def test_a_ratio_of_seconds_is_above_one_for_the_shorter(tmp_path):
    results = document(
        tmp_path, time={"base": "slow", "better": "less", "arms": {"slow": arm(4.0), "fast": arm(1.0, 2.0)}}
    )
    assert results.section("time")["arms"]["fast"]["ratio"] == 3.0  # 4/1 and 4/2


def test_faster_but_worse_is_broken(tmp_path):
    from bench import tables, training

    results = document(
        tmp_path,
        **{
            "training-128": {
                "images": 9600,
                "rounds": 3,
                "batch": 128,
                "arms": {
                    "eager": arm(100.0, accuracies=[0.97, 0.96]),
                    "compiled": arm(200.0, accuracies=[0.969, 0.962]),
                    "bf16": arm(300.0, accuracies=[0.97, 0.90]),
                    "loader-0": arm(50.0, accuracies=[0.958]),
                    "loader-2": arm(60.0, accuracies=[0.96]),
                    "keras": arm(40.0, accuracies=[0.90]),
                },
            }
        },
    )
    training.conclude(results, "training-128")
    arms = results.section("training-128")["arms"]
    assert results.section("training-128")["base"] == "loader-2"
    assert {name: found["gate"]["met"] for name, found in arms.items()} == {
        "eager": True, "compiled": True, "bf16": False, "loader-0": True, "loader-2": True, "keras": False,
    }  # fmt: skip
    assert arms["compiled"]["epoch_s"] == 300.0
    text = tables.section_table("training-128", results.section("training-128")).markdown()
    assert "BROKEN (-3.00)" in text
    rows = {row[0]: row for row in tables.must_show(results.data, None).rows}
    compiled = rows["CPU, compiled fp32, against the best DataLoader setting"]
    assert compiled[3:] == ("3.33 ×", "yes")
    assert rows["CPU, eager fp32, against the best DataLoader setting"][4] == "yes"
    assert rows["GPU, 32 seeds at once against one graphed seed at a time"][3:] == ("not measured", "–")


def test_an_arm_that_failed_is_in_the_table_with_its_reason(tmp_path):
    from bench import tables

    found = {"samples": [], "state": "failed: died; no space", "what": "x"}
    results = document(tmp_path, speed={"base": "a", "arms": {"a": arm(1.0), "b": found}})
    assert "failed: died; no space" in tables.section_table("speed", results.section("speed")).markdown()


def test_the_page_takes_the_newest_whole_result_and_keeps_its_own_words(tmp_path):
    from bench import docs

    for name, quick, started, value in (
        ("old", False, "2026-01-01", 1.0), ("new", False, "2026-02-01", 7.0), ("quick", True, "2026-03-01", 9.0),
        ("older_part", False, "2026-01-15", 9.0),
    ):  # fmt: skip
        results = document(
            tmp_path, rotation={"base": "pil", "arms": {"pil": arm(1.0), "batched": arm(value)}}
        )
        results.data |= {"quick": quick, "started": started}
        results.path = tmp_path / f"{name}.json"
        results.save()
    (tmp_path / "r.json").unlink()
    page = tmp_path / "SPEED.md"
    page.write_text(
        "Words.\n<!-- benchmarks: cpu -->\nold\n<!-- end -->\nMore.\n<!-- benchmarks: other -->\nx\n<!-- end -->\n"
    )
    docs.write(page, tmp_path)
    text = page.read_text()
    assert text.startswith("Words.\n") and "More." in text and "\nx\n" in text and "\nold\n" not in text
    assert "| batched | 7.00 |" in text and "2026-02-01" in text
    docs.write(page, tmp_path)
    assert page.read_text() == text


def test_a_section_measured_again_takes_its_place_once_every_arm_of_it_is_there(tmp_path):
    from bench import docs

    whole = {"rotation": {"base": "pil", "arms": {"pil": arm(1.0), "batched": arm(7.0)}},
             "runs": {"arms": {"list": arm(0.03)}}}  # fmt: skip
    again = {"rotation": {"base": "pil", "arms": {"pil": arm(1.0), "batched": arm(11.0)}}}
    lacking = {
        "rotation": {"base": "pil", "arms": {"batched": arm(99.0)}},
        "runs": {"arms": {"append": arm(1.0)}},
    }
    for name, month, sections in (
        ("whole", 2, whole),
        ("a_part", 3, again),
        ("b_part", 4, lacking),
        ("c_part", 1, lacking),
    ):
        results = document(tmp_path, **sections)
        results.data |= {"started": f"2026-0{month}-01"}
        results.path = tmp_path / f"{name}.json"
        results.save()
    (tmp_path / "r.json").unlink()
    found = docs.load("cpu", tmp_path)
    assert found["sections"]["rotation"]["arms"]["batched"]["samples"] == [11.0]
    assert set(found["sections"]["runs"]["arms"]) == {"list"}
    page = docs.parts(found, None)["cpu"]
    assert (
        "Measured again 2026-03-01 at commit" in page and "| batched | 11.00 |" in page and "99.0" not in page
    )


def test_the_committed_page_is_what_its_results_say():
    from bench import docs

    text = docs.PAGE.read_text()
    assert docs.fill(text, docs.parts(docs.load("cpu"), docs.load("gpu"))) == text, (
        "run benchmarks/run.py --write-docs"
    )


def test_a_worker_that_dies_costs_only_its_own_arm(tmp_path):
    from bench.arms import Arm, Crew

    good = {
        "batch": 64,
        "dataset": "digits",
        "images": 128,
        "runtime": {"device": "cpu", "compile": "off", "threads": 1},
    }
    arms = [
        Arm("good", "", "train_tuitrain", good),
        Arm("bad", "", "train_tuitrain", {**good, "dataset": "none"}),
    ]
    with Crew(arms, 240) as crew:
        answer = crew.ask("good", "measure", 240)
        assert crew.ask("bad", "measure", 240) is None
    assert answer["images"] == 128 and answer["seconds"] > 0
    assert "none" in crew.failed["bad"]


def test_tiny_run_of_real_arms(tmp_path):
    out = tmp_path / "result.json"
    wanted = ["training-128/eager", "training-128/loader-0", "startup/help"]
    first = run(
        "--quick",
        "--dataset",
        "digits",
        "--images",
        "256",
        "--no-fetch",
        "--out",
        str(out),
        "--arms",
        *wanted,
    )
    data = json.loads(out.read_text())
    assert first.returncode in (0, 1), first.stderr  # 1: two tiny epochs may miss the accuracy gate
    states = {
        f"{s}/{a}": arm["state"] for s, found in data["sections"].items() for a, arm in found["arms"].items()
    }
    assert set(states.values()) == {"done"}, first.stderr
    arms = data["sections"]["training-128"]["arms"]
    assert arms["loader-0"]["ratio"] == 1.0 and arms["eager"]["samples"][0] > 0
    assert {"cpu", "cores"} <= set(data["machine"]) and "torch" in data["versions"]
    assert "Training step13, batch 128" in first.stdout
    again = run("--quick", "--dataset", "digits", "--no-fetch", "--resume", str(out), "--arms", *wanted)
    assert json.loads(out.read_text())["sections"] == data["sections"], (
        again.stderr
    )  # nothing is measured twice


def test_gpu_script_says_so_without_a_gpu():
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    path = str(BENCHMARKS / "gpu.py")
    code = (
        f"import runpy, sys; sys.path[0] = {str(BENCHMARKS)!r}; runpy.run_path({path!r}, run_name='__main__')"
    )
    found = warm.run(code=code, env=dict(os.environ))
    assert found.returncode == 1 and "no GPU" in found.stderr and not found.stdout


@pytest.mark.long
def test_gpu_script_works_on_a_cpu(tmp_path):
    out = tmp_path / "gpu.json"
    run("--device", "cpu", "--dataset", "digits", "--quick", "--out", str(out), script="gpu.py")
    data = json.loads(out.read_text())
    assert data["kind"] == "gpu" and data["quick"]
    assert set(data["sections"]) == {"gpu-training", "gpu-step13", "gpu-seeds", "gpu-exact"}
    states = {arm["state"] for found in data["sections"].values() for arm in found["arms"].values()}
    assert states == {"done"}
    assert data["sections"]["gpu-exact"]["arms"]["graph - eager"]["samples"] == [0.0]
