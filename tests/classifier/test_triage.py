from classifier.records import Record


def test_a_plain_case_is_automatic(classifier):
    assessment = classifier.assess(
        Record("少儿街舞：律动、地板动作、成品舞排练，期末舞台展演，6-10岁", declared_category="non_subject", source="catalog")
    )
    assert (assessment.category, assessment.triage, assessment.reasons) == ("non_subject", "auto", ())


def test_the_reasons_for_a_person_are_given(classifier):
    mismatch = classifier.assess(Record("初中数学八年级下册同步，一次函数、勾股定理、单元测试讲评", declared_category="non_subject"))
    assert mismatch.declared_mismatch and "contradicts_declaration" in mismatch.reasons
    disguised = classifier.assess("初二数学小班，在我家客厅上课，地址私信，别按门铃，老地方懂的来")
    assert disguised.disguised.verdict and "suspected_disguise" in disguised.reasons
    assert "little_text" in classifier.assess("课").reasons
    assert "borderline_family" in classifier.assess("少儿韩语兴趣班，每周三晚").reasons


def test_declared_rightly_is_no_mismatch(classifier):
    assert not classifier.assess(Record("初中物理八年级同步：浮力、压强例题讲练", declared_category="subject")).declared_mismatch
