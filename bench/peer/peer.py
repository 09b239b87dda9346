"""Sequential SFT of Mallen & Belrose (2024) in PyTorch, transformers and peft, to hold labelmix against.

    python peer.py sweep STUDY.toml OUT.json [--test-of STAGE] [--only 160+0,0+64] [--as-published]
        [--micro-batch 32] [--evaluation-batch 32] [--share] [--threads 1]
    python peer.py replay STORE/runs/STUDY/RUN INPUTS STUDY.toml [--micro-batch 32] [--threads 1]

`sweep` does a labelmix study file's allocations of seq-sft with random streams of its own, and writes accuracies, steps
and seconds. `--as-published` is how the published code does it: micro-batches of 1 accumulated to a batch, evaluation
batches of 3, fresh pools for every pair of counts, every stage done anew. `--share` draws nested pools, and does a weak
stage once for all pairs that start with it. `--test-of` takes the test set of a stage in labelmix's store.

`replay` does the stages of one of labelmix's runs over again, each from the adapter that labelmix started it from, on the
same labels in the same order, with the same validation set, and compares evaluations and the test set's log-odds.
INPUTS is a folder that labelmix's example `run_inputs` wrote.
"""

import argparse
import csv
import json
import random
import sys
import time
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import torch
from data import Example, Labelled, Recipe, Study, by_ids, draw_pools, rows, validation_split
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


Labels = dict[tuple[str, str], list[Labelled]]


def bought_labels(run: Path, train: list[Example]) -> Labels:
    """What the ledger of a run says that it bought: for each kind and use, in the order of purchase."""
    ledger = list(csv.DictReader((run / "ledger.csv").open()))
    labels: Labels = {(kind, use): [] for kind in ("weak", "gold") for use in ("train", "validation")}
    for row, example in zip(ledger, by_ids(train, [row["id"] for row in ledger])):
        target = example.weak if row["kind"] == "weak" else float(example.gold)
        labels[row["kind"], row["purpose"]].append(Labelled(example.text, target))
    return labels


def replay(arguments: argparse.Namespace) -> None:
    store = arguments.run.parents[2]
    run = json.loads((arguments.run / "run.json").read_text())
    task = tomllib.loads(arguments.study.read_text())["task"]
    labels = bought_labels(arguments.run, rows(arguments.study.parent / task["train"], task))
    test = rows(arguments.study.parent / task["test"], task)
    learner = Learner(Path(run["model_path"]), Recipe.of(run["recipe"]), micro_batch=arguments.micro_batch)
    batches = json.loads((arguments.inputs / "batches.json").read_text())

    start = arguments.inputs
    for stage, order in zip((store / "stages" / key for key in run["stages"]), batches):
        theirs = json.loads((stage / "outcome.json").read_text())
        kept = json.loads((stage / "test_log_odds.json").read_text())
        learner.load(start)
        kind = theirs["labels"]
        history = train_stage(learner, labels[kind, "train"], labels[kind, "validation"], iter(order))
        scores = learner.log_odds([example.text for example in by_ids(test, kept["ids"])])
        report(arguments.run.name, kind, theirs, history, scores, kept)
        start = stage


def report(run: str, kind: str, theirs: dict, history: History, scores: torch.Tensor, test: dict) -> None:
    their_scores = torch.tensor(test["log_odds"], dtype=torch.float64)
    their_history = theirs["history"]
    points = zip(history.evaluations, their_history["validation"])
    losses = [abs(ours.loss - point["loss"]) for ours, point in points]
    print(
        json.dumps(
            {
                "run": run,
                "stage": kind,
                "steps": [their_history["steps"], history.steps],
                "best_step": [their_history["best_step"], history.best_step],
                "largest_difference_of_validation_loss": max(losses, default=None),
                "correlation": torch.corrcoef(torch.stack([scores, their_scores]))[0, 1].item(),
                "largest_difference": (scores - their_scores).abs().max().item(),
                "deviation_of_log_odds": their_scores.std().item(),
                "different_classes": ((scores > 0) != (their_scores > 0)).sum().item(),
            }
        ),
        flush=True,
    )


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

    command = commands.add_parser("replay", help="do a run of labelmix over again")
    command.set_defaults(do=replay)
    command.add_argument("run", type=Path)
    command.add_argument("inputs", type=Path)
    command.add_argument("study", type=Path)
    command.add_argument("--micro-batch", type=int, default=32)
    command.add_argument("--threads", type=int, default=1)

    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.do(arguments)


if __name__ == "__main__":
    main()
