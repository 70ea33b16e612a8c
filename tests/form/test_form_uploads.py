"""Files that come from the browser in pieces: whole and in order, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.form import uploads
from kling_nb.form.uploads import Assembly, Refused, Upload


def chunk(step=0, steps=1, some_id="a", name="cat.png", **more):
    return {"id": some_id, "step": step, "steps": steps, "name": name, "number": 0, "count": 1, **more}


def take(assembly, data, **message):
    return assembly.take(chunk(**message), [memoryview(data)])


@pytest.fixture
def assembly():
    return Assembly()


def test_a_small_file_comes_in_one_piece(assembly):
    assert take(assembly, b"picture") == Upload("cat.png", b"picture", 0, 1)


@given(st.binary(max_size=200), st.integers(1, 50))
def test_pieces_are_put_together_in_order(data, length):
    pieces = [data[at : at + length] for at in range(0, max(len(data), 1), length)]
    assembly = Assembly()
    found = [take(assembly, piece, step=step, steps=len(pieces)) for step, piece in enumerate(pieces)]
    assert found[:-1] == [None] * (len(pieces) - 1)
    assert found[-1] == Upload("cat.png", data)


def test_an_empty_file_is_a_file(assembly):
    assert take(assembly, b"").data == b""


def test_what_arrives_is_a_copy(assembly):
    buffer = bytearray(b"pict")
    assert take(assembly, buffer, steps=2) is None
    buffer[:] = b"junk"
    assert take(assembly, b"ure", step=1, steps=2).data == b"picture"


def test_files_that_come_at_the_same_time_are_kept_apart(assembly):
    assert take(assembly, b"a1", some_id="a", steps=2) is None
    assert take(assembly, b"b1", some_id="b", steps=2, name="hat.png") is None
    assert take(assembly, b"b2", some_id="b", step=1, steps=2, name="hat.png") == Upload("hat.png", b"b1b2")
    assert take(assembly, b"a2", some_id="a", step=1, steps=2) == Upload("cat.png", b"a1a2")


def test_its_place_among_several_is_told(assembly):
    assert take(assembly, b"x", number=2, count=3) == Upload("cat.png", b"x", 2, 3)


@pytest.mark.parametrize(
    "message",
    [
        chunk(step=1, steps=3),
        chunk(step=-1, steps=3),
        chunk(step=None),
        chunk(step="0"),
        chunk(step=0.5),
        chunk(steps=None),
        chunk(steps="1"),
        chunk(steps=0),
        chunk(steps=-1),
        chunk(steps=1.5),
        {},
    ],
    ids=str,
)
def test_what_cannot_be_a_first_piece_is_refused(assembly, message):
    with pytest.raises(Refused, match="did not arrive whole"):
        assembly.take(message, [b"x"])


@pytest.mark.parametrize("step", [0, 2, 3])
def test_a_piece_out_of_turn_is_refused_and_the_file_forgotten(assembly, step):
    assert take(assembly, b"1", steps=4) is None
    with pytest.raises(Refused, match="Drop it again"):
        take(assembly, b"x", step=step, steps=4)
    with pytest.raises(Refused):
        take(assembly, b"2", step=1, steps=4)
    # From the start it is taken again.
    assert [take(assembly, b"new", step=step, steps=2) for step in range(2)][-1] == Upload("cat.png", b"newnew")


@pytest.mark.parametrize("buffers", [[], [b"a", b"b"]], ids=len)
def test_a_piece_has_exactly_one_buffer(assembly, buffers):
    with pytest.raises(Refused):
        assembly.take(chunk(), buffers)


def test_a_file_that_is_too_large_is_refused_as_soon_as_it_is(assembly, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    assert take(assembly, b"12345", steps=3) is None
    with pytest.raises(Refused, match="Give the path instead"):
        take(assembly, b"678901", step=1, steps=3)
    with pytest.raises(Refused, match="did not arrive whole"):
        take(assembly, b"x", step=2, steps=3)
    # The limit itself is allowed.
    assert take(assembly, b"1234567890").data == b"1234567890"


def test_the_limit_is_said_in_megabytes(assembly, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 2_000_000)
    with pytest.raises(Refused, match="At most 2 MB can be dropped"):
        take(assembly, bytes(2_000_001))


def test_files_that_were_broken_off_do_not_fill_the_memory(assembly):
    for number in range(100):
        assert take(assembly, b"1", some_id=str(number), steps=2) is None
    with pytest.raises(Refused):
        take(assembly, b"2", some_id="0", step=1, steps=2)
    assert take(assembly, b"2", some_id="99", step=1, steps=2).data == b"12"


def test_a_file_under_way_is_not_lost_to_those_that_come_after_it(assembly):
    """What is dropped together is at most a slot each, and each of them has its turn."""
    for number in range(6):
        take(assembly, b"1", some_id=str(number), steps=3)
    for number in range(6):
        take(assembly, b"2", some_id=str(number), step=1, steps=3)
    assert [take(assembly, b"3", some_id=str(number), step=2, steps=3).data for number in range(6)] == [b"123"] * 6


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.png", "cat.png"),
        ("folder/cat.png", "cat.png"),
        ("../../cat.png", "cat.png"),
        ("/etc/passwd", "passwd"),
        (r"C:\pics\cat.png", "cat.png"),
        (r"..\cat.png", "cat.png"),
        ("folder/", "picture"),
        ("/", "picture"),
        ("", "picture"),
        (None, "picture"),
        ("猫 🐱.png", "猫 🐱.png"),
        ("x" * 300 + ".png", "x" * 255),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_name_has_no_folder(assembly, name, expected):
    assert take(assembly, b"x", name=name).name == expected


def test_a_message_without_a_name_gets_one(assembly):
    message = chunk()
    del message["name"]
    assert assembly.take(message, [b"x"]).name == "picture"


@pytest.mark.parametrize(("number", "count"), [(None, None), ("1", "2"), (-1, -2), (0.5, 1.5), ([], {})], ids=str)
def test_an_odd_place_is_that_of_a_single_file(assembly, number, count):
    assert take(assembly, b"x", number=number, count=count) == Upload("cat.png", b"x", 0, 1)


def test_its_bytes_are_not_in_what_it_says_of_itself():
    assert "secret" not in repr(Upload("cat.png", b"secret"))
