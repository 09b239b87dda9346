"""The little world of the reviews example: a grammar of short reviews and a keyword heuristic that labels them.

A review has a topic, a narrator, a tense and an opinion (1 good, 0 bad), which all its sentences share.
A sentence says the opinion plainly, by negating its opposite, by conceding something to the other side, by
contradicting what others say, by what the narrator did, or by a fact that is good of one thing and bad of
another. The heuristic only counts opinion words, so it errs where sentences turn their words around.
"""

import math
from dataclasses import dataclass
from random import Random

GOOD = "wonderful great lovely brilliant charming excellent superb pleasant splendid clever perfect elegant".split()
BAD = "awful dull terrible poor sloppy boring clumsy dreadful tedious ugly messy horrible".split()
STRENGTH = ["", "really", "very", "quite", "truly", "simply"]
NOT = ["not", "never", "hardly", "anything but", "far from"]
OTHERS = ["my sister", "my brother", "everyone", "a friend", "the papers", "my neighbour"]

PAST = {"is": "was", "are": "were", "moves": "moved", "stays": "stayed", "takes": "took", "lasts": "lasted"}


@dataclass(frozen=True)
class Topic:
    """What reviews of one kind of thing talk about. `acts` and `facts` hold the bad ones, then the good ones."""

    aspects: list[str]
    settings: list[str]
    acts: tuple[list[str], list[str]]
    facts: tuple[list[str], list[str]]


TOPICS = [
    Topic(
        aspects=["plot", "acting", "music", "ending", "dialogue", "opening scene"],
        settings=["saw it on a monday", "watched it at home", "went to the late show", "took the children along"],
        acts=(
            ["walked out before the end", "slept through the second half", "checked the clock all evening"],
            ["stayed until the lights came on", "watched it again the next day", "told all the others to see it"],
        ),
        facts=(
            ["the story moves slow", "the jokes are old", "the ticket price is high", "the room stays silent at each joke"],
            ["the story moves fast", "the jokes are new", "the tension is high", "the room stays silent at each fright"],
        ),
    ),
    Topic(
        aspects=["soup", "service", "dessert", "bread", "menu", "main course"],
        settings=["ate there in may", "had a table by the door", "came for lunch", "ordered the menu of the day"],
        acts=(
            ["sent the plates back", "left half of it", "ate at home afterwards", "asked for the manager"],
            ["asked for more", "booked a table for next week", "finished every plate", "asked for the recipe"],
        ),
        facts=(
            ["the soup is cold", "the beer is warm", "the wait is long", "the bill is big", "the portions are small"],
            ["the soup is warm", "the beer is cold", "the wine list is long", "the portions are big", "the bill is small"],
        ),
    ),
    Topic(
        aspects=["room", "breakfast", "view", "staff", "garden", "front desk"],
        settings=["stayed two nights", "came by train", "had a room on the third floor", "travelled for work"],
        acts=(
            ["left a day early", "moved to another place", "slept in the car", "wanted the money back"],
            ["stayed a day longer", "booked again for the summer", "slept deep and long", "sent the parents there"],
        ),
        facts=(
            ["the street is loud", "the bed is hard", "the shower is cold", "the stairs are dark", "the beach is far"],
            ["the street is quiet", "the bed is soft", "the shower is hot", "the stairs are light", "the beach is near"],
        ),
    ),
    Topic(
        aspects=["screen", "camera", "speaker", "battery", "keyboard", "user manual"],
        settings=["bought it in march", "bought it on a trip", "got it as a present", "ordered the blue one"],
        acts=(
            ["returned it after a week", "went back to the old one", "threw it in a drawer", "called the help line twice"],
            ["bought a second one", "gave the old one away", "took it everywhere", "ordered one for the parents"],
        ),
        facts=(
            ["the charging takes long", "the volume is low", "the start is slow", "the weight is high", "the fan is loud"],
            ["the battery lasts long", "the weight is low", "the start is fast", "the volume is high", "the fan is quiet"],
        ),
    ),
]


@dataclass(frozen=True)
class Review:
    text: str
    gold: int


def phrase(random: Random, opinion: int) -> str:
    words = random.sample(GOOD if opinion else BAD, random.choice([1, 1, 2]))
    return f"{random.choice(STRENGTH)} {' and '.join(words)}".strip()


def denial(random: Random, opinion: int) -> str:
    return f"{random.choice(NOT)} {random.choice(BAD if opinion else GOOD)}"


def sentence(random: Random, topic: Topic, narrator: str, verb: str, opinion: int) -> str:
    """One sentence that, read to its end, holds the opinion."""
    one, other = (f"the {aspect} {verb}" for aspect in random.sample(topic.aspects, 2))
    say = "says" if verb == "is" else "said"
    match random.choices(
        ["plain", "negated", "concession", "contradiction", "act", "fact"], weights=[60, 14, 9, 5, 6, 6]
    )[0]:
        case "plain":
            return f"{one} {phrase(random, opinion)}"
        case "negated":
            return f"{one} {denial(random, opinion)}"
        case "concession":
            against = f"{one} {phrase(random, 1 - opinion)}"
            for_it = f"{other} {random.choice([phrase, denial])(random, opinion)}"
            return random.choice(
                [f"{against} but all in all {for_it}", f"although {against} , {for_it}", f"{for_it} even if {against}"]
            )
        case "contradiction":
            whom = random.choice(OTHERS)
            if random.random() < 0.5:
                return f"{whom} {say} {one} {phrase(random, 1 - opinion)} , {narrator} disagree"
            return f"{narrator} expected worse" if opinion else f"{narrator} expected better"
        case "act":
            return f"{narrator} {random.choice(topic.acts[opinion])}"
        case _:
            fact = random.choice(topic.facts[opinion])
            return fact if verb == "is" else " ".join(PAST.get(word, word) for word in fact.split())


def review(random: Random, lengths: tuple[int, ...] = (2, 2, 3)) -> Review:
    """A review of some sentences that hold the opinion, and at times one of setting that says nothing."""
    opinion = random.randint(0, 1)
    topic = random.choice(TOPICS)
    narrator, verb = random.choice(["i", "we"]), random.choice(["is", "was"])
    end = random.choice([".", ".", "!"])
    sentences = [sentence(random, topic, narrator, verb, opinion) for _ in range(random.choice(lengths))]
    if random.random() < 0.5:
        sentences.insert(random.randint(0, len(sentences)), f"{narrator} {random.choice(topic.settings)}")
    return Review(" ".join(f"{words} {end}" for words in sentences), opinion)


def weak_label(text: str) -> float:
    """The keyword heuristic's probability that a review is good: opinion words counted, nothing understood."""
    words = text.split()
    opinions = [1 if word in GOOD else -1 for word in words if word in GOOD or word in BAD]
    score = sum(opinions) + (0.5 * opinions[0] if opinions else 0.0)
    return round(1 / (1 + math.exp(-score)), 3)


def vocabulary() -> list[str]:
    """Every word that a review can hold."""
    random = Random(0)
    return sorted({word for _ in range(50_000) for word in review(random).text.split()})
