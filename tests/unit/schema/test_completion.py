"""What is offered at the cursor, ``|`` in these texts: the first items, and what must and must not be among them."""

from __future__ import annotations

import pytest

from tests.catalogs import flights
from tusk_jupyter.schema.completion import complete

FLIGHTS = [
    # text, first items
    ("|", "select · with · insert into · update · delete from"),
    ("sel|", "select"),
    ("SEL|", "SELECT"),
    ("select d| from flights", "day · dep_time · dep_delay · dest · distance"),
    ("select * from fl|", "flights"),
    ("select * from flights |", "where · join · left join · inner join · group by · order by · limit"),
    ("select * from flights f join airlines a |", "on a.carrier = f.carrier · on · using ("),
    ("select * from flights f join airlines a on |", "a.carrier = f.carrier · year"),
    ("select f.| from flights f", "year · month · day"),
    ("select * from planes where type = |", "'Rotorcraft' · 'Fixed wing single engine' · 'Fixed wing multi engine'"),
    ("select a::tim|", "timestamp · timestamptz · time"),
    ("insert into airlines (carrier, |", "name"),
]


def texts(marked, catalog, **names):
    cursor = marked.index("|")
    return [item.text for item in complete(marked.replace("|", "", 1), cursor, catalog, **names).items]


@pytest.mark.parametrize(("marked", "first"), FLIGHTS)
def test_first_items(marked, first):
    wanted = first.split(" · ")
    assert texts(marked, flights())[: len(wanted)] == wanted
