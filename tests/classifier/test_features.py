import numpy as np

from classifier.engines.features import HASH_BITS, ORDERS, find_ngrams, hash_ngrams
from classifier.text import fold


def test_no_ngram_reaches_across_texts():
    together, apart = fold(["数学课", "钢琴"]), fold(["钢琴"])
    hashed = hash_ngrams(together.codes)
    alone = hash_ngrams(apart.codes)
    assert (hashed[-len(alone) : -1] == alone[:-1]).all()
    assert hashed.shape == (len(together.codes), ORDERS) and hashed.max() < 1 << HASH_BITS


def test_counts_belong_to_their_text():
    batch = fold(["数数学", "", "学"])
    index = np.full(1 << HASH_BITS, -1, dtype=np.int32)
    index[hash_ngrams(fold(["数"]).codes)[1, 0]] = 0
    index[hash_ngrams(fold(["学"]).codes)[1, 0]] = 1
    ngrams = find_ngrams(batch, index)
    assert ngrams.matrix(2).toarray().tolist() == [[2, 1], [0, 0], [0, 1]]
