"""``%kling`` in a real InteractiveShell, with the sandbox over a real socket."""

import subprocess
import sys

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import kling_nb
from kling_nb.key import kernel as kernel_state
from kling_nb.session.dryrun import DryRun
from kling_nb.session.task import Task


def creates(shell):
    return [seen for seen in shell.sandbox.requests if seen.method == "POST" and seen.origin == "api"]


def body(shell, index=-1):
    return shell.sandbox.ledger.entries()[index]


class TestGenerate:
    def test_a_line_shows_the_grid_once_and_returns_the_task(self, shell):
        ran = shell.run("%kling -s cat.png -n 2 a cat wearing the hat")
        assert isinstance(ran.value, Task)
        assert ran.value.task_status == "succeeded"
        assert len(ran.shown) == 1
        assert ran.html.count("<img") >= 2
        assert "a cat wearing the hat" in ran.html
        assert "SANDBOX" in ran.html
        assert len(ran.value.images) == 2

    def test_an_assignment_shows_once_and_the_name_alone_shows_it_again(self, shell):
        ran = shell.run("x = %kling -s cat.png a cat")
        assert len(ran.shown) == 1
        assert ran.value is None
        assert ran.printed == ""
        assert "a cat" in shell.run("x").printed

    def test_the_echo_of_the_returned_task_is_left_out_in_the_same_execution_only(self, shell):
        ran = shell.run("%kling -s cat.png a cat")
        assert "a cat" not in ran.printed
        assert "a cat" in shell.run("_").printed

    def test_every_call_of_a_loop_and_of_a_cell_is_shown(self, shell):
        ran = shell.run("for i in range(2):\n    %kling -s cat.png a cat\n%kling -s hat.png a hat")
        assert len(ran.shown) == 3

    def test_a_cell_has_its_body_as_the_prompt(self, shell):
        ran = shell.run("%%kling -s cat.png -a 3:2 -o task  # a comment\nThe cat surfs,\n  and waves: {not a name}.\n")
        assert shell.ns["task"] is ran.value
        assert ran.value.prompt == "The cat surfs,\n  and waves: {not a name}."
        assert ran.value.aspect_ratio == "3:2"

    def test_every_field_arrives_as_it_was_given(self, shell):
        shell.run(
            "%kling -s cat.png --subject hat.png --scene cat.png --style hat.png -n 3 --aspect-ratio 21:9 --model kling-v2 "
            "--callback-url https://example.org/done --external-task-id my-17 --watermark all of it"
        )
        task = shell.run("%kling show my-17").value
        assert task.request["model_name"] == "kling-v2"
        assert task.request["n"] == 3
        assert task.request["aspect_ratio"] == "21:9"
        assert task.request["callback_url"] == "https://example.org/done"
        assert task.request["external_task_id"] == "my-17"
        assert task.request["watermark_info"] == {"enabled": True}
        assert [(r.role, r.name) for r in task.references] == [
            ("subject", "cat.png"),
            ("subject", "hat.png"),
            ("scene", "cat.png"),
            ("style", "hat.png"),
        ]
        assert task.images[0].watermark_url

    def test_what_is_not_given_is_not_sent(self, shell):
        task = shell.run("%kling -s cat.png").value
        assert set(task.request) == {"model_name", "subject_image_list", "n", "external_task_id"}
        assert task.request["model_name"] == "kling-v2-1"
        assert task.request["n"] == 1

    def test_references_are_variables_files_globs_and_results(self, shell):
        shell.run("from PIL import Image\nrefs = {'a hat': Image.open('hat.png')}")
        task = shell.run("%kling -s refs['a hat'] -s cat.png -o first a").value
        assert [r.name for r in task.references] == ["refs['a hat']", "cat.png"]
        chained = shell.run("%kling -s first.images[0] again").value
        assert chained.references[0].origin == f"{task.id} image 1"
        assert len(shell.run("%kling -s *.png both").value.references) == 2

    def test_variables_go_into_the_prompt_also_from_inside_a_function(self, shell):
        shell.run("hour = 7\nanimal = 'a {hour} cat'")
        assert shell.run("%kling -s cat.png at {hour}: {animal}, {{hour}}, ${hour}").value.prompt == (
            "at 7: a {hour} cat, {hour}, $7"
        )
        shell.run(
            "def f():\n    place = 'the moon'\n    return get_ipython().run_line_magic('kling', '-s cat.png on {place}')"
        )
        assert shell.run("f()").value.prompt == "on the moon"
        assert shell.run("%kling -s cat.png --raw at {hour}").value.prompt == "at {hour}"

    def test_a_question_mark_ends_a_prompt(self, shell):
        assert shell.run("%kling -s cat.png what is this?").value.prompt == "what is this?"
        shell.run("x = %kling -s cat.png why?")
        assert shell.ns["x"].prompt == "why?"

    @pytest.mark.parametrize("line", ["%kling -q -s cat.png a", "%kling --quiet -s cat.png a", "%kling -s cat.png a;"])
    def test_quiet_shows_nothing_and_returns_the_task(self, shell, line):
        ran = shell.run(line)
        assert ran.shown == []
        assert "html" not in ran.printed
        assert ran.value.task_status == "succeeded"
        assert ran.value.prompt == "a"

    def test_reuse_pays_once(self, shell):
        first = shell.run("%kling -s cat.png --reuse a cat").value
        second = shell.run("%kling -s cat.png --reuse a cat").value
        assert second.id == first.id
        assert len(creates(shell)) == 1
        assert shell.run("%kling -s cat.png a cat").value.id != first.id

    def test_fit_mends_what_breaks_a_limit(self, shell, tmp_path):
        from PIL import Image

        Image.new("RGB", (200, 100), "red").save(tmp_path / "small.png")
        ran = shell.run("%kling -s small.png a", fails=True)
        assert "300" in ran.printed
        assert "--fit" in ran.printed
        assert creates(shell) == []
        task = shell.run("%kling -s small.png --fit a").value
        assert task.references[0].changes
        assert min(task.references[0].width, task.references[0].height) >= 300

    def test_a_dry_run_sends_nothing_and_leaves_nothing_behind(self, shell, tmp_path):
        before = sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts)
        shell.run("%config KlingMagics.price_per_image = 0.056")
        ran = shell.run("x = %kling -s cat.png -n 4 --dry-run a cat")
        plan = shell.ns["x"]
        assert isinstance(plan, DryRun)
        assert plan.body()["n"] == 4
        assert "curl" in ran.text
        assert "sha256:" in ran.text
        assert creates(shell) == []
        assert sorted(path for path in tmp_path.rglob("*") if "gateway" not in path.parts) == before

    def test_in_the_background_the_task_is_returned_at_once_and_fills_in_later(self, shell):
        shell.sandbox.hold()
        ran = shell.run("%kling -s cat.png --background -o task a cat")
        assert shell.ns["task"].task_status in ("planned", "sending", "submitted", "processing")
        assert len(ran.shown) == 1
        shell.sandbox.release()
        waited = shell.run("%kling wait")
        assert shell.ns["task"].task_status == "succeeded"
        assert [task.id for task in waited.value] == [shell.ns["task"].id]

    def test_more_images_than_confirm_above_need_yes(self, shell):
        shell.run("%config KlingMagics.confirm_above = 2")
        ran = shell.run("%kling -s cat.png -n 3 a", fails=True)
        assert type(ran.error) is UsageError
        assert "--yes" in ran.printed
        assert creates(shell) == []
        assert shell.run("%kling -s cat.png -n 3 --yes a").value.task_status == "succeeded"


class TestErrors:
    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("%kling -s dgo.png a", "dgo.png"),
            ("%kling -s cat.png -n 12 a", "12"),
            ("%kling -s cat.png -a 5:4 a", "5:4"),
            ("%kling -s cat.png a cat -n 4", "before the prompt"),
            ("%kling -s cat.png {unknown}", "--raw"),
            ("%kling a cat", "-s"),
            ("%kling -s cat.png --callback-url nonsense a", "callback_url"),
            ("%kling -s cat.png -s cat.png -s cat.png -s cat.png -s hat.png a", "4"),
            ("%kling show nothing-like-it", "history"),
            ("%kling show a cat", "-s"),
            ("%%kling -s cat.png some words\nbody", "below"),
        ],
    )
    def test_a_bad_line_is_one_line_and_sends_nothing(self, shell, line, says):
        ran = shell.run(line, fails=True)
        assert type(ran.error) is UsageError
        lines = [text for text in ran.printed.splitlines() if text.strip()]
        assert len(lines) == 1, lines
        assert says in lines[0]
        assert creates(shell) == []

    def test_a_prompt_that_is_too_long_says_how_long(self, shell):
        ran = shell.run("%%kling -s cat.png\n" + "x" * 2501, fails=True)
        assert "2501" in ran.printed.replace(",", "")
        assert "Traceback" not in ran.printed

    def test_a_task_that_fails_raises_shows_and_binds(self, shell):
        ran = shell.run("%kling -s cat.png -o task [sandbox: fail] a cat", fails=True)
        assert isinstance(ran.error, kling_nb.TaskFailed)
        assert ran.error.task is shell.ns["task"]
        assert shell.ns["task"].task_status == "failed"
        assert "risk control" in ran.html

    def test_a_refusal_shows_the_users_line_the_code_and_what_to_do_and_no_frame_of_ours(self, shell):
        shell.run("def ask():\n    get_ipython().run_line_magic('kling', '-s cat.png [sandbox: refuse]')")
        ran = shell.run("ask()", fails=True)
        assert isinstance(ran.error, kling_nb.ContentRefused)
        assert "1301" in ran.printed
        assert "request_id" in ran.printed
        assert "run_line_magic('kling', '-s cat.png [sandbox: refuse]')" in ran.printed
        assert "engine" not in ran.printed
        assert "site-packages" not in ran.printed

    def test_the_line_that_is_shown_is_the_one_that_was_typed(self, shell):
        ran = shell.run("x = 1\n%kling -s cat.png [sandbox: fail] a cat", fails=True)
        assert "line 2:  %kling -s cat.png [sandbox: fail] a cat" in ran.printed

    def test_a_create_whose_answer_is_lost_is_uncertain_until_the_user_decides(self, shell):
        shell.run("%config KlingMagics.grace = 0.05")
        shell.sandbox.faults.add(on="create", do="reset")
        ran = shell.run("%kling -s cat.png -o task a cat", fails=True)
        assert isinstance(ran.error, kling_nb.ConnectionFailed)
        task = shell.ns["task"]
        assert task.task_status == "uncertain"
        assert "may be billed" in ran.printed
        assert f"%kling resume --send {task.id}" in ran.printed
        assert "1 task uncertain" in shell.run("%kling resume").text
        assert len(creates(shell)) == 1
        assert "1 task of 1 collected" in shell.run(f"%kling resume --send {task.id}").text
        assert len(creates(shell)) == 2
        assert "there is nothing to forget" in shell.run(f"%kling resume --forget {task.id}", fails=True).printed

    def test_a_task_that_is_forgotten_is_not_asked_about_again(self, shell):
        shell.run("%config KlingMagics.grace = 0.05")
        shell.sandbox.faults.add(on="create", do="reset")
        shell.run("%kling -s cat.png -o task a cat", fails=True)
        assert "is closed. It may exist" in shell.run(f"%kling resume --forget {shell.ns['task'].id}").text
        assert "Nothing to collect." in shell.run("%kling resume").text

    def test_without_a_key_it_says_how_to_give_one_and_that_the_sandbox_needs_none(self, shell):
        shell.run("%kling sandbox off")
        ran = shell.run("%kling -s cat.png a cat", fails=True)
        assert isinstance(ran.error, kling_nb.ConfigurationError)
        assert "%kling login" in ran.printed
        assert "sandbox on" in ran.printed


class TestCommands:
    def test_help_lists_every_option_and_command(self, shell):
        from kling_nb.magics.options import COMMANDS, OPTIONS

        printed = shell.run("%kling help").printed
        for option in OPTIONS:
            assert all(name in printed for name in option.names)
        for command in COMMANDS:
            assert command.name in printed
        assert shell.run("%kling").printed == printed
        assert shell.run("%kling -h").printed == printed
        assert shell.run("%kling -s cat.png --help").printed == printed

    def test_history_is_newest_first_and_can_be_searched(self, shell):
        shell.run("%kling -s cat.png a cat\n%kling -s hat.png a hat")
        ran = shell.run("%kling history")
        assert [task.prompt for task in ran.value] == ["a hat", "a cat"]
        assert ran.html.index("a hat") < ran.html.index("a cat")
        assert [task.prompt for task in shell.run("%kling history hat").value] == ["a hat"]
        assert shell.run("%kling history nothing").value == []

    def test_show_finds_a_task_by_each_of_its_ids(self, shell):
        task = shell.run("%kling -s cat.png --external-task-id mine a cat").value
        for some_id in (task.id, task.id[-5:], task.task_id, "mine"):
            ran = shell.run(f"%kling show {some_id}")
            assert ran.value.id == task.id
            assert "<img" in ran.html

    def test_wait_for_one_task_shows_its_grid(self, shell):
        shell.sandbox.hold()
        task = shell.run("%kling -s cat.png --background a cat").value
        shell.sandbox.release()
        ran = shell.run(f"%kling wait {task.id}")
        assert ran.value.task_status == "succeeded"
        assert "<img" in ran.html

    def test_wait_with_nothing_under_way_says_so(self, shell):
        assert "Nothing is under way" in shell.run("%kling wait").text

    def test_the_sandbox_can_be_turned_off_and_on(self, shell):
        assert "off" in shell.run("%kling sandbox off").text
        assert not kling_nb.default().settings.sandbox
        assert "no key" in shell.run("%kling sandbox").text
        assert kling_nb.default().settings.sandbox

    def test_logout_forgets_the_key_of_login(self, shell):
        from kling_nb.key import Secret

        kernel_state.login = Secret("a-key")
        assert "forgotten" in shell.run("%kling logout").text
        assert kernel_state.login is None
        assert "No key" in shell.run("%kling logout").text

    def test_login_where_nobody_can_answer_names_the_variable(self, shell):
        ran = shell.run("%kling login", fails=True)
        assert "KLING_API_KEY" in ran.printed

    def test_resume_collects_what_an_earlier_kernel_left(self, shell):
        from kling_nb.session import gateway

        shell.sandbox.hold()
        task = shell.run("%kling -s cat.png -n 2 --background a cat").value
        running = kling_nb.default().session.gateway
        assert running.runner.wait(lambda: task.task_status in ("submitted", "processing"), 10)
        # The kernel dies: its threads are gone, and only the journal knows.
        running.close()
        gateway._gateways.clear()
        shell.sandbox.release()
        ran = shell.run("%kling resume")
        assert [t.id for t in ran.value] == [task.id]
        assert "1 task of 1 collected" in ran.text
        assert len(shell.run(f"%kling show {task.id}").value.images) == 2
        assert len(creates(shell)) == 1


class TestExtension:
    def traces(self, ip):
        return (
            sorted(ip.magics_manager.magics["line"]),
            sorted(ip.magics_manager.magics["cell"]),
            "KlingMagics" in ip.magics_manager.registry,
            [type(c).__name__ for c in ip.configurables].count("KlingMagics"),
            "KlingMagics" in ip.config,
            [getattr(f, "__name__", "") for f in ip.input_transformers_cleanup],
            len(ip.Completer.custom_matchers),
        )

    def test_unloading_leaves_no_trace_and_reloading_leaves_one_instance(self, new_kernel_state):
        InteractiveShell.clear_instance()
        config = Config()
        config.HistoryManager.enabled = False
        ip = InteractiveShell.instance(config=config)
        before = self.traces(ip)
        ip.run_line_magic("load_ext", "kling_nb")
        loaded = self.traces(ip)
        assert loaded != before
        ip.run_line_magic("config", "KlingMagics.slots = 3")
        ip.run_line_magic("reload_ext", "kling_nb")
        assert self.traces(ip) == loaded
        ip.run_line_magic("unload_ext", "kling_nb")
        assert self.traces(ip) == before
        InteractiveShell.clear_instance()

    def test_what_the_profile_configures_counts_when_it_is_loaded(self, new_kernel_state):
        InteractiveShell.clear_instance()
        config = Config()
        config.HistoryManager.enabled = False
        config.KlingMagics.model_name = "kling-v2"
        ip = InteractiveShell.instance(config=config)
        ip.run_line_magic("load_ext", "kling_nb")
        (magics,) = [c for c in ip.configurables if type(c).__name__ == "KlingMagics"]
        assert magics.chosen() == {"model_name": "kling-v2"}
        ip.run_line_magic("unload_ext", "kling_nb")
        InteractiveShell.clear_instance()

    def test_config_sets_the_defaults_and_never_the_key(self, shell):
        shell.run("%config KlingMagics.model_name = 'kling-v2'")
        assert shell.run("%kling -s cat.png a").value.model_name == "kling-v2"
        assert shell.run("%kling -s cat.png -m kling-v2-1 a").value.model_name == "kling-v2-1"
        from kling_nb.magics.extension import KlingMagics

        assert not [name for name in KlingMagics.class_trait_names(config=True) if "key" in name]

    def test_a_bad_config_value_names_the_setting(self, shell):
        shell.run("%config KlingMagics.base_url = 'http://example.com'")
        ran = shell.run("%kling -s cat.png a", fails=True)
        assert "KlingMagics.base_url" in ran.printed
        assert "https" in ran.printed

    def test_every_setting_can_be_configured_and_is_a_setting(self):
        from kling_nb import settings
        from kling_nb.magics.extension import SETTINGS, KlingMagics

        assert set(SETTINGS) == settings.SETTINGS - {"sandbox"}
        assert set(SETTINGS) <= set(KlingMagics.class_trait_names(config=True))

    def test_completion_offers_options_also_after_an_assignment(self, shell):
        for line in ("%kling --asp", "x = %kling --asp"):
            with provisionalcompleter():
                matches = [match.text for match in shell.ip.Completer.completions(line, len(line))]
            assert matches == ["--aspect-ratio"]

    def test_a_notice_says_what_is_unfinished_and_loading_writes_nothing(self, shell, tmp_path):
        shell.run("%config KlingMagics.grace = 0.05")
        shell.sandbox.faults.add(on="create", do="reset")
        shell.run("%kling -s cat.png a cat", fails=True)
        files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        shell.run("import os\nos.environ['KLING_SANDBOX'] = '1'")
        ran = shell.run("%reload_ext kling_nb")
        assert "1 task of an earlier session is not finished, 1 of them uncertain: `%kling resume`" in ran.text
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == files

    def test_what_this_kernel_has_under_way_is_of_no_earlier_session(self, shell):
        shell.sandbox.hold()
        shell.run("%kling -s cat.png --background -o task a cat\nimport os\nos.environ['KLING_SANDBOX'] = '1'")
        assert "earlier session" not in shell.run("%reload_ext kling_nb").text
        shell.sandbox.release()
        shell.ns["task"].wait(10)

    def test_the_docstring_answers_to_a_question_mark(self, shell):
        assert "%kling help" in shell.ip.object_inspect_text("%kling")


def test_a_wait_that_ends_too_early_says_that_the_task_goes_on(shell):
    shell.run("%config KlingMagics.timeout = 0.05")
    shell.sandbox.hold()
    ran = shell.run("%kling -s cat.png -o task a cat", fails=True)
    assert isinstance(ran.error, kling_nb.WaitTimeout)
    assert "%kling resume" in ran.printed
    shell.sandbox.release()
    shell.ns["task"].wait(10)
    assert shell.ns["task"].task_status == "succeeded"


def test_nothing_of_the_magic_needs_widgets():
    code = "import sys, kling_nb.magics.magic; sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
