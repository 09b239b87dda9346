"""A study's data, read, cleaned, balanced and drawn from: everything before the model.

A text's id is the beginning of its BLAKE3 hash, which is the one thing taken over from labelmix: it is how its
ledgers and its test sets name examples.
"""

import json
import random
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from blake3 import blake3


@dataclass(frozen=True)
class Example:
    text: str
    gold: int
    weak: float | None

    @property
    def id(self) -> str:
        return blake3(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Labelled:
    """A text with the label that was bought for it: the probability of class 1."""

    text: str
    target: float


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of Mallen & Belrose (2024); a study's table [recipe] replaces some."""

    total_examples: int = 30_000
    learning_rate: float = 5e-4
    batch_size: int = 32
    warmup_steps: int = 40
    validation_fraction: float = 0.2
    evaluate_every: int = 50
    patience: int = 4
    minimum_improvement: float = 0.01
    lora_rank: int = 8
    lora_alpha: float = 8.0
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0

    @classmethod
    def of(cls, table: dict) -> "Recipe":
        if table.get("schedule", "early-stopping") != "early-stopping":
            raise SystemExit(f"the peer knows no schedule {table['schedule']!r}")
        return cls(**{field.name: table[field.name] for field in fields(cls) if field.name in table})


@dataclass(frozen=True)
class Study:
    """What the peer reads of a labelmix study file: texts in JSONL, a checkpoint, prices, a grid, a recipe."""

    train: list[Example]
    test: list[Example]
    model: Path
    allocations: list[tuple[int, int]]
    seeds: list[int]
    recipe: Recipe

    @classmethod
    def read(cls, path: Path, test_ids: list[str] | None = None) -> "Study":
        """The study in a file; its test set is the one with the given ids, or else drawn by the peer."""
        study = tomllib.loads(path.read_text())
        task, grid = study["task"], study["grid"]
        train, test = rows(path.parent / task["train"], task), rows(path.parent / task["test"], task)
        held_out = {example.id for example in test}
        for_sale = [example for example in train if example.weak is not None and example.id not in held_out]
        if test_ids is None:
            test = balanced(test, random.Random("test set"))[: task.get("max_test", 1000)]
        else:
            test = by_ids(test, test_ids)
        return cls(
            train=balanced(for_sale, random.Random("training set")),
            test=test,
            model=path.parent / study["model"]["path"],
            allocations=allocations(grid, **study["prices"]),
            seeds=grid["seeds"],
            recipe=Recipe.of(study.get("recipe", {})),
        )


def rows(path: Path, columns: dict) -> list[Example]:
    """The distinct, non-empty texts of a file with their labels."""
    text, gold, weak = (columns.get(name, name) for name in ("text", "gold", "weak"))
    parsed = (json.loads(line) for line in path.read_text().splitlines())
    examples = (Example(row[text], row[gold], row.get(weak)) for row in parsed if row[text].strip())
    return list({example.text: example for example in reversed(list(examples))}.values())


def by_ids(examples: list[Example], ids: list[str]) -> list[Example]:
    """The examples with the given ids, in their order."""
    places = {example.id: example for example in examples}
    return [places[id_] for id_ in ids]


def balanced(examples: list[Example], draw: random.Random) -> list[Example]:
    """As many examples of either class, alternating, in random order: every even prefix is balanced too."""
    classes = [[example for example in examples if example.gold == gold] for gold in (0, 1)]
    for members in classes:
        draw.shuffle(members)
    return [example for pair in zip(*classes) for example in pair]


def allocations(grid: dict, weak: float = 0.1, gold: float = 1.0) -> list[tuple[int, int]]:
    """The distinct pairs (weak, gold) of a grid: numbers of labels with each other, and what a budget in dollars buys at
    each weak spending fraction."""
    pairs = {(n_weak, n_gold) for n_weak in grid.get("weak_counts", []) for n_gold in grid.get("gold_counts", [])}
    for budget in grid.get("budgets", []):
        for fraction in grid.get("weak_fractions", []):
            # Products and quotients of decimal fractions may miss the whole number that they stand for.
            n_gold = int((1 - fraction) * budget / gold + 1e-9)
            pairs.add((int((budget - n_gold * gold) / weak + 1e-9), n_gold))
    return sorted(pairs - {(0, 0)})


def draw_pools(train: list[Example], n_weak: int, n_gold: int, draw: random.Random) -> tuple[list, list]:
    """Weak and gold labels of disjoint examples, at random. The same `draw` with other counts gives nested pools: gold
    labels come from the front of one permutation, weak ones from its back."""
    if n_weak + n_gold > len(train):
        raise SystemExit(f"{n_weak} weak and {n_gold} gold labels cannot be bought from {len(train)} examples")
    order = draw.sample(train, len(train))
    weak = [Labelled(example.text, example.weak) for example in order[::-1][:n_weak]]
    return weak, [Labelled(example.text, float(example.gold)) for example in order[:n_gold]]


def validation_split(labels: list[Labelled], fraction: float, draw: random.Random) -> tuple[list, list]:
    """Training and validation labels: a fraction of each class, at least two in all, one example of each class left
    to train on. (Stratified, as labelmix has it; the published split is not.)"""
    classes = [[label for label in labels if (label.target >= 0.5) == side] for side in (False, True)]
    wanted = max(2, round(fraction * len(labels)))
    train, validation = [], []
    for members in classes:
        draw.shuffle(members)
        share = min(max(round(wanted * len(members) / len(labels)), 1), max(len(members) - 1, 0))
        validation += members[:share]
        train += members[share:]
    return train, validation
