"""Measures our LoRA training step against PyTorch's, interleaved on one machine.

    python compare_lora_step.py --ours "COMMAND" [--precision f32|bf16] [--rounds 15] [--steps 3] [--threads 2] [--json]

Makes a checkpoint in a temporary folder (make_llama.py) and starts three programs on it: `COMMAND FOLDER WEIGHTS
PRODUCTS` (the precisions of the frozen weights and of products with them) and torch_lora_step.py in both of its modes. All three speak its protocol (a line `step` in, a line of JSON
out). They stay alive, but only one runs at a time, the others are stopped by a signal: each round asks
every program in turn for some steps, so that whatever else the machine does falls on all of them alike.
The losses must agree at every step. Ratios are medians over the rounds of (our median / torch's median).

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
# Under autocast torch rounds the LoRA products too, which moves its losses by two percent; ours are within 0.1% of f32.
LOSS_TOLERANCE = {"f32": 1e-3, "bf16": 3e-2}
MODES = ["batch8", "accumulate"]


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


def check_losses(ours: Stepper, torch: Stepper, tolerance: float) -> None:
    for step, (our_loss, torch_loss) in enumerate(zip(ours.losses, torch.losses)):
        if abs(our_loss - torch_loss) > tolerance * abs(torch_loss):
            sys.exit(f"losses differ at step {step}: ours {our_loss:.6f}, {torch.name} {torch_loss:.6f}")


def compare(ours: Stepper, twins: list[Stepper], rounds: int, steps: int, tolerance: float) -> dict:
    steppers = [ours, *twins]
    for stepper in steppers:
        stepper.steps(WARMUP_STEPS)
    for round_ in range(rounds):
        first = round_ % len(steppers)
        for stepper in steppers[first:] + steppers[:first]:
            stepper.rounds.append(stepper.steps(steps))
        for twin in twins:
            check_losses(ours, twin, tolerance)
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
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=3, help="steps of each program in a round")
    parser.add_argument("--threads", type=int, default=2, help="torch's threads")
    parser.add_argument("--python", default=sys.executable, help="a Python with torch, transformers and peft")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([arguments.python, str(HERE / "make_llama.py"), folder], check=True, stdout=sys.stderr)
        precision = arguments.precision
        twin = [arguments.python, str(HERE / "torch_lora_step.py"), folder, "--threads", str(arguments.threads)]
        twin += ["--precision", precision]
        ours = Stepper("ours", [*shlex.split(arguments.ours), folder, precision, precision])
        twins = [Stepper(f"torch {mode}", [*twin, "--mode", mode]) for mode in MODES]
        try:
            result = compare(ours, twins, arguments.rounds, arguments.steps, LOSS_TOLERANCE[precision])
        finally:
            for stepper in [ours, *twins]:
                stepper.close()
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result)


if __name__ == "__main__":
    main()
