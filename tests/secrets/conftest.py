"""A key that is found again wherever it went, and a gateway that takes no other."""

import copy
import functools
import gc
import importlib.util
import logging
import pickle
import pprint
import re
import sys
import traceback
import types
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.ultratb import VerboseTB
from PIL import Image

import kling_nb.kling as facade
from kling_nb import Kling
from kling_nb.engine import backoff, searching
from kling_nb.key import KernelState, Secret, kernel
from kling_nb.remote import client as client_module
from kling_nb.remote.client import Timeouts
from kling_nb.sandbox import Sandbox
from kling_nb.session import gateway

_spec = importlib.util.spec_from_file_location("secrets_finding", Path(__file__).with_name("finding.py"))
finding = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(finding)

PACKAGE = str(Path(facade.__file__).parent)
# What a module or a class holds is everybody's; a function's globals are its module's.
_NOT_FOLLOWED = (type, types.ModuleType, types.CodeType)
_LOOKED_AT = set()
_CACHED = type(functools.cache(len))


@pytest.fixture(scope="session")
def new_mark():
    return finding.Mark


@pytest.fixture(scope="session")
def texts_in_files():
    return finding.texts_in


def _safe_repr(thing):
    try:
        return repr(thing)
    except Exception as error:
        return repr(error)


class Scene:
    """A gateway with one good key, what uses it, and everything that came of that."""

    def __init__(self, mark, box, folder, monkeypatch, caplog, capfd):
        self.mark, self.box, self.folder = mark, box, folder
        self.patch, self.caplog, self.capfd = monkeypatch, caplog, capfd
        self.made = []

    def use(self, way):
        """Put the key where the user keeps it; return the argument of `Kling`, if it is one."""
        given = {
            "argument": self.mark.key,
            "with Bearer": f"Bearer {self.mark.key}\n",
            "callable": lambda: self.mark.key,
            "callable of a Secret": lambda: Secret(self.mark.key),
            "Secret": Secret(self.mark.key),
        }.get(way)
        if way == "environment":
            self.patch.setenv("KLING_API_KEY", self.mark.key)
        elif way == ".env":
            Path(".env").write_text(f"KLING_API_KEY={self.mark.key}\n")
        elif way == "login":
            kernel.login = Secret(self.mark.key)
        elif way in ("keyring", "Colab"):
            self._be_kept_by(way)
        return given

    def _be_kept_by(self, way):
        module = types.ModuleType("kept")
        module.get_password = lambda service, name: self.mark.key
        module.userdata = types.SimpleNamespace(get=lambda name: self.mark.key)
        if way == "keyring":
            self.patch.setitem(sys.modules, "keyring", module)
        else:
            google = types.ModuleType("google")
            google.colab = module
            self.patch.setitem(sys.modules, "google", google)
            self.patch.setitem(sys.modules, "google.colab", module)

    def kling(self, way="argument", **settings):
        """Return a `Kling` that uses the gateway as a real one."""
        quick = {"poll_interval": 0.01, "grace": 0.05, "timeout": 60}
        chosen = {"base_url": self.box.base_url, "workspace": self.folder / "workspace", **quick, **settings}
        self.made.append(Kling(self.use(way), **chosen))
        return self.made[-1]

    def say(self, *texts):
        """Something was shown: the key must not be in it."""
        for text in texts:
            self.mark.must_not_be_in(text, "what was shown")

    def show(self, *things):
        """Show things in every way that there is."""
        for thing in things:
            for way in (repr, str, format, ascii, pprint.pformat, dir, "{0} {0!r:>60}".format, copy.copy, pickle.dumps):
                try:
                    shown = way(thing)
                except Exception as error:
                    # Not everything can be copied or pickled; saying so must not show it either.
                    shown = f"{error!r} {error}"
                # The copy of a holder is shown, not searched: it may hold the key in a Secret.
                self.mark.must_not_be_in(shown if isinstance(shown, bytes) else repr(shown), f"{way} of {type(thing)}")
            if hasattr(thing, "__dict__"):
                self.mark.must_not_be_in(repr(vars(thing)), f"vars of {type(thing)}")
            if hasattr(thing, "_repr_mimebundle_"):
                self.say(repr(thing._repr_mimebundle_()))

    def look_at(self, error):
        """Show an error, and those behind it, as consoles, notebooks and reports of crashes do."""
        seen = []
        behind = [error]
        while behind:
            one = behind.pop()
            if one is None or one in seen:
                continue
            seen.append(one)
            behind += [one.__cause__, one.__context__, getattr(one, "cause", None)]
            where = f"a {type(one).__name__}"
            self.mark.must_not_be_in(repr((one, one.args, getattr(one, "__notes__", ""))) + str(one), where)
            # Each by itself: what is behind it has its own turn.
            formatted = traceback.format_exception(type(one), one, one.__traceback__, chain=False)
            self.mark.must_not_be_in("".join(formatted), f"the traceback of {where}")
            for frame, _ in traceback.walk_tb(one.__traceback__):
                # As `traceback` captures them, and pytest, and those who report crashes.
                for name, value in frame.f_locals.items():
                    self.mark.must_not_be_in(_safe_repr(value), f"the variable {name} of {frame.f_code.co_name}")
            self.mark.must_not_be_in(repr(vars(one)), f"the attributes of {where}")
            if hasattr(one, "_render_traceback_"):
                self.say(*one._render_traceback_())
            try:
                self.mark.must_not_be_in(pickle.dumps(one), f"a pickled {type(one).__name__}")
            except (TypeError, AttributeError, pickle.PicklingError) as refusal:
                # An error that carries a task carries its locks.
                self.say(str(refusal))
            self._look_closely(one)

    def _look_closely(self, error):
        # IPython's own verbose traceback is slow, and shows of the variables those that the lines name: once for
        # each place that raises is enough, as all variables are searched each time.
        frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
        place = next((code for code in reversed(frames) if code.co_filename.startswith(PACKAGE)), None)
        if place is not None and place not in _LOOKED_AT:
            _LOOKED_AT.add(place)
            coloured = VerboseTB().text(type(error), error, error.__traceback__)
            self.say(re.sub(r"\x1b\[[0-9;]*m", "", coloured))

    def check(self):
        """Search everything for the key."""
        out, err = self.capfd.readouterr()
        self.say(out, err)
        for record in self.caplog.records:
            self.mark.must_not_be_in(f"{record.getMessage()} {vars(record)}", f"the log of {record.name}")
        for where, text in finding.texts_in(self.folder, Path.cwd(), skip=(".env",)):
            self.mark.must_not_be_in(text, where)
        for seen in self.box.requests:
            headers = {name: value for name, value in seen.headers.items() if name != "authorization"}
            self.mark.must_not_be_in(repr((seen, headers)), f"a request to {seen.origin}")
            allowed = {"api": f"Bearer {self.mark.key}", "images": None}[seen.origin]
            assert seen.headers.get("authorization") in (allowed, None)
        for thing in self._reachable():
            if type(thing).__module__.partition(".")[0] == "kling_nb":
                self.mark.must_not_be_in(repr(thing), f"the repr of {type(thing)}")
        self._check_threads()

    def _reachable(self):
        """Yield every object that our modules and what the user holds lead to; a Secret leads nowhere."""
        ours = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "kling_nb"]
        # The sandbox is the gateway's side.
        roots = [vars(module) for module in ours if "sandbox" not in module.__name__]
        known, waiting = {id(self), id(self.mark), id(self.box), id(sys.modules)}, [*self.made, *roots]
        while waiting:
            thing = waiting.pop()
            # The cache of `urlsplit` is the whole process's, and the gateway is in this one.
            foreign = isinstance(thing, _CACHED) and not thing.__module__.startswith("kling_nb")
            if id(thing) in known or foreign or isinstance(thing, _NOT_FOLLOWED):
                continue
            known.add(id(thing))
            if isinstance(thing, (str, bytes)):
                self.mark.must_not_be_in(thing, "a variable")
                continue
            yield thing
            if isinstance(thing, types.FunctionType):
                # A function of the user's may know the key; one of ours may not.
                if thing.__code__.co_filename.startswith(PACKAGE):
                    waiting += thing.__closure__ or ()
            elif not isinstance(thing, Secret):
                waiting += gc.get_referents(thing)

    def _check_threads(self):
        for frame in sys._current_frames().values():
            while frame is not None:
                if frame.f_code.co_filename.startswith(PACKAGE) and "sandbox" not in frame.f_code.co_filename:
                    self.mark.must_not_be_in(repr(dict(frame.f_locals)), f"a variable of {frame.f_code.co_name}")
                frame = frame.f_back


@pytest.fixture(autouse=True)
def nothing_left():
    """Forget, before and after, what this process knows of gateways, settings and the kernel."""

    def forget():
        gateway.close_all()
        facade._default.clear()
        facade._config.clear()
        facade._key._slow = None
        for name in KernelState.__slots__:
            setattr(kernel, name, None)

    forget()
    yield
    forget()


@pytest.fixture
def mark():
    return finding.Mark()


@pytest.fixture
def cat():
    return Image.new("RGB", (400, 320), "orange")


@pytest.fixture
def box(mark, tmp_path):
    """The gateway: takes this key and no other, and has made every image by the first look."""
    with Sandbox(tmp_path / "gateway", key=mark.key, seconds=0, images="constant", slots=500) as started:
        yield started


@pytest.fixture
def scene(mark, box, tmp_path, monkeypatch, caplog, capfd, nothing_left):
    """Everything that is logged, by anybody and at any level, is kept and searched."""
    caplog.set_level(logging.NOTSET)
    # Whatever keyring this machine has is not asked.
    monkeypatch.setitem(sys.modules, "keyring", None)
    return Scene(mark, box, tmp_path, monkeypatch, caplog, capfd)


@pytest.fixture
def quick(monkeypatch):
    """Let everything that waits give up within a blink."""
    monkeypatch.setattr(backoff, "delay", lambda failures, **limits: 0.01)
    monkeypatch.setattr(searching, "FIRST", 0.01)
    monkeypatch.setattr(client_module, "MAX_ANSWER", 300_000)
    short = functools.partial(gateway.Client, timeouts=Timeouts(1.0, 0.3, 0.3, 1.0, 1.0))
    monkeypatch.setattr(gateway, "Client", short)
    small = functools.partial(gateway.Downloader, max_bytes=300_000, timeout=0.5)
    monkeypatch.setattr(gateway, "Downloader", small)


@pytest.fixture
def shell(nothing_left):
    """A real shell that shows like a notebook's: through display, not through a terminal."""
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "kling_nb")
    yield made
    made.run_line_magic("unload_ext", "kling_nb")
    made.history_manager.end_session()
    InteractiveShell.clear_instance()
