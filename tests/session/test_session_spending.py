"""What was spent, by day, model and gateway."""

import time

import pytest

from kling_nb import Kling, KlingError


def test_nothing_yet_reads_nothing_and_leaves_nothing(kling, tree):
    before = tree(".")
    assert kling.spent() == []
    assert repr(kling.spent()) == "Nothing was spent."
    assert tree(".") == before


def test_the_sandbox_costs_nothing(new_kling, cat):
    kling = new_kling(price_per_image=0.25)
    kling.generate("a", subject_images=cat, n=3)
    (row,) = kling.spent()
    assert (row.gateway, row.tasks, row.images, row.price) == ("sandbox", 1, 3, 0.0)
    assert (kling.spent().images, kling.spent().price) == (0, 0.0)


def test_a_gateway_is_counted_by_model_without_what_failed_and_with_doubt_apart(sandbox, cat):
    settings = {"api_key": "k", "base_url": sandbox.base_url, "poll_interval": 0.01, "workspace": "real", "grace": 0}
    with Kling(price_per_image=0.25, currency="EUR", **settings) as kling:
        kling.generate("a", subject_images=cat, n=2)
        kling.generate("b", subject_images=cat, n=3)
        kling.generate("c", subject_images=cat, n=1, model_name="kling-v2")
        sandbox.faults.add("query", "no_external_ids", times=None)
        sandbox.faults.add("list", "no_list", times=None)
        for prompt in ("[sandbox: fail]", "[sandbox: refuse]", "[sandbox: lost]"):
            with pytest.raises(KlingError):
                kling.generate(prompt, subject_images=cat, n=4)
        spent = kling.spent()
        assert [(row.model_name, row.tasks, row.images, row.uncertain) for row in spent] == [
            ("kling-v2", 1, 1, 0),
            ("kling-v2-1", 2, 5, 4),
        ]
        assert {row.day for row in spent} <= {
            time.strftime("%Y-%m-%d"),
            time.strftime("%Y-%m-%d", time.localtime(time.time() - 99)),
        }
        assert (spent.images, spent.price) == (6, 1.5)
        html = spent._repr_mimebundle_()[0]["text/html"]
        assert "1.25 EUR" in html
        assert "4 images more may be billed" in html
        assert "1.25 EUR" in repr(spent)
        frame = spent.to_dataframe()
        assert list(frame.images) == [1, 5]
        assert Kling(**settings).spent().price is None
