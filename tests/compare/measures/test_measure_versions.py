"""A function's version: the same for the same function, another for one that does something else."""

import functools
import subprocess
import sys
import types

import numpy as np
import pytest

from kling_nb.compare.measures.fingerprint import Untold, fingerprint


def defined(code, name="measure", **known):
    """A function as a notebook's cell defines it, in a module of its own."""
    module = types.ModuleType("notebook")
    vars(module).update(known)
    exec(compile(code, f"<cell {id(module)}>", "exec"), vars(module))
    return vars(module)[name]


SAME = """
LIMIT = 3
def helper(x):
    return [y for y in x if y in {1, 2, "a"}]
def measure(image, references, request, *, by=0.5):
    return helper(image) and LIMIT * by
"""


def test_the_same_text_elsewhere_is_the_same():
    assert fingerprint(defined(SAME)) == fingerprint(defined("\n\n# moved\n" + SAME))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("LIMIT = 3", "LIMIT = 3.0"),
        ("LIMIT = 3", "LIMIT = [3]"),
        ("by=0.5", "by=0.25"),
        ("LIMIT * by", "LIMIT + by"),
        ("LIMIT * by", "LIMIT * by * image.width"),
        ("LIMIT * by", "LIMIT * by * image.height"),
        ('"a"}', '"b"}'),
        ("def helper(x):", "def helper(x, z=1):"),
        ("    return helper(image) and", "    return"),
    ],
)
def test_whatever_it_does_otherwise_is_another(old, new):
    assert old in SAME
    assert fingerprint(defined(SAME)) != fingerprint(defined(SAME.replace(old, new)))


def test_what_it_does_not_read_does_not_count():
    assert fingerprint(defined(SAME)) == fingerprint(defined(SAME + "\nOTHER = 7\ndef more(): return 1\n"))
    renamed = SAME.replace("def measure", "def other")
    assert fingerprint(defined(SAME)) == fingerprint(defined(renamed, "other"))


def test_it_is_the_same_in_another_process():
    code = f"import sys; sys.path.insert(0, '.'); from {__name__.rpartition('.')[2]} import *; print(fingerprint(defined(SAME)))"
    folder = __file__.rpartition("/")[0]
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {fingerprint(defined(SAME))}


def test_what_it_closes_over_counts():
    def at(limit):
        return lambda image, references, request: limit

    assert fingerprint(at(1)) == fingerprint(at(1)) != fingerprint(at(2))
    assert fingerprint(at({"a": [1, (2, None)]})) != fingerprint(at({"a": [1, (3, None)]}))
    assert fingerprint(at(np.arange(3))) == fingerprint(at(np.arange(3))) != fingerprint(at(np.arange(4)))
    assert fingerprint(at(np.float32(1))) != fingerprint(at(np.float32(2)))
    assert fingerprint(at(at(1))) != fingerprint(at(at(2)))
    assert fingerprint(at(len)) != fingerprint(at(sum))
    assert fingerprint(at(np)) != fingerprint(at(types))


def test_a_partial_counts_with_its_arguments():
    def measure(weight, image, references, request):
        return weight

    one, other = functools.partial(measure, 1), functools.partial(measure, 2)
    assert fingerprint(one) == fingerprint(functools.partial(measure, 1)) != fingerprint(other) != fingerprint(measure)
    with pytest.raises(Untold, match="which may have changed"):
        fingerprint(functools.partial(measure, object()))


def test_what_holds_an_object_cannot_be_told():
    class Model:
        def __call__(self, image, references, request):
            return 1

        def method(self, image, references, request):
            return 1

    model = Model()
    with pytest.raises(Untold, match=r"^it is not a function but a .*Model, and what it holds may have changed$"):
        fingerprint(model)
    with pytest.raises(Untold, match="it is not a function but a method"):
        fingerprint(model.method)
    with pytest.raises(Untold, match=r"it holds model, a .*Model, which may have changed"):
        fingerprint(lambda image, references, request: model(image, references, request))
    with pytest.raises(Untold, match="it holds a default, a object"):
        fingerprint(defined("def measure(image, references, request, by=object()): pass"))
    nested = []
    nested.append(nested)
    with pytest.raises(Untold, match="too deeply nested"):
        fingerprint(lambda image, references, request: nested)


def test_a_model_that_is_a_global_does_not_count():
    code = "def measure(image, references, request): return model(image)"
    assert fingerprint(defined(code, model=object())) == fingerprint(defined(code, model=object()))


def test_helpers_that_call_one_another_are_told():
    code = "def measure(i, r, q): return other(i)\ndef other(i): return measure(i, 0, {}) if i else "
    assert fingerprint(defined(code + "1")) == fingerprint(defined(code + "1")) != fingerprint(defined(code + "2"))
    cached = "import functools\n@functools.lru_cache\ndef other(i): return {}\ndef measure(i, r, q): return other(i)"
    assert fingerprint(defined(cached.format(1))) != fingerprint(defined(cached.format(2)))


def test_functions_of_other_modules_count_by_name():
    code = "from statistics import mean, median\ndef measure(i, r, q): return {}(i)"
    assert fingerprint(defined(code.format("mean"))) == fingerprint(defined(code.format("mean")))
    assert fingerprint(defined(code.format("mean"))) != fingerprint(defined(code.format("median")))


def test_a_function_of_itself_that_is_not_there_yet_is_told():
    def made():
        def measure(image, references, request):
            return later

        found = fingerprint(measure)
        later = 1
        return found, fingerprint(measure)

    before, after = made()
    assert before != after


def test_a_function_that_changes_what_it_reads_is_told_of(study, monkeypatch):
    said = []
    monkeypatch.setattr(
        "kling_nb.session.screen.Screen.note", lambda self, message, problem=False: said.append(message)
    )
    code = "SEEN = {}\ndef faces(image, references, request): return SEEN.setdefault(references[0].sha256, 1)"
    function = defined(code, "faces")
    first = study.measure(function)
    changed = "faces changed a value that it reads, and so the next call would measure anew"
    assert said == [f'Measured faces of 8 images. {changed}; version="{first.version}" keeps to these results.']
    assert study.measure(function).version != first.version
    assert study.measure(function, version=first.version) == first
    assert len(said) == 1


def test_a_function_that_cannot_be_told_needs_a_version(study):
    class Model:
        def __call__(self, image, references, request):
            return 1

    from kling_nb.errors import InvalidRequest

    with pytest.raises(InvalidRequest, match="The version of model cannot be told: it is not a function") as caught:
        study.measure(Model(), "model")
    assert caught.value.advice == "Give version=, and another one whenever its results may have changed."
    assert study.measure(Model(), "model", version="ViT-B/32").version == "ViT-B/32"
    assert study.measure(Model(), "model", version=2).version == "2"
