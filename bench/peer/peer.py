"""Sequential SFT of Mallen & Belrose (2024) in PyTorch, transformers and peft, to hold labelmix against.

    python peer.py sweep STUDY.toml OUT.json [--test-of STAGE] [--only 160+0,0+64] [--as-published]
        [--micro-batch 32] [--evaluation-batch 32] [--share] [--threads 1]

`sweep` does a labelmix study file's allocations of seq-sft with random streams of its own, and writes accuracies, steps
and seconds. `--as-published` is how the published code does it: micro-batches of 1 accumulated to a batch, evaluation
batches of 3, fresh pools for every pair of counts, every stage done anew. `--share` draws nested pools, and does a weak
stage once for all pairs that start with it. `--test-of` takes the test set of a stage in labelmix's store.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from data import Labelled, Study, draw_pools, validation_split
from stage import History, Learner, Weights, shuffled_batches, train_stage


def stream(*purpose: object) -> random.Random:
    """The random numbers of one purpose."""
    return random.Random(" ".join(map(str, purpose)))


class Sweep:
    """All runs of a study, one after the other."""

    def __init__(self, study: Study, learner: Learner, share: bool):
        self.study, self.learner, self.share = study, learner, share
        self.weak_stages: dict[tuple[int, int], tuple[Weights, History]] = {}
        self.histories: list[History] = []

    def run(self, seed: int, n_weak: int, n_gold: int) -> dict:
        """One allocation: the weak stage, the gold stage, the test set."""
        started = time.perf_counter()
        name = [seed] if self.share else [seed, n_weak, n_gold]
        weak, gold = draw_pools(self.study.train, n_weak, n_gold, stream("pools", *name))
        self.learner.initialise(stream("adapter", *name).getrandbits(63))
        histories = []
        if weak:
            histories.append(self.weak_stage(weak, seed, name))
        if gold:
            histories.append(self.stage(gold, "gold", *name))
        trained = time.perf_counter()
        scores = self.learner.log_odds([example.text for example in self.study.test])
        right = [(score > 0) == (example.gold == 1) for score, example in zip(scores, self.study.test)]
        return {
            "seed": seed,
            "n_weak": n_weak,
            "n_gold": n_gold,
            "accuracy": sum(map(int, right)) / len(right),
            "seconds": time.perf_counter() - started,
            "test_seconds": time.perf_counter() - trained,
            "stages": [asdict(history) for history in histories],
        }

    def weak_stage(self, weak: list[Labelled], seed: int, name: list[int]) -> History:
        if not self.share:
            return self.stage(weak, "weak", *name)
        key = (seed, len(weak))
        if key not in self.weak_stages:
            history = self.stage(weak, "weak", *name)
            self.weak_stages[key] = self.learner.weights(), history
        weights, history = self.weak_stages[key]
        self.learner.restore(weights)
        return history

    def stage(self, labels: list[Labelled], *name: object) -> History:
        fraction = self.study.recipe.validation_fraction
        train, validation = validation_split(labels, fraction, stream("validation", *name))
        generator = torch.Generator().manual_seed(stream("batches", *name).getrandbits(63))
        batches = shuffled_batches(len(train), self.study.recipe.batch_size, generator)
        history = train_stage(self.learner, train, validation, batches)
        self.histories.append(history)
        return history


def sweep(arguments: argparse.Namespace) -> None:
    test_ids = None
    if arguments.test_of:
        test_ids = json.loads((arguments.test_of / "test_log_odds.json").read_text())["ids"]
    study = Study.read(arguments.study, test_ids)
    if arguments.only:
        wanted = [tuple(map(int, pair.split("+"))) for pair in arguments.only.split(",")]
        study = replace(study, allocations=wanted)
    if arguments.as_published:
        arguments.micro_batch, arguments.evaluation_batch, arguments.share = 1, 3, False
    learner = Learner(study.model, study.recipe, arguments.evaluation_batch, arguments.micro_batch)

    work = Sweep(study, learner, arguments.share)
    started = time.perf_counter()
    runs = []
    for seed in arguments.seeds or study.seeds:
        for n_weak, n_gold in study.allocations:
            run = work.run(seed, n_weak, n_gold)
            runs.append(run)
            steps = "+".join(str(stage["steps"]) for stage in run["stages"])
            accuracy, seconds = run["accuracy"], run["seconds"]
            print(f"seed {seed}, {n_weak}+{n_gold}: {accuracy:.3f}, {steps} steps, {seconds:.0f} s", file=sys.stderr)
            summary = {
                "seconds": time.perf_counter() - started,
                "training_seconds": sum(history.training_seconds for history in work.histories),
                "validation_seconds": sum(history.validation_seconds for history in work.histories),
                "test_seconds": sum(run["test_seconds"] for run in runs),
                "stages": len(work.histories),
                "steps": sum(history.steps for history in work.histories),
                "runs": runs,
            }
            # After every run, so that a long sweep that is cut short leaves what it did.
            arguments.out.write_text(json.dumps(summary, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("sweep", help="do a study's runs")
    command.set_defaults(do=sweep)
    command.add_argument("study", type=Path)
    command.add_argument("out", type=Path)
    command.add_argument("--test-of", type=Path, help="a folder of a store's stages/")
    command.add_argument("--only", help="pairs weak+gold in place of the grid's")
    command.add_argument("--seeds", type=int, nargs="+", help="in place of the grid's")
    command.add_argument("--as-published", action="store_true")
    command.add_argument("--micro-batch", type=int, default=32)
    command.add_argument("--evaluation-batch", type=int, default=32)
    command.add_argument("--share", action="store_true")
    command.add_argument("--threads", type=int, default=1)

    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.do(arguments)


if __name__ == "__main__":
    main()
