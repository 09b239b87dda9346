"""Damages stores and kills commands at random, and holds what labelmix makes of it against an undisturbed store.

    python3 .ci/damage.py LABELMIX [--damages 50] [--kills 20] [--seed 0]

A damage flips a bit of a file of the store, cuts it off, deletes it or swaps it with another; before a sweep or while one
runs. Every reader then names a file or says what it would have said; `store verify` finds what is wrong; after `--set-aside` the
next sweep gives the undisturbed answer. A command that is killed is started again until it ends: the same bytes, and nothing is
left of the killed ones; every other kill is of another command that writes than `sweep`.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What comes and goes, or says when it was written.
PASSING = {"claims", "unfinished", "checkpoints", "failures", "damaged"}


def files(store):
    """The files that are kept, by their places."""
    found = {path.relative_to(store): path for path in sorted(store.rglob("*")) if path.is_file()}
    return {place: path for place, path in found.items() if place.parts[0] not in PASSING}


def contents(store):
    return {place: path.read_bytes() for place, path in files(store).items()}


class Trial:
    def __init__(self, labelmix, folder, seed):
        self.labelmix, self.folder, self.random = Path(labelmix).resolve(), Path(folder), random.Random(seed)
        shutil.copytree(ROOT / "examples/reviews", self.folder, dirs_exist_ok=True)
        study = (self.folder / "study.toml").read_text().splitlines()
        wanted = {"seeds": "seeds = [0]", "budgets": "budgets = [8, 16, 32]"}
        study = [wanted.get(line.split(" ")[0], line) for line in study]
        (self.folder / "study.toml").write_text("\n".join(study) + "\n")
        self.sweep = ["sweep", "study.toml", "--json", "--store"]
        self.answer = self.run(*self.sweep, "ref").stdout
        self.reference = contents(self.folder / "ref")
        run = next(path for path in sorted((self.folder / "ref/runs").glob("*/*")) if "_w0_" not in path.name)
        self.named = run.relative_to(self.folder / "ref")
        self.undisturbed = [self.read(reader)[1] for reader in self.readers("ref")]

    def run(self, *arguments):
        command = [str(self.labelmix), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=300)
        if done.returncode not in (0, 1, 3):
            raise AssertionError(f"{arguments} ended with {done.returncode}:\n{done.stderr}")
        return done

    def readers(self, store):
        return [
            ["plan", "study.toml", "--store", store, "--budget", "40", "--json"],
            ["report", "study.toml", "--store", store, "--out", "report"],
            ["predict", "--run", f"{store}/{self.named}", "--input", "test.jsonl", "--output", "predictions.jsonl"],
            ["status", "study.toml", "--store", store, "--json"],
            ["show", f"{store}/{self.named}", "--json"],
        ]

    def read(self, reader):
        """A reader's end, and what it says and writes."""
        predictions = self.folder / "predictions.jsonl"
        predictions.unlink(missing_ok=True)
        done = self.run(*reader)
        written = predictions.read_text() if predictions.exists() else ""
        return done, done.stdout.replace("s/runs", "ref/runs") + written

    def damage(self, store):
        """Damages a random file; what was done, or nothing if it is as before."""
        places = list(files(store))
        if not places:
            return None
        place = self.random.choice(places)
        path, how = store / place, self.random.choice(["flip", "truncate", "delete", "swap"])
        try:
            content = bytearray(path.read_bytes())
            if how == "flip" and content:
                content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
                path.write_bytes(content)
            elif how == "truncate" and content:
                path.write_bytes(content[: self.random.randrange(len(content))])
            elif how == "delete":
                path.unlink()
            elif how == "swap":
                alike = [other for other in places if other.name == place.name and other != place]
                if not alike:
                    return None
                other = store / self.random.choice(alike)
                content_of_other = other.read_bytes()
                other.write_bytes(content)
                path.write_bytes(content_of_other)
        except FileNotFoundError:
            return None
        return f"{how} {place}"

    def mended(self, what):
        """The store `s` is found wrong or as it was, and the next sweep makes it so."""
        store = self.folder / "s"
        is_as_before = contents(store) == self.reference
        verified = self.run("store", "verify", "s", "--set-aside")
        if not is_as_before and verified.returncode == 0:
            raise AssertionError(f"{what}: verify found nothing")
        again = self.run(*self.sweep, "s")
        if again.stdout != self.answer:
            raise AssertionError(f"{what}: another answer after verify --set-aside and a sweep: {again.stderr}")
        self.same(what)

    def same(self, what):
        after = contents(self.folder / "s")
        wrong = [str(place) for place in {*after, *self.reference} if after.get(place) != self.reference.get(place)]
        if wrong:
            raise AssertionError(f"{what}: other files: {wrong}")

    def damaged_store(self):
        store = self.folder / "s"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(self.folder / "ref", store)
        what = self.damage(store)
        if what is None:
            return
        for reader, undisturbed in zip(self.readers("s"), self.undisturbed):
            done, said = self.read(reader)
            if reader[0] == "status" and done.returncode == 0:
                # It counts what is there.
                if json.loads(said)["finished"] > json.loads(undisturbed)["finished"]:
                    raise AssertionError(f"{what}: more stages than there are")
            elif done.returncode == 0 and said != undisturbed and "are not finished yet" not in done.stderr:
                raise AssertionError(f"{what}: `{' '.join(reader)}` says something else:\n{done.stderr}")
            if done.returncode != 0 and not any(name in done.stderr for name in ("s/", "swept into s")):
                raise AssertionError(f"{what}: `{' '.join(reader)}` names no file:\n{done.stderr}")
        self.mended(what)

    def damaged_sweep(self):
        store = self.folder / "s"
        shutil.rmtree(store, ignore_errors=True)
        sweep = subprocess.Popen([self.labelmix, *self.sweep, "s", "--jobs", "1"], cwd=self.folder,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(self.random.uniform(0.2, 1.5))
        what = f"in mid-sweep: {self.damage(store)}"
        said, errors = sweep.communicate(timeout=300)
        if sweep.returncode not in (0, 1, 3):
            raise AssertionError(f"{what}: the sweep ended with {sweep.returncode}:\n{errors}")
        if sweep.returncode == 0 and said != self.answer:
            raise AssertionError(f"{what}: another answer")
        self.mended(what)

    def killed(self):
        """A sweep that is killed again and again, with `gc --delete` beside it."""
        store, kills = self.folder / "s", 0
        shutil.rmtree(store, ignore_errors=True)
        while True:
            sweep = subprocess.Popen([self.labelmix, *self.sweep, "s"], cwd=self.folder,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                said, _ = sweep.communicate(timeout=self.random.uniform(0.1, 0.9) * (1 + kills / 4))
                break
            except subprocess.TimeoutExpired:
                if (store / "labelmix-store.json").exists():
                    self.run("store", "gc", "s", "--delete")
                sweep.send_signal(signal.SIGKILL)
                sweep.communicate()
                kills += 1
        if sweep.returncode != 0 or said != self.answer:
            raise AssertionError(f"after {kills} kills: status {sweep.returncode}, or another answer")
        self.run("store", "gc", "s", "--delete")
        self.same(f"after {kills} kills")
        left = [path for name in PASSING for path in (store / name).glob("*")]
        if left:
            raise AssertionError(f"after {kills} kills: left are {left}")
        return kills


LABELER = """
[labeler]
model = "checkpoint"
train = 300
epochs = 2
"""


class Writers:
    """The commands that write, each with what must be there before it."""

    def __init__(self, trial):
        self.trial, self.folder = trial, trial.folder
        study = (self.folder / "study.toml").read_text()
        without_weak = "\n".join(line for line in study.splitlines() if not line.startswith("weak = \"weak\""))
        (self.folder / "labeler.toml").write_text(without_weak.replace("[prices]", LABELER + "\n[prices]"))
        (self.folder / "labels.csv").write_text(self.labels())
        self.published()
        store, run = ["--store", "ref"], f"ref/{trial.named}"
        self.commands = {
            "report": ["report", "study.toml", *store, "--out", "made/out"],
            "plan": ["plan", "study.toml", *store, "--budget", "40", "--out", "made/out"],
            "predict": ["predict", "--run", run, "--input", "train.jsonl", "--output", "made/out.csv"],
            "label-report": ["label-report", "study.toml", *store, "--out", "made/out"],
            "weak-label": ["weak-label", "labeler.toml", "--store", "made/s", "--out", "made/out.jsonl"],
            "ingest": ["ingest", "study.toml", "--labels", "labels.csv", "--kind", "weak", "--out", "made/out.parquet"],
            "import": ["import", "published", "--out", "made/out"],
            "export": ["export", run, "--out", "made/out"],
            "export --merged": ["export", run, "--merged", "--out", "made/out"],
            "store export": ["store", "export", "ref", "reviews", "--out", "made/out"],
            "store export of records": ["store", "export", "ref", "reviews", "--out", "made/out.jsonl"],
            "store gc": ["store", "gc", "made/s", "--delete"],
            "store verify": ["store", "verify", "made/s", "--set-aside"],
            "sandbox": ["sandbox", "pretrain", "--steps", "3", "--out", "made/out"],
        }
        self.undisturbed = {}

    def labels(self):
        listed = self.trial.run("plan", "study.toml", "--store", "ref", "--budget", "40", "--format", "csv", "--out", "lists")
        ids = [line.split(",")[0] for path in (self.folder / "lists").glob("*.csv") for line in path.read_text().splitlines()[1:]]
        assert ids, f"the plan lists no text to label: {listed.stdout}{listed.stderr}"
        return "labelmix_id,label\n" + "".join(f"{name},1\n" for name in ids)

    def published(self):
        """Runs of the published code, of four test items."""
        for seed in range(40):
            folder = self.folder / f"published/boolq_Tiny/nw=64_no=3_m=Tiny_seq_sft_s{seed}"
            folder.mkdir(parents=True)
            (folder / "config.json").write_text('{"model": {"name": "tiny"}}')
            (folder / "results.json").write_text(json.dumps({
                "auroc": 0.75, "acc": 0.75, "ids": ["b", "a", "c", "d"], "calibrated_logodds": [1.5, -0.25, 0.5, -2.0],
                "gt_soft_labels": [1.0, 0.0, 1.0, 1.0], "weak_soft_labels": [0.9, 0.2, 0.4, 0.3],
                "reporter": {"method": "ModularSftReporter", "num_weak": 64, "num_oracle": 3},
            }))

    def prepare(self, name):
        made = self.folder / "made"
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        if name.startswith("store gc") or name == "store verify":
            shutil.copytree(self.folder / "ref", made / "s")
        if name == "store gc":
            shutil.rmtree(made / "s/runs")
            (made / "s/studies/reviews.json").unlink()
        if name == "store verify":
            for path in sorted((made / "s/stages").glob("*/test_log_odds.json")):
                path.write_text("[]")

    def made(self):
        """What is there, but what says when it was written."""
        files = {path.relative_to(self.folder): path for path in sorted((self.folder / "made").rglob("*")) if path.is_file()}
        return {place: b"" if place.name == "outcome.json" and "labelers" in place.parts else path.read_bytes()
                for place, path in files.items()}

    def tidy(self, name):
        """What follows a command, killed or not."""
        if name == "store verify":
            # What it set aside before it was killed is missing afterwards: what counts is what the next sweep makes of it.
            self.trial.run(*self.trial.sweep, "made/s")
        if name in ("weak-label", "store verify"):
            self.trial.run("store", "gc", "made/s", "--delete")

    def killed(self, name):
        """A command that is killed again and again; how often it was."""
        if name not in self.undisturbed:
            self.prepare(name)
            began = time.monotonic()
            self.trial.run(*self.commands[name])
            length = time.monotonic() - began
            self.tidy(name)
            self.undisturbed[name] = length, self.made()
        length, undisturbed = self.undisturbed[name]
        self.prepare(name)
        kills, ended = 0, False
        while kills < 5 and not ended:
            process = subprocess.Popen([self.trial.labelmix, *self.commands[name]], cwd=self.folder,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                ended = process.wait(timeout=self.trial.random.uniform(0, length)) is not None
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        if not ended:
            done = self.trial.run(*self.commands[name])
            taken = name in ("plan", "ingest", "store export", "store export of records") or name.startswith("export")
            if done.returncode == 1 and not taken:
                raise AssertionError(f"{name} after {kills} kills: {done.stderr}")
        self.tidy(name)
        after = self.made()
        wrong = [str(place) for place in {*after, *undisturbed} if after.get(place) != undisturbed.get(place)]
        if wrong:
            raise AssertionError(f"{name} after {kills} kills: other files: {wrong}")
        return kills


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("labelmix")
    arguments.add_argument("--damages", type=int, default=50)
    arguments.add_argument("--kills", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(given.labelmix, folder, given.seed)
        for number in range(given.damages):
            trial.damaged_sweep() if number % 10 == 9 else trial.damaged_store()
        kills = of_others = 0
        writers = Writers(trial) if given.kills else None
        while kills < given.kills:
            if of_others < kills / 2:
                name = trial.random.choice(list(writers.commands))
                of_others += (killed := writers.killed(name))
                kills += killed
            else:
                kills += trial.killed()
    print(f"{given.damages} damages and {kills} kills: every one was named, mended or without effect")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(str(error))
