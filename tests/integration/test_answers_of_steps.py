"""How something is done, asked of a workshop's rules and a tool's manual with the bundled model: all steps are told, or none.

Each question has a twin about the same thing whose steps the texts do not give.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.answer_shelf import Shelf, shelf_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUDIO = """# Rules of the pottery

## Glazing a bowl

1. Sand the foot.
2. Wipe off the dust with a wet sponge.
3. Dip the bowl for three seconds.
4. Leave it on the rack overnight.

Bowls without a name are thrown away after a month.

## Wedging clay

- Cut the block in two.
- Slam one half onto the other.
- Turn it and begin again.

## Reserving a wheel

You can reserve a wheel in three ways:

- on the list beside the door
- by telephone before noon
- with the caretaker

## Kiln hours

The kiln is fired on Tuesdays and Fridays. It reaches 1,240 degrees.
"""
TOOL = """# Manual of the observatory

## Pointing the telescope

Name the object behind the mount:

```sh
scope point --mount east M31
```

## Taking dark frames

```sh
scope cover --close
scope expose --dark 300
```

A dark frame is a picture that is taken with the cover closed.

## Parking the dome

1. Stop the tracking:

   ```sh
   scope track off
   ```

2. Close the shutter.
3. Turn the dome to the south.

## Log files

Logs are kept for two years on the tape.
"""
ASKED = {
    "How do I glaze a bowl?": ("Sand the foot.", "Wipe off", "Dip the bowl", "Leave it on the rack"),
    "What are the steps of glazing?": ("Sand the foot.", "Wipe off", "Dip the bowl", "Leave it on the rack"),
    "How is clay wedged?": ("Cut the block", "Slam one half", "Turn it"),
    "How can I reserve a wheel?": ("three ways:", "beside the door", "by telephone", "caretaker"),
    "How do I point the telescope?": ("behind the mount:", "scope point --mount east M31"),
    "How do I take dark frames?": ("scope cover --close", "scope expose --dark 300"),
    "How do we park the dome?": ("Stop the tracking:", "scope track off", "Close the shutter.", "to the south"),
}
TWINS = (
    "How do I sell a bowl?",
    "How do I repair the kiln?",
    "How is clay recycled?",
    "How can I lock a wheel?",
    "How do I balance the telescope?",
    "How do I upload pictures to the archive?",
    "How do we paint the dome?",
    "How long does a bowl stay in the kiln?",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder: Path = tmp_path_factory.mktemp("steps")
    (folder / "studio.md").write_text(STUDIO)
    (folder / "tool.md").write_text(TOOL)
    return shelf_of(folder)


def test_all_steps_are_told_in_their_order_or_nothing(shelf: Shelf) -> None:
    told = {question: shelf.says(question) for question in ASKED}
    places = {question: [told[question].find(step) for step in steps] for question, steps in ASKED.items() if told[question]}
    assert len(places) >= len(ASKED) - 1, told
    assert all(found == sorted(found) and found[0] >= 0 for found in places.values()), told


def test_of_questions_whose_steps_are_not_there_most_are_declined(shelf: Shelf) -> None:
    wrong = {question: text for question in TWINS if (text := shelf.says(question))}
    assert len(wrong) <= 0.25 * len(TWINS), wrong
