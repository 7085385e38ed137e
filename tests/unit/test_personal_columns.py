"""Personal data in columns: found in generated people of many countries, in no column of two real data sets without people."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from faker import Faker

from domain_sdk.pii import ColumnFinding, RowSample, find_personal_columns
from tests.integration.flights_data import PORTS, source_frame

TPCH = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
COUNTRIES = ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL", "sv_SE", "ja_JP", "ru_RU")
ROWS = 60


def found(values: list[object], name: str, *within: str) -> dict[str, bool]:
    findings = find_personal_columns(pl.DataFrame({name: values}), within=within)
    assert all(it.matched <= it.sampled == len(values) for it in findings)
    return {it.tag: it.is_certain for it in findings}


@pytest.fixture(params=COUNTRIES)
def people(request: pytest.FixtureRequest) -> Faker:
    made = Faker(request.param)
    made.seed_instance(7)
    return made


def test_what_proves_itself_is_certain_whatever_the_column_is_called(people: Faker) -> None:
    assert found([people.email() for _ in range(ROWS)], "c17") == {"pii.email": True}
    assert found([people.credit_card_number() for _ in range(ROWS)], "c17") == {"pii.card": True}


def test_values_and_name_together_are_certain(people: Faker) -> None:
    assert found([people.phone_number() for _ in range(ROWS)], "phone") == {"pii.phone": True}
    assert found([people.date_of_birth() for _ in range(ROWS)], "birth_date") == {"pii.birth_date": True}
    assert found([people.date_of_birth().isoformat() for _ in range(ROWS)], "DateOfBirth") == {"pii.birth_date": True}


def test_telephone_numbers_in_whole_numbers_are_known_by_the_columns_name() -> None:
    numbers = [int(f"4930{10_000_000 + 7919 * it}") for it in range(ROWS)]
    assert found(numbers, "phone") == {"pii.phone": True}
    assert found(numbers, "order_no") == {}


def test_names_and_addresses_are_proposed_and_never_certain(people: Faker) -> None:
    assert found([people.last_name() for _ in range(ROWS)], "LastName") == {"pii.name": False}
    assert found([people.name() for _ in range(ROWS)], "name", "customers") == {"pii.name": False}
    assert found([people.address() for _ in range(ROWS)], "home_address").get("pii.address") is False


def test_numbers_of_a_country_are_found_by_their_check_digits() -> None:
    pytest.importorskip("presidio_analyzer")
    polish, spanish = Faker("pl_PL"), Faker("es_ES")
    assert found([polish.pesel() for _ in range(ROWS)], "pesel") == {"pii.national_id": True}
    assert found([spanish.nif() for _ in range(ROWS)], "nif") == {"pii.national_id": True}


def test_a_few_addresses_among_remarks_are_proposed() -> None:
    remarks = [f"Called back, all is well ({n})." for n in range(99)]
    assert found([*remarks, "Ask ada@example.org."], "remarks") == {"pii.email": False}


def test_nested_values_are_searched() -> None:
    values = [{"who": {"mail": f"p{n}@example.org"}, "n": n} for n in range(5)]
    assert found(values, "payload") == {"pii.email": True}
    assert found([[f"p{n}@example.org"] for n in range(5)], "list") == {"pii.email": True}


def test_card_numbers_kept_as_integers_are_found() -> None:
    assert found([4111111111111111, 5555555555554444, 4012888888881881, 4222222222222, 6011111111111117] * 2, "n") == {
        "pii.card": True
    }


def test_one_row_is_enough_for_an_address_and_not_for_a_card() -> None:
    assert found(["ada@example.org"], "c") == {"pii.email": True}
    assert found(["4111111111111111"], "c") == {}


@pytest.mark.parametrize("name", ["email_sent", "has_email", "email_count", "phone_type", "name_length"])
def test_a_word_about_personal_data_is_not_personal_data(name: str) -> None:
    assert found(["yes", "no", "home"], name) == {}


NEUTRAL = Faker()
NEUTRAL.seed_instance(1)
DICE = random.Random(1)
HARMLESS = {
    "id": [DICE.randrange(10**15, 10**16) for _ in range(200)],
    "order_no": [str(DICE.randrange(10**11, 10**12)) for _ in range(200)],
    "uuid": [NEUTRAL.uuid4() for _ in range(200)],
    "ean": [NEUTRAL.ean13() for _ in range(200)],
    "isbn": [NEUTRAL.isbn10() for _ in range(200)],
    "time": [NEUTRAL.iso8601() for _ in range(200)],
    "company_name": [NEUTRAL.company() for _ in range(200)],
    "product_name": [NEUTRAL.catch_phrase() for _ in range(200)],
    "sku": [NEUTRAL.bothify("??##-####-##") for _ in range(200)],
    "latitude": [str(NEUTRAL.latitude()) for _ in range(200)],
    "sha1": [NEUTRAL.sha1() for _ in range(200)],
    "epoch_milliseconds": [1_700_000_000_000 + n * 997 for n in range(200)],
    "text": [NEUTRAL.text() for _ in range(200)],
    "version": [f"{n}.{n % 7}.{n % 3}" for n in range(200)],
    "delivery_date": [date(2024, 1, 1 + n % 28) for n in range(200)],
}


@pytest.mark.parametrize("name", HARMLESS)
def test_numbers_and_words_of_other_kinds_are_left_alone(name: str) -> None:
    assert found(HARMLESS[name], name, "shop", "orders") == {}


def of_the_whole(frame: pl.DataFrame, *within: str) -> tuple[ColumnFinding, ...]:
    sample = RowSample()
    sample.observe(frame)
    return find_personal_columns(sample.rows(), within=within)


@pytest.mark.parametrize("name", PORTS)
def test_nothing_is_found_in_real_flights(name: str) -> None:
    assert of_the_whole(source_frame(name), "aviation", "flights", name) == ()


@pytest.fixture(scope="module")
def tpch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tpch")
    command = [Path(sys.executable).with_name("tpchgen-cli"), "parquet", "-s", "0.02", "--output-dir", folder, "--no-progress"]
    subprocess.run(command, check=True)
    return folder


@pytest.mark.parametrize("name", TPCH)
def test_nothing_is_found_in_tpch(tpch: Path, name: str) -> None:
    assert of_the_whole(pl.read_parquet(tpch / f"{name}.parquet"), "tpch", name) == ()


def test_the_sample_is_bounded_and_spread_over_the_whole_stream() -> None:
    sample = RowSample()
    for start in range(0, 3_000_000, 65_536):
        sample.observe(pl.DataFrame({"n": range(start, start + 65_536)}))
    rows = sample.rows()["n"]
    assert 1000 < len(rows) <= 4096
    assert min(rows) < 100_000
    assert max(rows) > 2_700_000
