"""Gives labelmix the extremes of every key of a study file and of every field of config.json, and looks what becomes of them.

    python3 .ci/extremes.py LABELMIX [--tries 300] [--seed 0]

Each try sets one key, or two, in a small study (`sweep --dry-run`; what is accepted is swept, one stage) or in the config.json of a
checkpoint (`inspect`). Labelmix may refuse or do it. It may not panic, die of a signal, say NaN, take 2 GB, or go on for ten seconds
without ending when it is interrupted.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHOLE = ["0", "-1", "1", "2", "1000000000", "4294967296", "9223372036854775807", "9223372036854775808"]
REAL = ["0.0", "-1.0", "0.5", "1.0", "1e9", "nan", "inf", "1e300", "1e-300", "-1e300"]
OTHERS = ['""', '"x"', '"a/../../b"', "true", "[]", "[0]", "[-1, 1e300]", "{}", '{ weak = -1 }', '""' + '"' + "x" * 20000 + '""' + '"']
BASE = {
    "": {"name": '"extremes"'},
    "[task]": {"train": '"train.jsonl"', "test": '"test.jsonl"', "text": '"text"', "gold": '"gold"', "weak": '"weak"', "max_test": "50"},
    "[model]": {"path": '"checkpoint"'},
    "[prices]": {"weak": "0.1", "gold": "1.0"},
    "[grid]": {"budgets": "[8]", "weak_fractions": "[0.0]", "seeds": "[0]"},
    "[recipe]": {"total_examples": "64"},
}
# A method that reads the tables and options below.
METHODS = {
    "[prompt]": '[[methods]]\nname = "few-shot"\n',
    "[labeler]": '[[methods]]\nname = "seq-sft"\n',
}
# Fields that a configuration may have beside those of the fixtures.
FIELDS = ["rope_theta", "rope_parameters", "rope_scaling", "sliding_window", "layer_types", "quantization_config", "id2label",
          "num_labels", "head_dim", "torch_dtype", "model_type", "architectures", "attention_bias", "max_window_layers"]
FIXTURES = ROOT / "crates/labelmix-models/tests/fixtures"


class Extremes:
    def __init__(self, labelmix, folder, seed):
        self.labelmix, self.folder, self.random = Path(labelmix).resolve(), Path(folder), random.Random(seed)
        shutil.copytree(ROOT / "examples/reviews", self.folder, dirs_exist_ok=True)
        (self.folder / "few.jsonl").write_text('{"text": "A fine lamp."}\n')
        with open(ROOT / "crates/labelmix-study/src/study/reference/keys.toml", "rb") as file:
            tables = tomllib.load(file)["tables"]
        self.keys = [(table["heading"], key["name"], key["example"]) for table in tables for key in table["keys"]]
        methods = json.loads(subprocess.run([self.labelmix, "methods", "--json"], capture_output=True, check=True).stdout)
        self.options = [(method["name"], option["name"]) for method in methods for option in method["options"]]
        self.methods = [method["name"] for method in methods]
        self.fixtures = sorted(path.parent for path in FIXTURES.glob("*/config.json"))
        self.accepted = 0

    def run(self, *arguments):
        """Runs labelmix, and says what is wrong with its end; otherwise its status and what it says."""
        process = subprocess.Popen([self.labelmix, *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace",
                                   env={**os.environ, "HF_HUB_OFFLINE": "1"})
        interrupt = threading.Timer(10, process.send_signal, [signal.SIGINT])
        kill = threading.Timer(20, process.kill)
        for timer in (interrupt, kill):
            timer.start()
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        said = process.stdout.read()
        reader.join()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for timer in (interrupt, kill):
            timer.cancel()
        wrong = None
        if process.returncode not in (0, 1, 3, 4):
            wrong = f"status {process.returncode}"
        elif process.returncode == 4 and "--dry-run" in arguments:
            wrong = "ten seconds"
        elif used.ru_maxrss > 2 << 20:
            wrong = f"{used.ru_maxrss >> 10} MiB"
        elif process.returncode == 0 and any(word in said for word in (": NaN", "NaN,", "inf,", '"accuracy_mean": null')):
            wrong = "no number in the answer"
        elif process.returncode == 1 and len(errors[0]) < 20:
            wrong = "no reason is given"
        return wrong, process.returncode, said, errors[0]

    def study(self, settings):
        tables = {heading: dict(keys) for heading, keys in BASE.items()}
        method = ""
        for heading, key, value in settings:
            if heading.startswith("method "):
                method = f'[[methods]]\nname = "{heading[7:]}"\n{key} = {value}\n'
            elif heading == "[[methods]]":
                method = f'[[methods]]\nname = "seq-sft"\n{key} = {value}\n'
            else:
                tables.setdefault(heading, {})[key] = value
                method = method or METHODS.get(heading, "")
        if any(key in ("name", "file") and heading == "[task]" for heading, key, _ in settings):
            for key in ("train", "test", "text", "gold", "weak"):
                tables["[task]"].pop(key, None)
        if any(heading == "[labeler]" for heading, *_ in settings):
            tables["[task]"].pop("weak", None)
            tables["[labeler]"] = {"model": '"checkpoint"', "train": "200", "epochs": "1", **tables["[labeler]"]}
        text = "".join(f"{heading}\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for heading, keys in tables.items())
        return text + (method or '[[methods]]\nname = "seq-sft"\n')

    def try_study(self, settings):
        (self.folder / "study.toml").write_text(self.study(settings))
        wrong, status, _, errors = self.run("sweep", "study.toml", "--dry-run", "--store", "s")
        if wrong or status != 0:
            return wrong, errors
        self.accepted += 1
        shutil.rmtree(self.folder / "s", ignore_errors=True)
        wrong, _, said, errors = self.run("sweep", "study.toml", "--json", "--store", "s")
        return wrong, errors + said[:2000]

    def try_config(self, fixture, settings):
        checkpoint = self.folder / "other"
        shutil.rmtree(checkpoint, ignore_errors=True)
        shutil.copytree(fixture, checkpoint)
        if not (checkpoint / "tokenizer.json").exists():
            shutil.copy(self.folder / "checkpoint/tokenizer.json", checkpoint)
        config = json.loads((checkpoint / "config.json").read_text())
        texts = {key: json.dumps(value) for key, value in config.items()} | dict(settings)
        text = ", ".join(f'"{key}": {value}' for key, value in texts.items())
        (checkpoint / "config.json").write_text(f"{{{text}}}")
        wrong, _, said, errors = self.run("inspect", "other", "--texts", "few.jsonl", "--json")
        return wrong, errors + said[:2000]

    def some(self):
        """A try: what it is in words, and what to call."""
        pick = self.random.choice

        def value(example=None):
            if self.random.random() < 0.75 and example is not None:
                kind = tomllib.loads(f"x = {example}")["x"]
                if isinstance(kind, list) and kind:
                    items = [value(json.dumps(kind[0])) for _ in range(pick([1, 1, 2]))]
                    return "[" + ", ".join(items) + "]"
                return pick(WHOLE if isinstance(kind, int) else WHOLE + REAL if isinstance(kind, float) else OTHERS + [example])
            return pick(WHOLE + REAL + OTHERS)
        if self.random.random() < 0.25:
            fixture = pick(self.fixtures)
            keys = [*json.loads((fixture / "config.json").read_text()), *FIELDS]
            as_json = {"nan": "NaN", "inf": "1e999", "{ weak = -1 }": '{"factor": -1}'}
            settings = []
            for key in self.random.sample(keys, pick([1, 1, 2])):
                chosen = value("1" if "size" in key or key.startswith("num") else None)
                settings.append((key, as_json.get(chosen, "null" if '""' + '"' in chosen else chosen)))
            return f"{fixture.name}: {settings}", lambda: self.try_config(fixture, settings)
        settings = []
        for _ in range(pick([1, 1, 1, 2])):
            if self.random.random() < 0.2:
                method, option = pick(self.options)
                if self.random.random() < 0.3:
                    stage = pick(["loss", "trains", "epochs", "learning_rate", "carry_optimizer", "weight", "balance"])
                    settings.append((f"method {method}", option, f"{{ {stage} = {value('0.5')} }}"))
                else:
                    settings.append((f"method {method}", option, value(pick(["1", "0.5"]))))
            else:
                heading, key, example = pick(self.keys)
                settings.append((heading, key, value(example)))
        return str([(heading, key, chosen[:40]) for heading, key, chosen in settings]), lambda: self.try_study(settings)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("labelmix")
    arguments.add_argument("--tries", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        extremes = Extremes(given.labelmix, folder, given.seed)
        for _ in range(given.tries):
            words, attempt = extremes.some()
            wrong, said = attempt()
            if wrong:
                failures += 1
                print(f"{words}: {wrong}\n{said[-1500:]}", flush=True)
    print(f"{given.tries} tries, {extremes.accepted} studies accepted and swept: {failures} wrong")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
