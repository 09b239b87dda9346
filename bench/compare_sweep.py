"""Times a whole study of seq-sft: labelmix against the peer program, one after the other on one machine.

    python compare_sweep.py STUDY.toml --ours target/release/labelmix [--threads 2] [--skip WAY ...] [--json OUT.json]

Four ways do the same allocations on the same data, checkpoint and test set, each in turn:

    published   the peer as the published code works: micro-batches of 1 accumulated to a batch, evaluation batches of 3,
                fresh pools for every pair of counts, every stage of every run done anew
    batched     the peer with micro-batches and evaluation batches of 8 texts
    shared      the same, with nested pools and every weak stage done once
    ours        `labelmix sweep` with an empty store

so that published / batched is what batching saves, batched / shared what sharing saves, and shared / ours what the engine
and the executor do. Every way has the same number of cores: torch's threads, or as many of our jobs. The peer's time is
its own count, without imports and the loading of data; ours is that of the whole command. Early stopping ends a stage
after another number of steps with other random streams, so steps are shown too, and the factors a second time with each
way's time set to the mean number of steps per stage of all ways.

The published way takes about a minute for each stage of a 22 M-parameter encoder. Keep the machine otherwise idle.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEER = Path(__file__).parent / "peer" / "peer.py"
WAYS = {
    "published": ["--as-published"],
    "batched": ["--micro-batch", "8", "--evaluation-batch", "8"],
    "shared": ["--micro-batch", "8", "--evaluation-batch", "8", "--share"],
}
OURS = "ours"
FACTORS = [("batching", "published", "batched"), ("sharing", "batched", "shared"), ("engine", "shared", OURS)]


def our_sweep(command: str, study: Path, store: Path, threads: int) -> dict:
    """Our way, and what its store tells of it."""
    started = time.perf_counter()
    sweep = [command, "sweep", str(study), "--store", str(store), "--jobs", str(threads)]
    subprocess.run(sweep, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    stages = [json.loads(path.read_text()) for path in store.glob("stages/*/outcome.json")]
    runs = [json.loads(path.read_text())["record"] for path in store.glob("runs/*/*/run.json")]
    return {
        "seconds": seconds,
        "stages": len(stages),
        "steps": sum(stage["history"]["steps"] for stage in stages),
        "runs": [{"accuracy": run["metrics"]["accuracy"]} for run in runs],
    }


def peer_sweep(python: str, options: list[str], study: Path, store: Path, folder: Path, threads: int) -> dict:
    """One of the peer's ways, on the test set that labelmix drew."""
    out = folder / "peer.json"
    test = next(store.glob("stages/*"))
    command = [python, str(PEER), "sweep", str(study), str(out), "--test-of", str(test), "--threads", str(threads)]
    subprocess.run([*command, *options], check=True, stdout=sys.stderr)
    return json.loads(out.read_text())


def factors(seconds: dict[str, float]) -> dict[str, float]:
    """How many times faster each step from the published way to ours is, and all together."""
    named = {name: seconds[a] / seconds[b] for name, a, b in FACTORS if a in seconds and b in seconds}
    slowest = next(iter(way for way in WAYS if way in seconds), None)
    return named | ({f"{slowest} / ours": seconds[slowest] / seconds[OURS]} if slowest else {})


def print_tables(results: dict[str, dict]) -> None:
    print("| way | time | runs | stages | steps | time per step | mean accuracy | times ours |")
    print("|---|---|---|---|---|---|---|---|")
    for way, result in results.items():
        accuracy = statistics.mean(run["accuracy"] for run in result["runs"])
        cells = [
            way,
            f"{result['seconds']:.0f} s",
            f"{len(result['runs'])} | {result['stages']} | {result['steps']}",
            f"{1e3 * result['seconds'] / result['steps']:.0f} ms",
            f"{accuracy:.3f}",
            f"{result['seconds'] / results[OURS]['seconds']:.1f}",
        ]
        print(f"| {' | '.join(cells)} |")
    steps_per_stage = statistics.mean(result["steps"] / result["stages"] for result in results.values())
    measured = {way: result["seconds"] for way, result in results.items()}
    level = {way: r["seconds"] / r["steps"] * r["stages"] * steps_per_stage for way, r in results.items()}
    print("\n| faster by | as measured | at equal steps per stage |")
    print("|---|---|---|")
    for (name, factor), at_equal_steps in zip(factors(measured).items(), factors(level).values()):
        print(f"| {name} | {factor:.1f} | {at_equal_steps:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--ours", required=True, help="the labelmix binary")
    parser.add_argument("--threads", type=int, default=2, help="cores that each way may use")
    parser.add_argument("--skip", nargs="+", choices=list(WAYS), default=[], help="ways to leave out")
    parser.add_argument("--python", default=sys.executable, help="a Python with the peer's requirements")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder, store = Path(name), Path(name) / "store"
        ours = our_sweep(arguments.ours, arguments.study, store, arguments.threads)
        results = {
            way: peer_sweep(arguments.python, options, arguments.study, store, folder, arguments.threads)
            for way, options in WAYS.items()
            if way not in arguments.skip
        }
        results[OURS] = ours
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    print_tables(results)


if __name__ == "__main__":
    main()
