import pytest
from hypothesis import given
from hypothesis import strategies as st

from kling_nb.notation.tokenizer import UsageProblem, near, next_token, shown, tokenize


def assert_one_line(problem):
    assert len(str(problem).splitlines()) == 1


def words(text):
    return [token.text for token in tokenize(text)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("   \t ", []),
        ("-s cat -n 4", ["-s", "cat", "-n", "4"]),
        ("-s\u00a0cat\u3000dog", ["-s", "cat", "dog"]),
        # A quote quotes where it opens a word or its value, and is a letter elsewhere.
        ('-s "my cat.png" x', ["-s", "my cat.png", "x"]),
        ("-s 'my cat.png' x", ["-s", "my cat.png", "x"]),
        ('--scene="my beach.jpg" x', ["--scene=my beach.jpg", "x"]),
        ('-s="my beach.jpg"', ["-s=my beach.jpg"]),
        ('style_image="a b"', ["style_image=a b"]),
        ("the cat's hat", ["the", "cat's", "hat"]),
        ('5" wide', ['5"', "wide"]),
        ('"my cat".png', ["my cat.png"]),
        ('"" x', ["", "x"]),
        ("http://h/?a='b c'", ["http://h/?a='b", "c'"]),
        # After `name=` there may be several values, and a doubled quote is one of the text.
        ('prompt="a cat, asleep","a hat" x', ["prompt=a cat, asleep,a hat", "x"]),
        ("prompt='a, b',c,'d e' x", ["prompt=a, b,c,d e", "x"]),
        ('prompt="say ""hi"" there","" x', ['prompt=say "hi" there,', "x"]),
        ('--vary=prompt="a b","c d" x', ["--vary=prompt=a b,c d", "x"]),
        ('style_image=refs["a, b"],"c d" x', ['style_image=refs["a, b"],c d', "x"]),
        ('n=5",6" x', ['n=5",6"', "x"]),
        ('--scene="a","b c" x', ['--scene=a,"b', 'c"', "x"]),  # an option has one value
        ('--scene="a""b c" x', ['--scene=a"b', 'c"', "x"]),
        ('a,"b c" x', ['a,"b', 'c"', "x"]),
        ('http://h/?a=,"b c"', ['http://h/?a=,"b', 'c"']),
        # A backslash is a backslash.
        (r"-s C:\pics\a.png", ["-s", r"C:\pics\a.png"]),
        (r'"C:\my pics\" x', ["C:\\my pics\\", "x"]),
        # A subscript holds together.
        ('refs["a"]', ['refs["a"]']),
        ('-s refs["my cat"] -n 2', ["-s", 'refs["my cat"]', "-n", "2"]),
        ("-s refs['it''s'] x", ["-s", "refs['it''s']", "x"]),
        ("images[a, b] x", ["images[a, b]", "x"]),
        ("images[ 1 : 3 ] x", ["images[ 1 : 3 ]", "x"]),
        ('df.img[refs["my cat"], 1][ 0 ] x', ['df.img[refs["my cat"], 1][ 0 ]', "x"]),
        ('--scene=refs["my cat"] x', ['--scene=refs["my cat"]', "x"]),
        ('refs["]"] x', ['refs["]"]', "x"]),
        # A bracket that cannot be a subscript's is a letter.
        ("cat[1.png -n 2", ["cat[1.png", "-n", "2"]),
        ("cat[1.png -n 2 a cat] hat", ["cat[1.png", "-n", "2", "a", "cat]", "hat"]),
        ("cat[1's.png a cat's] x", ["cat[1's.png", "a", "cat's]", "x"]),
        ("cat[2.png -s dog[3].png", ["cat[2.png", "-s", "dog[3].png"]),
        ("a] b", ["a]", "b"]),
        ("[a [b [c", ["[a", "[b", "[c"]),
    ],
)
def test_words(line, expected):
    assert words(line) == expected


def test_where_a_word_stands_includes_its_quotes():
    assert tokenize(' "a b"  c') == [("a b", 1, 6, True), ("c", 8, 9, False)]


@pytest.mark.parametrize(
    "line", ['-s "my cat', "-s 'my cat", '--scene="my', '"', 'prompt="a","b', 'prompt="a""', "--vary=prompt=a,'b"]
)
def test_an_open_quote_is_one_clear_line(line):
    with pytest.raises(UsageProblem, match="is never closed: close it, or leave it out") as problem:
        tokenize(line)
    assert "\n" not in str(problem.value)


def test_an_open_quote_reaches_to_the_end_of_a_line_being_typed():
    assert next_token('-s "my c', 3, unfinished=True) == ("my c", 3, 8, True)
    assert next_token('"', unfinished=True) == ("", 0, 1, True)


def test_what_a_message_quotes_is_short_printable_and_one_line():
    assert shown("a\n b\u2028c\x1b[1m") == "‘a b c\ufffd[1m’"
    assert len(shown("x" * 1000, 40)) == 42


def test_near_words_are_found_in_any_case():
    assert near("Cta", ["dog", "cat"]) == ["cat"]
    assert near("cat", []) == []


lines = st.text(st.sampled_from(list("ab-=[]'\",:.#;\\ \t\u00a0{}é")) | st.characters(), max_size=40)


@given(lines)
def test_gaps_and_words_make_the_line(line):
    try:
        tokens = tokenize(line)
    except UsageProblem as problem:
        assert_one_line(problem)
        return
    end = 0
    for token in tokens:
        gap, word = line[end : token.start], line[token.start : token.end]
        assert not gap.strip()
        assert gap or not end  # words are apart
        assert word == word.strip() or token.quoted
        assert token.quoted or token.text == word
        assert len(token.text) <= len(word)
        end = token.end
    assert not line[end:].strip()


@given(lines)
def test_a_line_being_typed_always_has_words(line):
    position = 0
    while (token := next_token(line, position, unfinished=True)) is not None:
        assert token.start < token.end <= len(line)
        position = token.end


@given(st.text(st.characters(exclude_characters='"'), max_size=30))
def test_quotes_make_anything_one_word(text):
    assert words(f'-s "{text}" x') == ["-s", text, "x"]


def test_many_brackets_cost_little():
    assert len(words("[" * 3000)) == 1
