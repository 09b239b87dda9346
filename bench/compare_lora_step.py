"""Measures our LoRA training step against PyTorch's, interleaved on one machine.

    python compare_lora_step.py --ours "COMMAND" [--precision f32|bf16] [--rounds 15] [--steps 3] [--threads 2] [--json]
        [-- OPTIONS]

Makes a checkpoint in a temporary folder (make_llama.py, with OPTIONS, such as those of another shape) and starts three programs on it: `COMMAND FOLDER WEIGHTS
PRODUCTS` (the precisions of the frozen weights and of products with them; with --micro-batch the sequences that ours
takes at once) and torch_lora_step.py in both of its modes. All three speak its protocol (a line `step` in, a line of JSON
out). They stay alive, but only one runs at a time, the others are stopped by a signal: each round asks
every program in turn for some steps, so that whatever else the machine does falls on all of them alike.
In f32 the losses must agree at every step. In bf16 the first steps of both are held against torch's in f32. Ratios are medians over the rounds of (our median / torch's median).

Keep the machine otherwise idle: where other work takes a core, torch's threads wait for one another and its
steps take up to twenty times as long, which says nothing about either program.

"""

import argparse
import json
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WARMUP_STEPS = 2
TOLERANCE = 1e-3
# Of bf16 against f32. Under autocast torch rounds the LoRA products too: two percent off at 6 layers, eight at 30.
OURS_IN_BF16, TORCH_IN_BF16 = 1e-2, 0.15
MODES = ["batch", "accumulate"]


class Stepper:
    """A running program that makes one optimisation step for each line it is sent."""

    def __init__(self, name: str, command: list[str]):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.losses: list[float] = []
        self.rounds: list[list[float]] = []
        self.peak_rss_mb = 0.0

    def steps(self, count: int) -> list[float]:
        """Seconds of each step. The process runs only meanwhile: idle threads that spin would slow the others."""
        self.process.send_signal(signal.SIGCONT)
        seconds = [self.step() for _ in range(count)]
        self.process.send_signal(signal.SIGSTOP)
        return seconds

    def step(self) -> float:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with exit code {self.process.wait()} after {len(self.losses)} steps")
        answer = json.loads(line)
        self.losses.append(answer["loss"])
        self.peak_rss_mb = answer["peak_rss_mb"]
        return answer["seconds"]

    def close(self) -> None:
        assert self.process.stdin
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()

    def summary(self) -> dict[str, float]:
        quartiles = statistics.quantiles([second for seconds in self.rounds for second in seconds], n=4)
        return {
            "median_seconds": quartiles[1],
            "iqr_seconds": quartiles[2] - quartiles[0],
            "peak_rss_mb": self.peak_rss_mb,
        }


def check_losses(ours: Stepper, reference: Stepper, tolerance: float) -> None:
    for step, (loss, expected) in enumerate(zip(ours.losses, reference.losses)):
        if abs(loss - expected) > tolerance * abs(expected):
            sys.exit(f"losses differ at step {step}: {ours.name} {loss:.6f}, {reference.name} {expected:.6f}")


def compare(ours: Stepper, twins: list[Stepper], exact: Stepper | None, rounds: int, steps: int) -> dict:
    steppers = [ours, *twins]
    for stepper in steppers:
        stepper.steps(WARMUP_STEPS)
    if exact:
        exact.steps(WARMUP_STEPS)
        check_losses(ours, exact, OURS_IN_BF16)
        for twin in twins:
            check_losses(twin, exact, TORCH_IN_BF16)
        exact.close()
    for round_ in range(rounds):
        first = round_ % len(steppers)
        for stepper in steppers[first:] + steppers[:first]:
            stepper.rounds.append(stepper.steps(steps))
        for twin in [] if exact else twins:
            check_losses(ours, twin, TOLERANCE)
    result = {stepper.name: stepper.summary() for stepper in steppers}
    for twin in twins:
        per_round = [statistics.median(a) / statistics.median(b) for a, b in zip(ours.rounds, twin.rounds)]
        result[twin.name]["time_ratio"] = statistics.median(per_round)
        result[twin.name]["memory_ratio"] = ours.peak_rss_mb / twin.peak_rss_mb
    return result


def print_table(result: dict) -> None:
    print("| program | median | interquartile range | peak memory | ours / torch: time | memory |")
    print("|---|---|---|---|---|---|")
    for name, row in result.items():
        ratios = " | ".join(f"{row[key]:.3f}" if key in row else "" for key in ("time_ratio", "memory_ratio"))
        milliseconds = f"{1e3 * row['median_seconds']:.0f} ms | {1e3 * row['iqr_seconds']:.0f} ms"
        print(f"| {name} | {milliseconds} | {row['peak_rss_mb']:.0f} MiB | {ratios} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", required=True, help="our program's command line, without the folder")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32", help="of products with frozen weights")
    parser.add_argument("--micro-batch", type=int, help="sequences that ours takes at once; all without it")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3, help="steps of each program in a round")
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch, transformers and peft")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("shape", nargs="*", help="options of make_llama.py")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([arguments.python, str(HERE / "make_llama.py"), folder, *arguments.shape], check=True, stdout=sys.stderr)
        precision = arguments.precision
        twin = [arguments.python, str(HERE / "torch_lora_step.py"), folder, "--threads", str(arguments.threads)]
        micro = [str(arguments.micro_batch)] if arguments.micro_batch else []
        ours = Stepper("ours", [*shlex.split(arguments.ours), folder, precision, precision, *micro])
        twins = [Stepper(f"torch {mode}", [*twin, "--precision", precision, "--mode", mode]) for mode in MODES]
        exact = Stepper("torch f32", twin) if precision != "f32" else None
        try:
            result = compare(ours, twins, exact, arguments.rounds, arguments.steps)
        finally:
            for stepper in [ours, *twins]:
                stepper.close()
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result)


if __name__ == "__main__":
    main()
