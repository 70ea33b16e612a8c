"""From answers to what may be said: through `summary`, `table`, `preregister`, and what a folder keeps of it."""

import csv
import io
import json
import math
import re

import pandas as pd
import pytest

from kling_nb.compare.stats import percent
from kling_nb.errors import InvalidRequest

QUESTION = "Which one is better?"


def test_a_clear_preference_is_said_with_what_stands_behind_it(study, rater):
    made = study()
    for seed in range(4):
        rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.95, seed)
    summary = made.summary()
    (result,) = summary.results
    assert (result.criterion, result.kind, result.units, result.raters, result.answers) == (
        "quality",
        "pairs",
        12,
        4,
        48,
    )
    (contrast,) = result.contrasts
    assert contrast.rates.preference.high < 0.5
    assert contrast.test.p < 0.01
    assert result.values["2"].value == pytest.approx(1 - result.values["1"].value)
    assert summary.sentences[0].startswith("quality: “2” is preferred to “1”: ")
    assert "12 prompts, 4 raters" in summary.sentences[0]
    averaged = "share of answers that prefer it, a tie for half, averaged within each prompt, there over raters, then over prompts; "
    assert averaged in summary.lines().notes[0]
    assert summary.remarks(result)[-1].startswith("Krippendorff's alpha between raters (for nominal data): ")


def test_a_test_about_these_raters_only_says_so(study, rater):
    made = study(prompts=6)
    rater(made.rate(QUESTION, by="n"), "2", 0.9)
    said = "test that belongs to the interval, over 6 prompts · p < 0.05 where the interval excludes no difference."
    for raters in (1, 2):
        for test in ("t", "wilcoxon", "permutation"):
            summary = made.summary(test=test)
            assert ("about these raters only" in summary.html()) == (raters > 1)
        summary = made.summary()
        (contrast,) = summary.results[0].contrasts
        assert summary.remarks(summary.results[0])[0] == said
        assert contrast.test.p == contrast.rates.preference.p
        rater(made.rate(QUESTION, by="n"), "2", 0.9, raters)


def test_what_the_data_cannot_tell_is_said(study, rater):
    made = study()
    for seed in range(3):
        rater(made.rate(QUESTION, by="n"), "2", 0.5, seed)
    assert "The data cannot tell which is better" in made.summary().sentences[0]


def test_one_prompt_says_nothing_of_others(kling, cat, rater):
    made = kling.compare("a cat", subject_images=cat, vary={"n": [1, 2]}, samples=3).run(quiet=True)
    rater(made.rate(QUESTION), "2")
    (result,) = made.summary().results
    assert math.isnan(result.values["2"].low)
    assert "With one prompt nothing can be said about others" in made.summary().sentences[0]
    assert re.search(r"\| 2 +\| 100 % +\|", made.table())
    assert "; no interval: one prompt; " in made.table()


def test_units_that_are_no_prompts_are_not_called_so(kling, cat, pictures, rater):
    subjects = {str(number): pictures(number) for number in range(1, 7)}
    made = kling.compare("a cat", vary={"subject_images": subjects, "n": [1, 2]}).run(quiet=True, yes=True)
    rater(made.rate(QUESTION, by="n"), "2", 0.9)
    text = made.summary().text()
    assert "6 units" in text
    assert "A unit is a level of subject_images." in text
    assert "prompt" not in text


def test_a_scale_has_means_differences_and_ends(study, rater):
    made = study()
    for seed in range(2):
        rater(made.rate("How good?", by="n", protocol="scale", criterion="goodness"), "2", 0.9, seed)
    summary = made.summary()
    (result,) = summary.results
    assert result.kind == "scale"
    assert summary.remarks(result)[-1].startswith("Krippendorff's alpha between raters (for interval data)")
    assert all(1 <= each.low <= each.value <= each.high <= 5 for each in result.values.values())
    assert result.contrasts[0].difference.value < 0
    assert result.contrasts[0].rates is None


def test_a_level_without_an_interval_is_named_and_the_others_keep_theirs(kling, cat):
    vary = {"prompt": [f"a {number}" for number in range(6)], "n": {"plain prompt": 1, "2": 2, "3": 3}}
    made = kling.compare(subject_images=cat, vary=vary).run(quiet=True, yes=True)

    def score(image, references, request):
        return 1 if request["n"] == 1 else int(request["prompt"][-1])

    def only_the_first(image, references, request):
        return 1 if request["n"] == 1 else None if request["n"] == 2 else 2

    def once(image, references, request):
        return request["n"] if request["prompt"] == "a 0" or request["n"] == 1 else None

    for measure in (score, only_the_first, once):
        made.measure(measure, quiet=True)
    assert made.summary(["score", "only_the_first", "once"], by="n").notes() == [
        (
            "score: mean; 95 % interval (t on prompt means, 5 df); no interval for “plain prompt”: "
            "all prompts gave the same; 6 prompts, 36 values."
        ),
        "only_the_first: mean; no interval: all prompts gave the same; 6 prompts, 24 values.",
        (
            "once: mean; no interval for “plain prompt”: all prompts gave the same; "
            "no interval for “2”, “3”: one prompt; 6 prompts, 11 values."
        ),
    ]


def test_a_difference_does_not_leave_the_range_of_its_scale(study, rater):
    made = study(prompts=2)
    rater(made.rate("How good?", by="n", protocol="scale", criterion="goodness"), "2", 0.5, 3)
    summary = made.summary()
    (contrast,) = summary.results[0].contrasts
    assert (contrast.difference.low, contrast.difference.high) == (-4, 4)
    assert " (95 % interval -4 to 4; 2 prompts, 1 rater)." in summary.sentences[0].replace("−", "-")


def test_levels_that_were_scored_by_one_rater_each_have_no_interval_of_their_difference(study, rater):
    made = study(prompts=6)
    for seed, level in enumerate("12"):
        rater(made.rate("How good?", by="n", protocol="scale", criterion="goodness"), "2", 0.9, seed, only=level)
    summary = made.summary()
    (contrast,) = summary.results[0].contrasts
    assert not contrast.difference.has_interval
    assert summary.sentences[0].endswith("the data cannot tell raters from levels.")


def test_more_than_two_levels_have_strengths_and_corrected_tests(kling, cat, rater):
    vary = {"prompt": [f"a {number}" for number in range(8)], "n": [1, 2, 3]}
    made = kling.compare(subject_images=cat, vary=vary).run(quiet=True, yes=True)
    for seed in range(2):
        rater(made.rate(QUESTION, by="n", images=1), "3", 0.9, seed)
    (result,) = made.summary().results
    assert list(result.strengths.estimates) == ["1", "2", "3"]
    assert max(result.strengths.estimates, key=lambda level: result.strengths.estimates[level].value) == "3"
    assert len(result.contrasts) == 3
    assert all(each.test.p_adjusted >= each.test.p for each in result.contrasts)
    assert "Holm" in made.summary().html()
    assert "Bradley-Terry" in made.summary().html()
    assert "Holm" not in made.summary(correction="none").html()


@pytest.mark.parametrize("label", ["the others", "not 1", "not the others", "first"])
def test_a_level_may_be_called_as_anything_is_called_here(study, rater, label):
    levels = {"prompt": ["a", "b", "c"], "n": {label: 1, "1": 2, "the rest": 3}}
    made = study(vary=levels)
    rater(made.rate(QUESTION, by="n", criterion="quality", images=1), label)
    summary = made.summary()
    assert summary.results[0].values[label].value == 1
    assert f"“{label}” against “" in summary.html()


def test_unsure_is_counted_and_left_out(study):
    made = study(prompts=4)
    rating = made.rate(QUESTION, by="n")
    answers = iter(["unsure", "left", "tie", "right"])
    rating.judge(lambda _: next(answers), "ana")
    (result,) = made.summary().results
    assert (result.answers, result.unsure) == (3, 1)
    assert "1 could not tell" in made.table()


def test_nobody_and_nothing_counts_that_could_only_not_tell(study):
    made = study(prompts=6)
    rating = made.rate(QUESTION, by="n")
    answers = iter(["left", "left", "right", "unsure", "unsure", "unsure"])
    rating.judge(lambda _: next(answers), "ana")
    rating.judge(lambda _: "unsure", "bo")
    summary = made.summary(test="t")
    (result,) = summary.results
    assert (result.units, result.raters, result.answers, result.unsure) == (3, 1, 3, 9)
    assert result.alpha is None
    assert "3 prompts, 1 rater, 3 answers, 9 could not tell." in made.table()
    assert summary.remarks(result) == ["paired t test over 3 prompts."]


def test_where_nobody_could_tell_there_are_no_answers(study):
    made = study(prompts=2)
    made.rate(QUESTION, by="n").judge(lambda _: "unsure", "ana")
    (result,) = made.summary().results
    assert (result.units, result.raters, result.answers, result.unsure) == (0, 0, 0, 2)
    assert "There are no verdicts between “1” and “2”. 2 answers were unsure." in made.summary().text()
    assert ": no answers; 2 could not tell." in made.table()


def test_a_scale_on_which_nobody_could_tell_says_so(study):
    made = study(prompts=2)
    made.rate("How good?", by="n", protocol="scale", criterion="goodness", images=1).judge(lambda _: "unsure", "ana")
    summary = made.summary()
    assert summary.sentences == ["goodness: There are no answers to compare levels by. 4 answers were unsure."]
    assert summary.notes() == ["goodness: no answers; 4 could not tell."]
    assert summary.text().startswith("goodness: ")


def test_a_level_that_has_answers_alone_is_compared_with_none(study, rater):
    made = study(prompts=2)
    rater(made.rate("How good?", by="n", protocol="scale", criterion="goodness"), "2", only="2")
    said = "goodness: Only “2” has answers so far: there is nothing to compare it with."
    assert made.summary().sentences == [said]


def test_a_test_is_over_the_prompts_that_have_both_levels(kling, cat):
    vary = {"prompt": [f"a {number}" for number in range(4)], "n": [1, 2, 3]}
    made = kling.compare(subject_images=cat, vary=vary).run(quiet=True, yes=True)

    def where_it_applies(image, references, request):
        return request["n"] if request["n"] < 3 or request["prompt"] in ("a 0", "a 1") else None

    made.measure(where_it_applies, "facts", quiet=True)
    summary = made.summary("facts", by="n", test="permutation")
    assert [each.test.units for each in summary.results[0].contrasts] == [4, 2, 2]
    assert "sign-flip permutation test over 2 to 4 prompts" in summary.remarks(summary.results[0])[0]


def test_failures_and_refusals_are_in_every_table(kling, cat, rater):
    vary = {"prompt": ["a", "b", "c"], "n": [1, 2]}
    vary["prompt"] += ["d [sandbox: fail]", "e [sandbox: refuse]"]
    made = kling.compare(subject_images=cat, vary=vary).run(quiet=True)
    rater(made.rate(QUESTION, by="n"), "2", 0.7)
    summary = made.summary()
    assert [(each.tasks, each.done, each.failed, each.refused) for each in summary.outcomes] == [(5, 3, 0, 2)] * 2
    assert summary.lines().head[-1] == "failed / refused"
    assert all(row[-1] == "0 / 2" for row in summary.lines().rows)


def test_measures_are_results_as_well(study):
    made = study(prompts=3)
    made.measure("sharpness")
    made.measure(lambda image, references, request: {"wide": image.width, "n": request["n"]}, "facts")
    summary = made.summary(by="n")
    assert {each.criterion for each in summary.results} == {"sharpness", "facts.wide", "facts.n"}
    (result,) = made.summary("facts.n", by="n").results
    assert result.values["1"].value == 1
    assert result.raters == 0
    assert "rater" not in made.table(criterion="facts.n", by="n")


def test_a_measure_that_is_called_like_a_question_is_a_result_of_its_own(study, rater):
    made = study(prompts=3)
    made.measure("sharpness", quiet=True)
    rater(made.rate(QUESTION, by="n", criterion="sharpness"), "2", 0.8)
    made.preregister("sharpness", by="n")
    summary = made.summary()
    assert [(each.criterion, each.kind, each.is_fixed) for each in summary.results] == [
        ("sharpness", "pairs", True),
        ("sharpness (measure)", "measure", False),
    ]
    assert made.summary("sharpness (measure)").results[0].kind == "measure"
    assert {"sharpness", "sharpness (measure)"} <= set(made.table("dataframe").columns)


def test_the_table_comes_in_three_forms_and_says_the_same(study, rater):
    made = study()
    rater(made.rate(QUESTION, by="n", criterion="quality_1"), "2", 0.8)
    frame = made.table("dataframe")
    assert list(frame.index) == ["1", "2"]
    assert frame.index.name == "n"
    value, low, high = frame.loc["2", ["quality_1", "quality_1_low", "quality_1_high"]]
    said = f"{percent(value)} % [{percent(low)}, {percent(high)}]"
    assert said.replace("[", r"\[").replace("]", r"\]") in made.table()
    assert said.replace("%", r"\%") in made.table("latex")
    assert r"quality\_1" in made.table("latex")
    for note in frame.attrs["notes"]:
        assert note in made.table("latex")
    with pytest.raises(InvalidRequest, match='format is "html"; there are markdown, latex, dataframe'):
        made.table("html")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"by": "style"}, 'no axis "style"'),
        ({"criterion": "beauty"}, 'no criterion "beauty" by n; there are quality'),
        ({"criterion": []}, "criterion is"),
        ({"test": "anova"}, 'test is "anova"; there are crossed, t, wilcoxon, permutation'),
        ({"correction": "bonferroni"}, 'correction is "bonferroni"'),
        ({"clusters": "n"}, "which is what is judged"),
    ],
)
def test_bad_input_is_one_clear_line(study, rater, given, said):
    made = study(prompts=2)
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2")
    with pytest.raises(InvalidRequest) as raised:
        made.summary(**given)
    assert said in raised.value.message
    assert len(raised.value.message.splitlines()) == 1


def test_without_answers_and_measures_it_says_how_to_get_some(study):
    with pytest.raises(InvalidRequest, match="no answers and no measures by n yet") as raised:
        study(prompts=2).summary(by="n")
    assert ".rate(" in str(raised.value)
    made = study(prompts=2)
    with pytest.raises(InvalidRequest, match="There are no answers and no measures yet") as raised:
        made.summary()
    assert ".rate(" in str(raised.value)
    made.measure("sharpness")
    with pytest.raises(InvalidRequest, match="by= must say whose levels are compared: prompt, n"):
        made.summary()


def test_a_criterion_tells_whose_levels_are_compared(study, pictures):
    made = study(vary={"prompt": ["a", "b"], "n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}})
    for by in ("n", "style_image"):
        made.rate(QUESTION, by=by, criterion=f"by {by}").judge(lambda _: "tie", "ana")
    assert made.summary("by style_image").by == "style_image"
    assert made.table(criterion=["by n"]).startswith("| n ")
    assert made.preregister("by n").by == "n"
    for criterion in (None, ["by n", "by style_image"], "neither"):
        with pytest.raises(InvalidRequest, match="by= must say whose levels are compared: n, style_image"):
            made.summary(criterion)


# ---- fixed beforehand ----------------------------------------------------------------------------------


def test_an_analysis_fixed_beforehand_is_followed_and_said(study, rater, new_kernel, new_kling):
    made = study(prompts=6)
    fixed = made.preregister("quality", by="n", test="wilcoxon", correction="none", note="Three raters.")
    assert fixed.answers == 0
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8)
    rater(made.rate("Nicer?", by="n", criterion="other"), "2", 0.8, 1)
    new_kernel()
    summary = new_kling().comparison("study").summary()
    assert summary.results[0].analyses == (fixed,)
    assert [each.test for each in summary.results] == ["wilcoxon", "crossed"]
    assert {each.criterion: each.is_fixed for each in summary.results} == {"quality": True, "other": False}
    assert any(sentence.startswith("other (exploratory): ") for sentence in summary.sentences)
    assert re.search(r"Analysis fixed on 20\d\d-\d\d-\d\d \d\d:\d\d UTC, before the first answer.", made.table())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"test": "t"}, "test t, fixed permutation"),
        ({"correction": "none"}, "correction none, fixed holm"),
        ({"clusters": "style_image"}, "clusters style_image, fixed prompt"),
        ({"clusters": ["style_image", "prompt"]}, "clusters style_image × prompt, fixed prompt"),
        ({"test": "t", "correction": "none"}, "test t, fixed permutation; correction none, fixed holm"),
    ],
)
def test_one_that_differs_from_what_was_fixed_is_exploratory_and_says_in_what(study, rater, pictures, given, said):
    made = study(
        vary={"prompt": ["a", "b", "c"], "n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}},
    )
    made.preregister("quality", by="n", test="permutation", correction="holm")
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8)
    same = made.summary("quality", test="permutation", correction="holm", clusters="prompt")
    assert same.results[0].is_fixed
    assert "another analysis" not in made.table()
    summary = made.summary("quality", **given)
    assert summary.results[0].is_fixed is False
    assert summary.sentences[0].startswith("quality (exploratory): ")
    assert f"This is another analysis than the fixed one: {said}." in summary.text()


def test_clusters_that_were_fixed_are_the_same_in_another_order(study, rater, pictures):
    made = study(
        vary={"prompt": ["a", "b"], "n": [1, 2], "style_image": {"none": None, "wave": pictures(2)}},
    )
    made.preregister("quality", by="n", clusters=["prompt", "style_image"])
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8)
    assert made.summary().results[0].is_fixed
    assert made.summary(clusters=["style_image", "prompt"]).results[0].is_fixed
    assert made.summary(clusters="prompt").results[0].differing == ("clusters prompt, fixed prompt × style_image",)


def test_one_that_was_fixed_after_one_answer_says_so(study):
    made = study(prompts=2)
    answers = iter(["left", None])
    with pytest.raises(InvalidRequest):
        made.rate(QUESTION, by="n", criterion="quality").judge(lambda _: next(answers), "ana")
    made.preregister("quality", by="n")
    assert "UTC, after 1 answer was in." in made.table()


def test_answers_are_counted_also_where_a_measure_has_the_name_of_the_question(study, rater):
    made = study(prompts=3)
    rater(made.rate(QUESTION, by="n", criterion="sharpness"), "2", 0.8)
    made.measure("sharpness", quiet=True)
    assert made.preregister("sharpness", by="n").answers == 3
    measured = len(made.measures["sharpness"].values)
    assert made.preregister(["sharpness", "sharpness (measure)"], by="n").answers == 3 + measured


def test_one_that_was_fixed_late_says_so(study, rater):
    made = study(prompts=3)
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8)
    assert made.preregister(["quality"], by="n").answers == 3
    assert "after 3 answers were in" in made.table()
    made.preregister("quality", by="n", test="t")
    assert [each.test for each in made.analyses] == ["crossed", "t"]
    assert made.summary().results[0].test == "t"
    assert re.search(
        r"Analysis fixed on \S+ \S+ UTC, after 3 answers were in; fixed anew on \S+ \S+ UTC, after 3 answers were in\.",
        made.table(),
    )


def test_what_was_fixed_is_said_only_under_its_criterion_with_its_answers(study, rater):
    made = study(prompts=3)
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8)
    made.preregister(["quality", "later"], by="n")
    rater(made.rate("Nicer?", by="n", criterion="other"), "2", 0.8)
    rater(made.rate("Later?", by="n", criterion="later"), "2", 0.8)
    notes = {note.split(":")[0]: note for note in made.summary().notes()}
    assert notes["quality"].endswith(", after 3 answers were in.")
    assert notes["later"].endswith(", before the first answer.")
    assert "fixed" not in notes["other (exploratory)"]
    assert "fixed" not in made.summary("other").text()


def test_another_criterion_fixed_later_leaves_the_first_as_it_was(study, rater):
    made = study(prompts=3)
    made.preregister("quality", by="n", test="wilcoxon", correction="none", clusters="prompt")
    made.preregister("other", by="n", test="t")
    for criterion in ("quality", "other"):
        rater(made.rate(f"{criterion}?", by="n", criterion=criterion), "2", 0.8)
    results = made.summary().results
    assert [(each.criterion, each.test, each.correction, each.is_fixed) for each in results] == [
        ("quality", "wilcoxon", "none", True),
        ("other", "t", "holm", True),
    ]
    assert "exploratory" not in made.summary().text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"criterion": ""}, "criterion is"),
        ({"criterion": 3}, "criterion is 3"),
        ({"test": "anova"}, "test is"),
        ({"note": None}, "note is None"),
        ({"by": "style"}, "no axis"),
        ({"clusters": "nothing"}, "no axis"),
    ],
)
def test_what_cannot_be_fixed_is_said_and_not_stored(study, given, said):
    made = study(prompts=2)
    with pytest.raises(InvalidRequest, match=said):
        made.preregister(**({"criterion": "quality", "by": "n"} | given))
    assert made.analyses == []


# ---- what leaves the notebook --------------------------------------------------------------------------


def page_data(folder):
    page = (folder / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_folder_has_answers_measures_analysis_and_results(study, rater, kling):
    made = study(prompts=4)
    made.preregister("quality", by="n")
    for seed in range(2):
        rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 0.8, seed)
    made.measure("sharpness")
    assert made.extra().notes == ["The folder names its raters: rater 0, rater 1."]
    folder = made.save("out")
    rows = list(csv.DictReader(io.StringIO((folder / "answers.csv").read_text())))
    assert len(rows) == 8
    assert {row["preferred"] for row in rows} <= {"1", "2"}
    images = list(csv.DictReader(io.StringIO((folder / "images.csv").read_text())))
    assert {"quality", "quality (answers)", "sharpness"} <= images[0].keys()
    known = page_data(folder)
    (shown,) = known["results"]["summaries"]
    assert shown["sentences"] == made.summary().sentences
    facts = dict(known["cells"][0]["samples"][0]["images"][0]["facts"])
    assert float(facts["sharpness"]) > 0
    assert facts["quality (answers)"] == "2"

    loaded = kling.load_comparison(folder)
    assert loaded.table(by="n") == made.table(by="n")
    assert loaded.analyses == made.analyses
    pd.testing.assert_frame_equal(loaded.answers(), made.answers())
    again = loaded.save("again", quiet=True)
    assert page_data(again)["results"] == known["results"]
    first, second = (json.loads((each / "manifest.json").read_text()) for each in (folder, again))
    assert [first[key] for key in ("ratings", "analyses", "measures")] == [
        second[key] for key in ("ratings", "analyses", "measures")
    ]


def test_a_loaded_comparison_is_rated_on_without_touching_its_folder(study, rater, kling, tree):
    made = study(prompts=3)
    rater(made.rate(QUESTION, by="n", criterion="quality"), "2", 1.0, 0)
    folder = made.save("out", quiet=True)
    before = tree(folder)
    import os

    os.makedirs("elsewhere")
    os.chdir("elsewhere")
    colleague = type(kling)(sandbox=True)
    loaded = colleague.load_comparison(folder)
    rating = loaded.rate(QUESTION, by="n", criterion="quality")
    assert rating.answered == {"rater 0": 3}
    rater(rating, "1", 1.0, 1)
    assert colleague.load_comparison(folder).rate(QUESTION, by="n", criterion="quality").answered == {
        "rater 0": 3,
        "rater 1": 3,
    }
    assert tree(folder) == before
    merged = json.loads((loaded.save("merged", quiet=True) / "manifest.json").read_text())
    assert len(merged["ratings"][0]["answers"]) == 6


@pytest.mark.parametrize("change", [{"ratings": 3}, {"ratings": [{}]}, {"ratings": [{"plan": {}, "answers": []}]}])
def test_ratings_that_cannot_be_read_are_said(study, rater, kling, change):
    made = study(prompts=2)
    rater(made.rate(QUESTION, by="n"), "2")
    path = made.save("out", quiet=True) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    from kling_nb.errors import WorkspaceError

    with pytest.raises(WorkspaceError, match=r"ratings in out/manifest\.json cannot be read"):
        kling.load_comparison("out")


def test_a_criterion_that_is_called_like_a_column_stays_apart(study, rater):
    made = study(prompts=2)
    rater(made.rate(QUESTION, by="n", criterion="seconds"), "2")
    frame = made.to_dataframe()
    assert frame["seconds (rating)"].max() == 1
    assert "seconds" in frame
