"""Every way to fill a slot, and what can be done with what is in it."""

from pathlib import Path

import pytest
from PIL import Image

from kling_nb.form.parts import revealed
from kling_nb.form.uploads import CHUNK


def names(form):
    return [entry and entry.source.text for entry in form.references.entries]


def roles(form):
    return [(reference.role, reference.name) for reference in form.request.references]


@pytest.fixture
def slots(form):
    return form.references.slots


class TestText:
    def test_a_path(self, form, slots, person):
        person.types(slots[0].source, " cat.png ")
        assert form.settle()
        assert slots[0].source.value == "cat.png"
        assert "320 × 300" in slots[0].status.value
        assert "PNG" in slots[0].status.value
        assert revealed(slots[0].clear)
        assert roles(form) == [("subject", "cat.png")]

    def test_a_glob_goes_to_the_free_slots_one_each(self, form, slots, person):
        person.types(slots[1].source, "hat.png")
        person.types(slots[0].source, "[cs]*a*.png")
        assert form.settle()
        assert names(form)[:4] == ["cat.png", "hat.png", "sea.png", None]
        assert [slot.source.value for slot in slots[:3]] == ["cat.png", "hat.png", "sea.png"]

    def test_a_glob_of_more_than_are_free_fills_nothing_and_says_so(self, form, slots, person):
        person.types(slots[1].source, "hat.png")
        person.types(slots[2].source, "*.png")
        assert form.settle()
        assert "More than 4 images were given" in slots[2].status.value
        person.types(slots[2].source, "[csi]*.png")
        assert form.settle()
        assert "It gives 3 pictures, and 2 slots are free." in slots[2].status.value
        assert names(form) == [None, "hat.png", "[csi]*.png", None, None, None]
        assert form.paying.button.disabled

    def test_scene_and_style_take_one(self, form, slots, person):
        for slot in slots[4:]:
            person.types(slot.source, "[ch]at.png")
        assert form.settle()
        for slot in slots[4:]:
            assert "2 pictures" in slot.status.value
        person.types(slots[4].source, "sea.png")
        person.types(slots[5].source, "ink.png")
        person.types(slots[3].source, "cat.png")
        assert form.settle()
        assert roles(form) == [("subject", "cat.png"), ("scene", "sea.png"), ("style", "ink.png")]

    def test_a_url_is_not_fetched_here(self, form, slots, person):
        person.types(slots[0].source, "https://example.org/cat.png")
        assert form.settle()
        assert "the server fetches it" in slots[0].status.value
        assert form.request.references[0].url == "https://example.org/cat.png"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("caat.png", "nearest: cat.png"),
            ("notes.txt", "not an image"),
            (".", "folder"),
            ("htp://example.org/cat.png", "URL begins with http"),
            ("<b>&", "&lt;b&gt;"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_slot(self, form, slots, person, text, said):
        Path("notes.txt").write_text("no picture")
        person.types(slots[0].source, text)
        assert form.settle()
        assert said in slots[0].status.value
        assert 'role="alert"' in slots[0].status.value
        assert slots[0].source.value == text
        assert form.paying.button.disabled
        assert "Subject 1" in form.paying.why.value
        assert form.request is None

    def test_an_empty_text_and_the_cross_clear(self, form, slots, person):
        for clear in (lambda: person.types(slots[0].source, ""), lambda: person.clicks(slots[0].clear)):
            person.types(slots[0].source, "cat.png")
            assert form.settle()
            clear()
            assert names(form)[0] is None
            assert slots[0].source.value == slots[0].status.value == slots[0].tile.filled == ""
            assert not revealed(slots[0].clear)
            assert form.request is None


class TestVariables:
    def test_a_picture(self, variables, form, slots, person):
        variables["cat"] = Image.open("cat.png")
        person.types(slots[0].source, "cat")
        assert form.settle()
        assert form.references.entries[0].source.is_variable
        assert form.request.references[0].name == "cat"

    def test_a_list_goes_to_the_free_slots_by_its_parts(self, variables, form, slots, person):
        variables["cats"] = [Image.open("cat.png"), Path("hat.png"), "https://example.org/sea.png"]
        person.types(slots[0].source, "cats")
        assert form.settle()
        assert names(form)[:3] == ["cats[0]", "cats[1]", "https://example.org/sea.png"]
        assert (
            "subject_images=[cats[0], cats[1], &quot;https://example.org/sea.png&quot;]" in form.code.python._text.value
        )

    def test_they_are_listed_on_demand_and_used_in_a_role(self, variables, form, slots, person):
        variables.update(cat=Image.open("cat.png"), count=3)
        assert "cat" not in dict(form.whole.variables.options)
        person.clicks(find(form, "Refresh"))
        assert "cat" in dict(form.whole.variables.options)
        assert "count" not in dict(form.whole.variables.options)
        assert "cat" in slots[3].source.options
        person.chooses(form.whole.variables, "cat")
        for role in ("subject", "scene", "style"):
            person.clicks(find(form, f"as {role}"))
        assert form.settle()
        assert [role for role, _ in roles(form)] == ["subject", "scene", "style"]

    def test_one_that_is_made_afterwards_is_found_when_the_form_looks_again(self, variables, form, slots, person):
        person.types(slots[0].source, "cat")
        person.types(form.fields.prompt, "a {colour} cat")
        assert form.settle()
        assert "neither a variable" in slots[0].status.value
        variables.update(cat=Image.open("cat.png"), colour="red")
        person.clicks(find(form, "Refresh"))
        assert form.settle()
        assert form.request.prompt == "a red cat"
        assert form.request.references[0].name == "cat"

    def test_one_that_holds_no_picture(self, variables, form, slots, person):
        variables.update(count=3, none=[])
        person.types(slots[0].source, "count")
        person.types(slots[1].source, "none")
        assert form.settle()
        assert "int" in slots[0].status.value
        assert "empty" in slots[1].status.value
        assert names(form)[:2] == ["count", "none"]

    def test_one_that_raises_whatever_it_likes(self, variables, form, slots, person):
        class Odd:
            def __kling_reference__(self):
                raise LookupError("gone")

        variables["odd"] = Odd()
        person.types(slots[0].source, "odd")
        assert form.settle()
        assert "gone" in slots[0].status.value


def find(form, label):
    """Find a button of the form by what is on it."""
    parts = [form.widget]
    while parts:
        part = parts.pop(0)
        if getattr(part, "description", None) == label:
            return part
        parts += getattr(part, "children", ())
    raise AssertionError(label)


class TestDropping:
    def test_a_file_in_chunks(self, form, slots, person, pictures):
        data = pictures(7) + b"\0" * (2 * CHUNK)
        answers = person.drops(slots[1], ("my cat.png", data))
        assert [answer["kind"] for answer in answers].count("ack") == 3
        assert form.settle()
        (path,) = Path("kling_runs/sandbox/uploads").iterdir()
        assert path.read_bytes() == data
        assert path.name.startswith("my-cat-")
        assert names(form)[1] == str(path.relative_to(Path.cwd()) if path.is_absolute() else path)
        assert slots[1].tile._thumbnail[:2] == b"\xff\xd8"
        assert form.request.references[0].role == "subject"

    def test_several_at_once_go_to_the_free_slots(self, form, slots, person, pictures):
        person.types(slots[1].source, "hat.png")
        person.drops(slots[0], *((f"{number}.png", pictures(number)) for number in (6, 7, 8)))
        assert form.settle()
        assert [str(name).rpartition("/")[2][:2] for name in names(form)[:4]] == ["6-", "ha", "7-", "8-"]

    def test_more_than_are_free(self, form, slots, person, pictures):
        person.drops(slots[2], *((f"{number}.png", pictures(number)) for number in (6, 7, 8)))
        assert form.settle()
        assert "3 pictures" in slots[2].status.value
        assert form.paying.button.disabled

    def test_two_on_a_slot_that_takes_one(self, form, slots, person, pictures):
        person.drops(slots[4], ("6.png", pictures(6)), ("7.png", pictures(7)))
        assert form.settle()
        assert "2 files" in slots[4].status.value

    def test_what_is_no_picture_is_said_and_not_kept(self, form, slots, person):
        person.drops(slots[0], ("notes.txt", b"no picture"))
        assert form.settle()
        assert 'role="alert"' in slots[0].status.value
        assert not Path("kling_runs/sandbox/uploads").exists()

    def test_a_chunk_out_of_turn_is_refused_and_the_next_file_arrives(self, form, slots, person, pictures):
        answers = []
        slots[0].tile.send = lambda content, buffers=None: answers.append(content)
        person.tells(slots[0].tile, {"kind": "chunk", "id": "a", "step": 1, "steps": 2, "name": "a.png"}, [b"x"])
        assert answers[-1]["kind"] == "refused"
        assert answers[-1]["id"] == "a"
        person.drops(slots[0], ("6.png", pictures(6)))
        assert form.settle()
        assert form.request is not None

    def test_pasted_text_and_the_delete_key(self, form, slots, person):
        person.tells(slots[0].tile, {"kind": "text", "text": "https://example.org/cat.png"})
        assert form.settle()
        assert form.request.references[0].url == "https://example.org/cat.png"
        person.tells(slots[0].tile, {"kind": "clear"})
        assert names(form)[0] is None

    def test_the_thumbnail_comes_again_to_a_page_that_is_loaded_again(self, form, slots, person):
        person.types(slots[0].source, "cat.png")
        assert form.settle()
        sent = []
        slots[0].tile.send = lambda content, buffers=None: sent.append((content["kind"], buffers))
        person.tells(slots[0].tile, {"kind": "ready"})
        assert sent == [("thumbnail", [form.references.entries[0].thumbnail])]

    def test_what_no_tile_says_does_nothing(self, form, slots, person):
        for message in ({"kind": "moved", "from": "junk"}, {"kind": "moved"}, {"kind": "what"}, {}, "text", None):
            person.tells(slots[0].tile, message)
        assert names(form) == [None] * 6


class TestUploadButton:
    def test_it_stands_in_until_the_tile_lives(self, form, slots, person):
        assert not slots[0].alive
        person.tells(slots[0].tile, {"kind": "ready"})
        assert slots[0].alive
        assert not revealed(slots[0]._fallback)
        assert not slots[1].alive

    def test_a_file_is_taken_and_not_left_in_its_state(self, form, slots, person, pictures):
        before = slots[0].upload
        person.uploads(slots[0], "cat.png", pictures(7))
        assert before.value == ()
        assert slots[0].upload is not before
        assert slots[0].upload in slots[0]._fallback.children
        assert before.comm is None
        assert form.settle()
        assert form.request.references[0].data == pictures(7)
        person.uploads(slots[0], "hat.png", pictures(8))
        assert form.settle()
        assert form.request.references[0].data == pictures(8)

    def test_one_that_does_not_answer_is_replaced(self, form, slots, person):
        before = slots[0].upload
        person.clicks(slots[0]._fallback.children[-1])
        assert slots[0].upload is not before
        assert slots[0].upload in slots[0]._fallback.children


class TestMoving:
    def test_the_arrows(self, form, slots, person):
        person.types(slots[0].source, "[ch]at.png")
        assert form.settle()
        assert not revealed(slots[0].left)
        assert not revealed(slots[3].right)
        person.clicks(slots[0].right)
        assert names(form)[:2] == ["hat.png", "cat.png"]
        person.clicks(slots[1].right)
        person.clicks(slots[2].left)
        assert names(form)[:3] == ["hat.png", "cat.png", None]
        assert [name for _, name in roles(form)] == ["hat.png", "cat.png"]

    def test_a_tile_is_dragged_to_another_role(self, form, slots, person):
        person.types(slots[0].source, "cat.png")
        person.types(slots[4].source, "sea.png")
        assert form.settle()
        person.tells(slots[4].tile, {"kind": "moved", "from": slots[0].tile.slot})
        assert roles(form) == [("subject", "sea.png"), ("scene", "cat.png")]
        person.tells(slots[5].tile, {"kind": "moved", "from": slots[4].tile.slot})
        assert roles(form) == [("subject", "sea.png"), ("style", "cat.png")]

    def test_a_tile_of_another_form_moves_nothing_here(self, form, kling, person):
        other = kling.form(subject_images="hat.png")
        form.load(subject_images="cat.png", scene_image="sea.png")
        assert form.settle()
        assert other.settle()
        person.tells(form.references.slots[4].tile, {"kind": "moved", "from": other.references.slots[0].tile.slot})
        assert roles(form) == [("subject", "cat.png"), ("scene", "sea.png")]


class TestCuring:
    def test_a_button_makes_a_small_picture_fit(self, form, slots, person):
        assert not revealed(slots[0].cure)
        person.types(slots[0].source, "tiny.png")
        assert form.settle()
        assert "at least 300" in slots[0].status.value
        assert slots[0].cure.description == "Enlarge it"
        assert revealed(slots[0].cure)
        person.clicks(slots[0].cure)
        assert form.settle()
        assert not revealed(slots[0].cure)
        assert min(form.request.references[0].width, form.request.references[0].height) >= 300
        assert "--fit" in form.code.python._text.value or "fit=True" in form.code.python._text.value

    def test_an_upload_can_be_cured_too(self, form, slots, person, pictures):
        person.drops(slots[4], ("tiny.png", pictures(5, 100, 100)))
        person.types(slots[0].source, "cat.png")
        assert form.settle()
        assert revealed(slots[4].cure)
        person.clicks(slots[4].cure)
        assert form.settle()
        assert form.request.scene_image.width >= 300


class TestSlowPictures:
    def test_the_form_goes_on_and_generate_waits(self, variables, form, slots, person, slow):
        variables["later"] = slow()
        person.types(slots[0].source, "later")
        assert variables["later"].asked.wait(20)
        assert "Looking" in slots[0].status.value
        person.types(form.fields.prompt, "a cat")
        assert form.fields.count.value.count("5 of 2,500")
        assert form.paying.button.disabled
        variables["later"].free.set()
        assert form.settle()
        assert not form.paying.button.disabled

    @pytest.mark.parametrize("anew", ["typed", "cleared", "dropped", "uploaded"])
    def test_a_slot_that_is_filled_anew_meanwhile_keeps_the_new_one(
        self, variables, form, slots, person, slow, pictures, anew
    ):
        variables["later"] = slow()
        person.types(slots[0].source, "later")
        assert variables["later"].asked.wait(20)
        if anew == "typed":
            person.types(slots[0].source, "cat.png")
        elif anew == "cleared":
            person.clicks(slots[0].clear)
        elif anew == "dropped":
            person.drops(slots[0], ("new.png", pictures(7)))
        else:
            person.uploads(slots[0], "new.png", pictures(7))
        variables["later"].free.set()
        assert form.settle()
        found = names(form)[0]
        assert found != "later"
        assert (found is None) == (anew == "cleared")
        assert slots[0].source.value == (found or "")
        assert (form.request is None) == (anew == "cleared")

    def test_what_is_being_looked_at_is_not_moved(self, variables, form, slots, person, slow):
        variables["later"] = slow()
        person.types(slots[1].source, "cat.png")
        assert form.settle()
        person.types(slots[0].source, "later")
        assert variables["later"].asked.wait(20)
        person.clicks(slots[0].right)
        assert names(form)[:2] == ["later", "cat.png"]
        variables["later"].free.set()
        assert form.settle()
        assert names(form)[:2] == ["later", "cat.png"]
