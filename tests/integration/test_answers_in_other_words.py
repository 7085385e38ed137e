"""Questions in other words than the documents', with the bundled model: answered from the right passage, and else declined.

Half of them have no answer there, most of these about things that the documents do speak of. None was used to set a weight: what
is required is what the bundled model gives, which is a third of them, and hardly ever a wrong sentence.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.answer_shelf import Shelf, shelf_of
from tests.integration.ask_mesh import DOCUMENTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FERRY = """# Ferry handbook

## Lost tickets
Passengers who lose their ticket get a replacement at the counter for five euro if they show a passport.

## Cancelled crossings
If a crossing is cancelled because of the weather, the fare is returned in full or the passenger takes the next boat. Hotels are
not paid for.

## Animals
Dogs travel on the open deck and wear a muzzle. Cats stay in a closed basket. Horses need a place on the car deck, booked three
days ahead.

## Vehicles
Drivers switch off the engine and leave the car deck before departure. Electric cars are charged free of charge during the
crossing.

## Crew rest
Sailors rest at least ten hours in every day at sea. A captain who is ill is replaced by the first officer.

## Lost property
Things that were left on board are kept in Skagen for 60 days and then given to charity.

## Complaints
Complaints are sent in writing to the passenger office, which replies within three weeks.
"""
ANSWERED = {
    "A buyer wants to send the goods back. How much time is there?": "30 days of delivery",
    "The parcel was damaged when it got here. Who pays for sending it back?": "we pay for the return",
    "How soon does the buyer have the money again?": "five working days",
    "Can somebody give back software that has been opened?": "Opened software",
    "By when do I have to file my expenses?": "60 days",
    "How much may my team lead sign off?": "2,000 euro",
    "From which sum on do you want to see a receipt?": "15 euro",
    "Should I fly or take the train?": "Trains come before planes",
    "Can I get money up front for a long journey?": "An advance",
    "When does a customer have to pay the bill?": "30 days after their date",
    "Is there a rebate if they pay early?": "two percent",
    "A client wants all his data erased. How long do we have?": "forgotten within 30 days",
    "I can't find my ticket any more. What do I have to pay?": "five euro",
    "The boat didn't sail because of a storm. Do I get my money back?": "returned in full",
    "Can my puppy come along?": "Dogs travel",
    "Do I have to get out of my car during the trip?": "leave the car deck",
    "Can I load my electric vehicle on the way?": "charged free of charge",
    "How much sleep do seamen get?": "ten hours",
    "The captain has fallen sick. Who takes over?": "first officer",
    "I forgot my umbrella on the ship. How long do you keep it?": "60 days",
}
DECLINED = (
    "How long may a supplier return an order?",
    "What does it cost to send a gift card?",
    "How many days of leave do I get?",
    "Who signs contracts with suppliers?",
    "What is the daily allowance in Norway?",
    "Which airline does the travel desk use?",
    "How much is the penalty for a late invoice?",
    "Do contractors get an advance?",
    "Where are receipts archived?",
    "Who is the head of the board?",
    "How many people live in Oslo?",
    "What is the telephone number of the travel desk?",
    "How much does a cabin cost?",
    "How many lifeboats are there?",
    "When does the first boat leave on Sundays?",
    "How old must a sailor be?",
    "Is there a restaurant on board?",
    "How fast does the ferry go?",
    "Can I get married on board?",
    "What do children pay?",
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder: Path = tmp_path_factory.mktemp("ferry")
    (folder / "ferry.md").write_text(FERRY)
    return shelf_of(DOCUMENTS, folder)


def test_a_third_of_the_questions_are_answered_and_nearly_all_of_these_rightly(shelf: Shelf) -> None:
    told = {question: shelf.says(question) for question in ANSWERED}
    answered = {question: text for question, text in told.items() if text}
    wrong = {question: text for question, text in answered.items() if ANSWERED[question] not in text}
    assert len(answered) >= 0.3 * len(ANSWERED)
    assert len(wrong) <= 0.2 * len(answered), wrong


def test_nearly_all_questions_without_an_answer_are_declined(shelf: Shelf) -> None:
    wrong = {question: text for question in DECLINED if (text := shelf.says(question))}
    assert len(wrong) <= 0.1 * len(DECLINED), wrong
