"""Arrays and tensors: shapes, types and ranges, pixel for pixel, and what is said of the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kling_nb.errors import InvalidRequest
from kling_nb.request import collect


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")


class Tensor:
    """What a PyTorch tensor shows of itself."""

    def __init__(self, array, device="cuda", grad=True, dtype=None):
        self.array, self.device, self.grad = array, device, grad
        self.dtype = dtype or f"torch.{array.dtype}"

    @property
    def shape(self):
        return self.array.shape

    def detach(self):
        return Tensor(self.array, self.device, False, self.dtype)

    def cpu(self):
        return Tensor(self.array, "cpu", self.grad, self.dtype)

    def float(self):
        return Tensor(self.array.astype("float32"), self.device, self.grad)

    def permute(self, *axes):
        return Tensor(self.array.transpose(axes), self.device, self.grad)

    def numpy(self):
        assert not self.grad, "Can't call numpy() on Tensor that requires grad"
        assert self.device == "cpu", "can't convert cuda device type tensor to numpy"
        assert self.dtype != "torch.bfloat16", "Got unsupported ScalarType BFloat16"
        return self.array


def sent(opened, reference):
    return np.asarray(opened(reference))


@pytest.mark.parametrize(
    ("shape", "mode"),
    [((310, 320), "L"), ((310, 320, 1), "L"), ((310, 320, 3), "RGB"), ((310, 320, 4), "RGBA")],
)
def test_takes_an_image_of_bytes_pixel_for_pixel(one, opened, shape, mode):
    array = noise(*shape)
    reference = one(array)
    assert reference.name == "array 320×310"
    assert reference.changes == ("encoded as PNG",)
    assert opened(reference).mode == mode
    assert np.array_equal(sent(opened, reference), array.squeeze())


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_takes_channels_first(one, opened, channels):
    array = noise(channels, 310, 320)
    for value, word in ((array, "array"), (Tensor(array), "tensor")):
        reference = one(value)
        assert reference.name == f"{word} 320×310"
        assert np.array_equal(sent(opened, reference), array.transpose(1, 2, 0).squeeze())


def test_takes_a_view_of_any_memory_layout(one, opened):
    array = np.asfortranarray(noise(620, 640, 3))[::-2, ::2, ::-1]
    assert np.array_equal(sent(opened, one(array)), array)


def test_leaves_the_array_as_it_was(one):
    array = noise(310, 320, 3).astype("float64") / 255
    before = array.copy()
    array.flags.writeable = False
    one(array)
    assert np.array_equal(array, before)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_scales_floats(one, opened, dtype):
    array = noise(310, 320, 3)
    reference = one((array / 255).astype(dtype))
    assert reference.changes == ("floats 0..1 scaled to 8-bit", "encoded as PNG")
    assert np.array_equal(sent(opened, reference), array)


def test_forgives_floats_their_rounding(one, opened):
    array = np.full((300, 300), 1 + 1e-6)
    array[0, 0] = -1e-6
    assert sent(opened, one(array))[0, :2].tolist() == [0, 255]


@pytest.mark.parametrize(
    ("array", "clause"),
    [
        (
            np.full((300, 300), 255.0),
            "has floats from 255 to 255; floats must lie between 0 and 1. If these are 0..255",
        ),
        (np.linspace(-1, 1, 90000).reshape(300, 300), "If these are -1..1, use (x + 1) / 2"),
        (np.linspace(-3, 400, 90000).reshape(300, 300), "has floats from -3 to 400; floats must lie between 0 and 1"),
        (np.full((300, 300), np.inf), "has floats from inf to inf"),
        (np.where(np.eye(300), np.nan, 0.5), "has NaN among its values"),
        (np.full((300, 300), 256), "has int64 values from 256 to 256; integers must lie between 0 and 255"),
        (np.full((300, 300), -1, "int8"), "has int8 values from -1 to -1"),
        (np.full((300, 300), 70000, "uint32"), "has uint32 values from 70000 to 70000"),
        (np.zeros((300, 300), "complex64"), "has values of the type complex64"),
        (np.zeros((300, 300), "datetime64[s]"), "has values of the type datetime64[s]"),
        (np.zeros(300), "has the shape 300; an image is H×W"),
        (np.zeros(()), "has the shape of a single number"),
        (np.zeros((300, 300, 2)), "has the shape 300×300×2; an image is H×W"),
        (np.zeros((2, 300, 300)), "has the shape 2×300×300"),
        (np.zeros((1, 1, 1, 300, 300)), "has the shape 1×1×1×300×300"),
        (np.zeros((3, 400, 3)), "has the shape 3×400×3, which could have its channels first or last"),
        (np.zeros((0, 300)), "is empty (300 × 0 px)"),
        (np.zeros((300, 0, 3)), "is empty (0 × 300 px)"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000)), "over the limit of 100,000,000 pixels"),
    ],
)
def test_names_what_is_no_image(refusal, array, clause):
    message = refusal(array, name="x")
    assert message.startswith('subject_images[0] "x" ')
    assert clause in message
    assert refusal(array).startswith('subject_images[0] "ndarray" ')


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint16", "uint32", ">i2"])
def test_takes_integers_within_a_byte_as_they_are(one, opened, dtype):
    array = noise(310, 320, 3)
    reference = one(array.astype(dtype))
    assert reference.changes == ("encoded as PNG",)
    assert np.array_equal(sent(opened, reference), array)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_reduces_sixteen_bits_and_says_so(one, opened, dtype):
    array = noise(310, 320, 3)
    reference = one((array.astype("uint16") * 257).astype(dtype))
    assert reference.changes == ("16-bit reduced to 8-bit", "encoded as PNG")
    assert np.array_equal(sent(opened, reference), array)


def test_booleans_are_black_and_white(one, opened):
    array = noise(310, 320) > 127
    assert np.array_equal(sent(opened, one(array)), array * 255)


def test_masked_arrays_must_be_filled(one, refusal):
    array = np.ma.masked_greater(noise(310, 320), 200)
    assert "has masked values" in refusal(array)
    assert one(np.ma.masked_array(noise(310, 320))).width == 320


def test_a_matrix_and_a_subclass_are_arrays(one):
    class Named(np.ndarray):
        pass

    assert one(noise(310, 320, 3).view(Named)).width == 320


def test_batches_are_split(one):
    batch = noise(3, 310, 320, 3)
    assert [reference.name for reference in collect(batch, "subject", name="batch")] == [
        "batch[0]",
        "batch[1]",
        "batch[2]",
    ]
    assert len(collect(Tensor(noise(2, 3, 310, 320)), "style")) == 2
    reference = one(Tensor(noise(1, 3, 310, 320)), name="x")
    assert (reference.name, reference.width, reference.height) == ("x", 320, 310)


def test_an_empty_batch_is_refused(refusal):
    assert "is empty; it holds no image" in refusal(np.zeros((0, 300, 300, 3)))


def test_reads_a_tensor_with_gradients_on_a_device(one, opened):
    array = noise(3, 310, 320)
    reference = one(Tensor(array / 255, device="cuda", grad=True), name="x")
    assert np.array_equal(sent(opened, reference), array.transpose(1, 2, 0))
    assert reference.changes == ("floats 0..1 scaled to 8-bit", "encoded as PNG")


def test_widens_types_that_numpy_lacks(one):
    assert one(Tensor(np.full((3, 310, 320), 0.5), dtype="torch.bfloat16")).width == 320


def test_an_ambiguous_tensor_says_how_to_permute(refusal):
    assert "x.permute(1, 2, 0) if it is a tensor" in refusal(Tensor(noise(3, 400, 3)))


def test_takes_anything_with_the_array_protocol(one, opened):
    array = noise(310, 320, 3)

    class Jax:
        def __array__(self, dtype=None, copy=None):
            return array

    class Interface:
        __array_interface__ = array.__array_interface__

    class Cupy:
        __cuda_array_interface__ = __array_interface__ = {}

        def get(self):
            return array

    for value in (Jax(), Interface(), Cupy()):
        assert np.array_equal(sent(opened, one(value)), array)


def test_says_what_to_do_where_numpy_is_not_loaded(refusal, monkeypatch):
    class Interface:
        __array_interface__ = {}

    monkeypatch.delitem(__import__("sys").modules, "numpy")
    assert "import numpy" in refusal(Interface())


def test_arrays_of_objects_are_lists(one, refusal, here, png):
    (here / "hat.png").write_bytes(png)
    found = collect(np.array([noise(310, 320), "hat.png"], dtype=object), "subject", name="refs")
    assert [reference.name for reference in found] == ["refs[0]", "refs[1]"]
    assert [reference.name for reference in collect(np.array(["hat.png", "hat.png"]), "style")] == ["hat.png"] * 2
    assert one(np.array("hat.png")).data == png
    assert "is an int (3)" in refusal(np.array([3], dtype=object))
    assert "has the shape of a single number" in refusal(np.float64(0.5))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, 2, 3, 4, 40]), max_size=5),
    st.sampled_from(["uint8", "int16", "uint16", "float32", "bool", "complex64", "U3", "O", "S2", "M8[s]"]),
    st.floats(-2, 300),
)
def test_any_array_gives_references_or_one_refusal(shape, dtype, value):
    array = np.full(shape, int(value) if dtype == "M8[s]" else value)
    array = array.ravel()[:3] if dtype in {"U3", "O", "S2"} else array[:3] if len(shape) > 3 else array
    with np.errstate(invalid="ignore"):
        array = array.astype(dtype)
    try:
        found = collect(array, "style", fit=True)
    except InvalidRequest:
        return
    assert all(min(reference.width, reference.height) >= 300 for reference in found)
