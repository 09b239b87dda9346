"""Holds the accuracies of labelmix's runs against the peer's, allocation by allocation.

    python compare_accuracy.py PEER.json STORE/runs/STUDY [STORE/runs/STUDY ...]

Prints, for every allocation that both did, the mean over seeds with its 95% interval (Student's t over seeds: it holds
what pools, initial weights and batches do, the test set is the same), whether each mean lies inside the other's interval,
and the p-value of Welch's test.
"""

import argparse
import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

from scipy.stats import t as student
from scipy.stats import ttest_ind

Accuracies = dict[tuple[int, int], list[float]]


def peer_accuracies(path: Path) -> Accuracies:
    accuracies = defaultdict(list)
    for run in json.loads(path.read_text())["runs"]:
        accuracies[run["n_weak"], run["n_gold"]].append(run["accuracy"])
    return accuracies


def our_accuracies(folders: list[Path]) -> Accuracies:
    accuracies = defaultdict(list)
    for path in sorted(path for folder in folders for path in folder.glob("*/run.json")):
        record = json.loads(path.read_text())["record"]
        if record["method"] == "seq-sft":
            allocation = record["allocation"]
            accuracies[allocation["n_weak"], allocation["n_gold"]].append(record["metrics"]["accuracy"])
    return accuracies


def half_width(values: list[float]) -> float:
    """Of the mean's 95% interval; without bounds for a single value."""
    if len(values) < 2:
        return math.inf
    return student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", type=Path)
    parser.add_argument("ours", type=Path, nargs="+")
    arguments = parser.parse_args()
    peer, ours = peer_accuracies(arguments.peer), our_accuracies(arguments.ours)
    print("| weak + gold | labelmix | peer | seeds | inside each other's interval | p |")
    print("|---|---|---|---|---|---|")
    for allocation in sorted(peer.keys() & ours.keys()):
        sides = [ours[allocation], peer[allocation]]
        means, widths = [statistics.mean(side) for side in sides], [half_width(side) for side in sides]
        inside = "yes" if abs(means[0] - means[1]) <= min(widths) else "no"
        cells = [f"{mean:.3f} ± {width:.3f}" for mean, width in zip(means, widths)]
        seeds = ", ".join(str(len(side)) for side in sides)
        p = ttest_ind(*sides, equal_var=False).pvalue
        print(f"| {allocation[0]} + {allocation[1]} | {cells[0]} | {cells[1]} | {seeds} | {inside} | {p:.2f} |")


if __name__ == "__main__":
    main()
