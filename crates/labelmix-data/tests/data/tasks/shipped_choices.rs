//! The multiple choices of the library on rows in the layout of their datasets on the Hub.

use insta::assert_snapshot;

use super::shipped::rendered;

#[test]
fn cosmos_qa() {
    assert_snapshot!(rendered("cosmos_qa"), @r"
    [0] I locked the door 2 times and went to bed .

    Question: Why did I lock the door ?
    Proposed answer: To go out .
    [0] I locked the door 3 times and went to bed .

    Question: Why did I lock the door ?
    Proposed answer: To go out .
    [0] I locked the door 4 times and went to bed .

    Question: Why did I lock the door ?
    Proposed answer: To go out .
    [1] I locked the door 0 times and went to bed .

    Question: Why did I lock the door ?
    Proposed answer: To feel safe .
    [1] I locked the door 1 times and went to bed .

    Question: Why did I lock the door ?
    Proposed answer: To feel safe .
    ");
}

#[test]
fn dream() {
    assert_snapshot!(rendered("dream"), @r"
    [0] M: Shall we walk?
    W: No, it is raining. Let us take the bus.

    Question: How will they go on day 2?
    Proposed answer: By car.
    [1] M: Shall we walk?
    W: No, it is raining. Let us take the bus.

    Question: How will they go on day 0?
    Proposed answer: By bus.
    [1] M: Shall we walk?
    W: No, it is raining. Let us take the bus.

    Question: How will they go on day 1?
    Proposed answer: By bus.
    ");
}

#[test]
fn hellaswag() {
    assert_snapshot!(rendered("hellaswag"), @r"
    [0] A man fills bucket 1 with water. he

    Proposed ending: drinks the soap.
    [0] A man fills bucket 2 with water. he

    Proposed ending: paints the moon.
    [1] A man fills bucket 0 with water. he

    Proposed ending: washes car 0.
    ");
}

#[test]
fn mmlu() {
    assert_snapshot!(rendered("mmlu"), @r"
    [0] A question of the subject elementary mathematics.

    Question: What is 2 + 2?
    Proposed answer: 9
    [0] A question of the subject elementary mathematics.

    Question: What is 3 + 3?
    Proposed answer: 1
    [0] A question of the subject elementary mathematics.

    Question: What is 4 + 4?
    Proposed answer: 9
    [1] A question of the subject elementary mathematics.

    Question: What is 5 + 5?
    Proposed answer: 10
    ");
}

#[test]
fn openbookqa() {
    assert_snapshot!(rendered("openbookqa"), @r"
    [0] Question: Sun number 5 is the source of
    Proposed answer: puppies
    [1] Question: Sun number 2 is the source of
    Proposed answer: shadows of trees
    [1] Question: Sun number 3 is the source of
    Proposed answer: shadows of trees
    [1] Question: Sun number 4 is the source of
    Proposed answer: shadows of trees
    ");
}

#[test]
fn piqa() {
    assert_snapshot!(rendered("piqa"), @r"
    [0] Aim: Open jar 6.
    Proposed way: Turn the bottom of the lake.
    [1] Aim: Open jar 2.
    Proposed way: Turn the lid.
    [1] Aim: Open jar 3.
    Proposed way: Turn the bottom of the lake.
    [1] Aim: Open jar 4.
    Proposed way: Turn the lid.
    [1] Aim: Open jar 5.
    Proposed way: Turn the bottom of the lake.
    ");
}

#[test]
fn quail() {
    assert_snapshot!(rendered("quail"), @r"
    [0] Ann took the early train to see her brother.

    Question: Whom did Ann see on day 0?
    Proposed answer: not enough information
    [0] Ann took the early train to see her brother.

    Question: Whom did Ann see on day 2?
    Proposed answer: not enough information
    [1] Ann took the early train to see her brother.

    Question: Whom did Ann see on day 1?
    Proposed answer: her brother
    ");
}

#[test]
fn quartz() {
    assert_snapshot!(rendered("quartz"), @r"
    [0] Ice melts faster when it is warmer.

    Question: In tank 2, if the heat rises, the ice melts
    Proposed answer: slower
    [1] Ice melts faster when it is warmer.

    Question: In tank 0, if the heat rises, the ice melts
    Proposed answer: faster
    [1] Ice melts faster when it is warmer.

    Question: In tank 1, if the heat rises, the ice melts
    Proposed answer: faster
    ");
}

#[test]
fn sciq() {
    assert_snapshot!(rendered("sciq"), @r"
    [0] Question: What gas number 0 do plants take in?
    Proposed answer: neon
    [0] Question: What gas number 1 do plants take in?
    Proposed answer: argon
    [0] Question: What gas number 2 do plants take in?
    Proposed answer: argon
    [1] Question: What gas number 3 do plants take in?
    Proposed answer: carbon dioxide
    ");
}

#[test]
fn sciq_with_support() {
    assert_snapshot!(rendered("sciq-with-support"), @r"
    [0] Plants take in carbon dioxide.

    Question: What gas number 0 do plants take in?
    Proposed answer: neon
    [0] Question: What gas number 1 do plants take in?
    Proposed answer: argon
    [0] Plants breathe.

    Question: What gas number 2 do plants take in?
    Proposed answer: argon
    [1] Leaves have pores.

    Question: What gas number 3 do plants take in?
    Proposed answer: carbon dioxide
    ");
}

#[test]
fn social_i_qa() {
    assert_snapshot!(rendered("social_i_qa"), @r"
    [0] Robin lent Sam 2 umbrellas.

    Question: How would Sam feel?
    Proposed answer: angry
    [1] Robin lent Sam 1 umbrellas.

    Question: How would Sam feel?
    Proposed answer: grateful
    [1] Robin lent Sam 3 umbrellas.

    Question: How would Sam feel?
    Proposed answer: grateful
    ");
}
