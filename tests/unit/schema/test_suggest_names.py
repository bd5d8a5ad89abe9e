"""Which name was meant: what counts as near, and what only looks so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.schema.suggest_names import CASE, NUMBER, SHORTENED, SLIP, SLIPS, SQUASHED, nearest, nearness, ranked

NEAR = {
    ("firstname", "firstName"): CASE,
    ("größen", "Größen"): CASE,
    ("order_items", "OrderItems"): SQUASHED,
    ("tail_num", "tailnum"): SQUASHED,
    ("first_name", "firstName"): SQUASHED,
    ("wahrung", "währung"): SQUASHED,
    ("airline", "airlines"): NUMBER,
    ("categorys", "categories"): NUMBER,
    ("boxes", "box"): NUMBER,
    ("dep_dely", "dep_delay"): SLIP,
    ("fligths", "flights"): SLIP,
    ("lfights", "flights"): SLIP,
    ("agv", "avg"): SLIP,
    ("sun", "sum"): SLIP,
    ("nam", "name"): SLIP,
    ("summ", "sum"): SLIP,
    ("tect", "text"): SLIP,
    ("publik", "public"): SLIP,
    ("order_no_sq", "order_no_seq"): SLIP,
    ("orderitmes", "order_items"): SLIP,
    ("costumers", "customers"): SLIPS,
    ("manufactorer", "manufacturer"): SLIP,
    ("departure_delay", "dep_delay"): SHORTENED,
    ("qty", "quantity"): SHORTENED,
    ("precipitation", "precip"): SHORTENED,
}
FAR = [
    ("x1", "x2"), ("orders_2022", "orders_2021"), ("flights2", "flights"), ("vl", "v1"), ("enc_c", "enc_a"),
    ("user_s", "Users"), ("delay", "dep_delay"), ("dep_gate", "dep_date"), ("plants", "planes"), ("heather", "weather"),
    ("lanes", "planes"), ("late", "lat"), ("last", "lat"), ("long", "lot"), ("template", "temp"), ("statement", "state"),
    ("country", "count"), ("explain", "exp"), ("test", "text"), ("sin", "sun"), ("ran", "rank"), ("_name", "name"),
    ("name_customer", "customer_name"), ("old_orders", "orders"), ("status", "statu_s"), ("a", "b"), ("", "x"),
    ("name", "name"), ("net_price", "get_price"), ("very", "every"),
    ("  ", ""),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "there"), NEAR, ids=" ".join)
def test_near(typed, there):
    found = nearness(typed, there)
    assert found is not None
    assert found.rank == NEAR[typed, there]


@pytest.mark.parametrize(("typed", "there"), FAR, ids=" ".join)
def test_far(typed, there):
    assert nearness(typed, there) is None


def test_of_two_that_are_equally_near_none_was_meant():
    assert nearest("ar_tme", ["ar_time", "ar_tame"]) is None
    assert nearest("jsonn", ["json", "jsonb"]) is None
    assert nearest("Order", ["order", "ORDER"]) is None


def test_the_nearer_kind_comes_first():
    assert nearest("orders", ["Orders", "order", "oders"]) == "Orders"
    assert nearest("hours", ["hour", "houra"]) == "hour"
    assert [name for _, name in ranked("username", ["user_name", "UserName", "usernam"])] == ["UserName", "user_name", "usernam"]
    assert nearest("username", ["user_name"], at_most=CASE) is None
    assert nearest("username", ["user_name", "usernam"], accept=lambda name: name != "user_name") == "usernam"


def test_many_are_sieved_and_the_answer_is_the_same():
    many = [f"t{number:05}_{word}" for number in range(500) for word in ("orders", "items", "notes", "Users")]
    assert nearest("t00042_ordres", many) == "t00042_orders"
    assert nearest("T00042_users", many) == "t00042_Users"
    assert nearest("t90042_orders", many) is None
    assert nearest("wahrung", [*many, "währung"]) == "währung"
    assert nearest("ümlat", [*many, "ümlaut"]) == "ümlaut"


NAMES = st.text("abemnstyr_Ä1 \n\0\ud800", max_size=20) | st.text(max_size=80)


@given(NAMES, st.lists(NAMES, max_size=12))
def test_it_never_fails_and_never_finds_the_name_itself(name, candidates):
    found = nearest(name, candidates)
    assert found is None or (found in candidates and found != name)


@given(NAMES, st.lists(NAMES, max_size=5))
def test_the_sieve_loses_nothing_that_is_near(name, candidates):
    few = {one for near, one in ranked(name, candidates) if "\n" not in one}
    many = {one for near, one in ranked(name, [*candidates, *(f"zq{n}" for n in range(300))])}
    assert few <= many | {one for one in few if one.startswith("zq")}
