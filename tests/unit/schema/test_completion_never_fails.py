"""Completion of any text, cut anywhere: an answer, whose names read back as themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.catalogs import flights, hostile
from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter.schema.catalog import Catalog
from tusk_jupyter.schema.completion import complete

WORDS = (
    "select from where join on using group by order insert into values update set delete returning with as case when "
    "then else end in ( ) , . :: = * ; ' \" [ ] : union not null flights f Order \"Order\" wide cast exists lateral "
    "alter table create view drop conflict do merge partition over filter limit"
)
statements = st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join)
texts = st.one_of(sql_texts, statements, st.sampled_from([one.script for one in TRICKY]))


@given(texts, st.floats(0, 1), st.sampled_from([flights(), hostile(), Catalog()]))
def test_any_text_cut_anywhere_has_an_answer(text, where, catalog):
    cursor = int(where * len(text))
    found = complete(text, cursor, catalog)
    assert 0 <= found.start <= cursor <= found.end <= len(text)
    assert len({item.text for item in found.items}) == len(found.items)
    complete(text[:cursor], cursor, catalog)
