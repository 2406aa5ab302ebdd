import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.text.folding import BOUNDARY, fold

any_text = st.text(st.characters(exclude_categories=()), max_size=60)


def folded(text: str) -> str:
    return fold([text]).text()[1:-1]


def test_characters_fold_to_their_plain_form():
    assert folded("ＳＸ①ⓢ語文課") == "sx1s语文课"
    assert folded("㊥㈠⑴") == "中一1"
    assert folded("🈶位") == "有位"


def test_invisible_characters_are_deleted_and_white_space_is_one_kind():
    assert folded("数\u200b学\ufeff课\u202e") == "数学课"
    assert folded("一\t二\n三\u3000四\xa0五") == "一 二 三 四 五"
    assert folded("1️⃣年级") == "1年级"


def test_separators_go_inside_words_only():
    assert folded("数*学 英…语 语··文") == "数学 英语 语文"
    assert folded("价格*500") == "价格*500"
    assert folded("a*b") == "a*b"
    assert folded("课****程") == "课****程"
    assert folded("语文|数学") == "语文|数学"


def test_origins_point_at_the_original_characters():
    text = "数*學\u200b①"
    batch = fold(["前面", text])
    start, stop = batch.starts[1], batch.starts[2] - 1
    assert [text[place] for place in batch.origin[start:stop]] == ["数", "學", "①"]


@given(st.lists(any_text, max_size=6))
def test_nothing_raises_and_places_are_sound(texts):
    batch = fold(texts)
    assert len(batch) == len(texts)
    assert (np.flatnonzero(batch.codes == BOUNDARY) + 1 == batch.starts).all()
    for number, text in enumerate(texts):
        places = batch.origin[batch.starts[number] : batch.starts[number + 1] - 1]
        assert (np.diff(places) > 0).all()
        assert not len(places) or (places[0] >= 0 and places[-1] < len(text))


@given(st.lists(any_text, max_size=6))
def test_folding_twice_changes_nothing_more_and_batches_do_not_matter(texts):
    together = fold(texts)
    whole = together.text()
    apart = [folded(text) for text in texts]
    assert [whole[a : b - 1] for a, b in zip(together.starts[:-1], together.starts[1:], strict=True)] == apart
    assert (fold(texts, origins=False).codes == together.codes).all()
