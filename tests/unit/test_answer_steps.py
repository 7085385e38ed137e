"""What is said to who asks how something is done: all of its steps, in their order, and code as it is written."""

from __future__ import annotations

import pytest

from mesh_core.answers.extractive import extracted
from mesh_core.answers.steps import asks_for_steps
from tests.unit.test_answer_extractive import Near, citation

GLAZING = (
    "1. Sand the foot of the vase.\n2. Wipe off the dust.\n   Use a wet sponge.\n3. Dip the vase for three seconds.\n\n"
    "Glaze on the foot glues the vase to the shelf.\n"
)
POINTS = "- Take the vase with both hands.\n- Wrap the vase in paper.\n- Put it upright into the box.\n"
CODE = (
    "Name the field behind the mount:\n\n```bash\n# only one field\nscope point --mount east --field M31 | tee log\n"
    "scope expose 30\n```\n\nThe shutter opens by itself.\n"
)


def says(question: str, text: str, near: dict[str, float]) -> list[str]:
    return [it.text for it in extracted(question, [citation(text, title="Glazing a vase")], Near(near))]


def test_who_asks_how_is_told_every_step_in_order_whichever_is_nearest() -> None:
    steps = ["Sand the foot of the vase.", "Wipe off the dust. Use a wet sponge.", "Dip the vase for three seconds."]
    found = says("How do I glaze a vase?", GLAZING, {"Dip": 0.9, "Sand": 0.85})
    assert " ".join(found) == " ".join(steps)
    assert " ".join(says("What are the steps of glazing a vase?", GLAZING, {"Wipe": 0.9})) == " ".join(steps)


def test_who_asks_for_one_thing_is_told_the_step_that_says_it() -> None:
    assert says("How long do I dip the vase?", GLAZING, {"Dip": 0.9}) == ["Dip the vase for three seconds."]


def test_points_without_numbers_are_told_together_if_they_are_few() -> None:
    assert len(says("How do I pack a vase?", POINTS, {"Wrap": 0.9})) == 3
    many = POINTS + "".join(f"- Vase {word} has a box of its own.\n" for word in ("Alba", "Bora", "Cora"))
    assert says("How do I pack a vase?", many, {"Wrap": 0.9}) == ["Wrap the vase in paper."]


def test_steps_under_another_heading_are_other_steps() -> None:
    text = POINTS + "\n### Unpacking a vase\n\n- Cut the tape of the vase.\n- Lift the vase out.\n"
    assert says("How do I unpack a vase?", text, {"Cut": 0.9}) == ["Cut the tape of the vase.", "Lift the vase out."]


def test_what_leads_to_steps_is_told_before_them() -> None:
    text = f"Three things bring the vase home:\n\n{POINTS}"
    assert says("How do I pack a vase?", text, {"Wrap": 0.9})[0] == "Three things bring the vase home:"
    assert len(says("How do I pack a vase?", text, {"Three things": 0.9})) == 4


def test_code_is_told_line_by_line_as_it_is_written_behind_what_leads_to_it() -> None:
    lines = ["# only one field", "scope point --mount east --field M31 | tee log", "scope expose 30"]
    told = ["Name the field behind the mount:", *lines]
    assert says("How do I point the mount at a field?", CODE, {"Name": 0.9}) == told
    assert says("How do I point the mount at a field?", CODE, {"scope point": 0.9}) == told
    assert says("Where is the field named?", CODE, {"Name": 0.9}) == told


def test_code_between_steps_belongs_to_them() -> None:
    text = "1. Park the mount:\n\n   ```\n   scope park\n   ```\n\n2. Close the mount's lid.\n"
    told = ["Park the mount:", "scope park", "Close the mount's lid."]
    assert says("How do I put the mount away?", text, {"Close": 0.9}) == told


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("How do I glaze a vase?", True),
        ("The vase is dry. How can we glaze it?", True),
        ("Which steps does glazing have?", True),
        ("how to glaze a vase", True),
        ("How is a vase glazed?", True),
        ("How long do I dip a vase?", False),
        ("How many vases do I get?", False),
        ("What is glaze?", False),
    ],
)
def test_a_question_asks_for_steps_by_its_form(question: str, asks: bool) -> None:
    assert asks_for_steps(question) is asks
