from hypothesis import given
from hypothesis import strategies as st

from classifier.records import Record
from classifier.text.composition import FIELDS, compose, locate

values = st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=8))


def test_only_filled_fields_take_part_title_first():
    text, segments = compose(Record("正文", title="名", price="收费：90"))
    assert text == "名\n正文\n收费：90"
    assert [segment.field for segment in segments] == ["title", "text", "price"]


@given(values, st.integers(0, 40), st.integers(1, 9))
def test_a_place_in_the_whole_is_the_same_words_in_the_field(fields, start, length):
    record = Record(**{"text": ""} | fields)
    whole, segments = compose(record)
    place = locate(segments, start, start + length)
    if place is not None:
        field, first, last = place
        assert getattr(record, field)[first:last] == whole[start : start + last - first]
        assert first < last
