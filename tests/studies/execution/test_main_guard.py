"""Scripts that run a study are asked for a main guard before any process is started."""

import subprocess
import sys

import pytest

from studies.execution import backends, main_guard
from studies.spec.document import StudyError

CALL = "main_guard.check(); print('ran')"
WITHOUT = f"from studies.execution import main_guard\n{CALL}\n"

FORMS = {
    "guarded": (f"from studies.execution import main_guard\nif __name__ == '__main__':\n    {CALL}\n", None),
    "guarded the other way round, in a function": (
        "from studies.execution import main_guard\ndef main():\n"
        f"    {CALL}\nif __name__ is not None and '__main__' == __name__:\n    main()\n",
        None,
    ),
    "without": (WITHOUT, 2),
    "in a function": (
        f"from studies.execution import main_guard\ndef main():\n    {CALL}\n# __name__\nmain()\n",
        5,
    ),
    "in a loop, after a guard": (
        "from studies.execution import main_guard\nif __name__ == '__main__':\n    pass\n"
        f"for _ in range(2):\n    {CALL}\n",
        5,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_script_is_refused_where_it_would_run_itself_again(form, tmp_path):
    source, line = FORMS[form]
    script = tmp_path / "script.py"
    script.write_text(source)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    if line is None:
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ran\n", "")
    else:
        assert (ended.returncode, ended.stdout) == (1, "")
        last = ended.stderr.splitlines()[-1]
        assert last.startswith(f"studies.spec.document.StudyError: {script}:{line}: runs")


def test_nothing_is_asked_of_sessions_that_are_never_imported():
    ended = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ran\n", "")


FROM_STDIN = """\
from multiprocessing import get_context
from studies.execution import main_guard
main_guard.check()
process = get_context("spawn").Process(target=print, args=("ran",))
with main_guard.imports_no_missing_script():
    process.start()
process.join()
print(process.exitcode, __file__)
"""


def test_the_processes_of_a_program_from_standard_input_do_not_look_for_its_file(tmp_path):
    command = [sys.executable, "-"]
    ended = subprocess.run(
        command, input=FROM_STDIN, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ran\n0 <stdin>\n", "")


def test_it_is_asked_before_trials_run_here_and_only_then(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(main_guard, "check", lambda: asked.append(True))
    backends.executor("local", 1, tmp_path)
    assert asked == [True]
    with pytest.raises(StudyError, match="nothing answers there"):
        backends.executor("ray://127.0.0.1:1", 1, tmp_path)
    assert asked == [True]
