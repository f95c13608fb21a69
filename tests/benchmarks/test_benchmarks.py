"""The benchmarks run, and what they prove besides times holds: nothing acknowledged is lost, no phone makes two leads."""

import subprocess
import sys
from pathlib import Path

import phonenumbers
import pytest

from benchmarks.enquiries import phone, request

ROOT = Path(__file__).parents[2]


def test_every_enquiry_has_a_valid_phone_of_its_own() -> None:
    phones = [phone(number) for number in range(0, 300_000_000, 299_993)]

    assert len(set(phones)) == len(phones)
    assert all(phonenumbers.is_valid_number(phonenumbers.parse(one, "IN")) for one in phones)


def test_a_request_announces_the_length_of_its_body() -> None:
    head, _, body = request("127.0.0.1", "/door", "secret", 7).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_hub_under_load_stores_all_that_it_acknowledged_and_no_lead_twice() -> None:
    done = _bench("door", "--quick")

    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "WRONG "))]
    assert len([line for line in verdicts if "hub:" in line]) == 4, done.stdout + done.stderr
    assert not [line for line in verdicts if line.startswith("WRONG")], done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.slow
def test_the_hot_path_can_be_measured_without_http() -> None:
    done = _bench("hot-path", "--quick")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "verify" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_pulling_at_speed_loses_no_lead_and_keeps_the_limit_of_every_key() -> None:
    done = _bench("pull", "--quick")

    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "WRONG "))]
    assert len(verdicts) == 4, done.stdout + done.stderr
    assert not [line for line in verdicts if line.startswith("WRONG")], done.stdout + done.stderr
    assert "6 of 6 connectors" in done.stdout
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_lead_that_was_announced_is_fetched_once() -> None:
    done = _bench("resolve", "--quick")

    verdicts = [line for line in done.stdout.splitlines() if line.startswith(("ok ", "WRONG "))]
    assert len(verdicts) == 4, done.stdout + done.stderr
    assert not [line for line in verdicts if line.startswith("WRONG")], done.stdout + done.stderr
    assert done.returncode == 0


def test_an_unknown_suite_is_refused_by_name() -> None:
    done = _bench("dor")

    assert done.returncode == 2
    assert "dor" in done.stderr


def _bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
