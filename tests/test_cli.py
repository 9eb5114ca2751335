"""The command line: flags, their limits, and exit codes."""

import os
import subprocess
import sys
import time

import pytest

from tinya2i import cli
from tinya2i.errors import DataError, RunError
from tinya2i.training import Diverged


def raising(error):
    def function():
        raise error

    return function


# Flags


def test_every_common_flag_has_a_default():
    args = vars(cli.parser("x").parse_args([]))
    assert args == {
        "data": "toy",
        "data_dir": None,
        "offline": False,
        "speakers": "talk",
        "split": "random",
        "limit_train": None,
        "epochs": None,
        "batch_size": 128,
        "lr": 1e-3,
        "schedule": "linear",
        "seed": 0,
        "backend": "auto",
        "tf32": False,
        "out": None,
        "resume": False,
        "overwrite": False,
        "samples_every": 1,
        "checkpoint_every": 1,
        "dry_run": False,
        "quiet": False,
    }


def test_a_trainer_has_its_own_defaults_and_flags():
    flags = cli.parser("x", epochs=3, out="runs/vae", data="mix")
    flags.add_argument("--kl-warmup", type=cli.number(0), default=2.0)
    args = flags.parse_args(["--kl-warmup", "0.5"])
    assert (args.epochs, args.out, args.data, args.kl_warmup) == (3, "runs/vae", "mix", 0.5)
    assert "(default: 3)" in " ".join(flags.format_help().split())
    with pytest.raises(TypeError, match="epoch"):
        cli.parser("x", epoch=3)


@pytest.mark.parametrize(
    "line",
    [
        *("--epochs -1", "--epochs 1.5", "--epochs many", "--batch-size 0", "--seed -1"),
        *("--lr 0", "--lr -1", "--lr nan", "--lr inf", "--lr fast", "--limit-train 0"),
        *("--samples-every -1", "--checkpoint-every -1", "--split sometimes", "--split speaker:"),
        *("--data imagenet", "--backend torch", "--unknown 1", "--epoch 1"),
    ],
)
def test_bad_values_leave_with_2_and_name_the_flag(line, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.parser("x").parse_args(line.split())
    assert caught.value.code == 2
    errors = capsys.readouterr().err
    assert "error: " in errors
    assert line.split()[0] in errors


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("--epochs 0", "epochs", 0),
        ("--lr 1e-9", "lr", 1e-9),
        ("--split speaker:theo", "split", "speaker:theo"),
        ("--split official", "split", "official"),
        ("--samples-every 0", "samples_every", 0),
        ("--limit-train 1", "limit_train", 1),
    ],
)
def test_good_values_are_taken(line, name, value):
    assert getattr(cli.parser("x").parse_args(line.split()), name) == value


@pytest.mark.parametrize("text", ["-0.1", "1.1", "nan", "x"])
def test_numbers_within_bounds(text):
    flags = cli.parser("x")
    flags.add_argument("--share", type=cli.number(0, 1))
    assert flags.parse_args(["--share", "1"]).share == 1
    with pytest.raises(SystemExit):
        flags.parse_args([f"--share={text}"])


def test_loop_options_are_what_train_takes():
    args = cli.parser("x").parse_args(["--epochs", "4", "--dry-run", "--quiet"])
    assert cli.loop_options(args) == {
        "epochs": 4,
        "samples_every": 1,
        "checkpoint_every": 1,
        "limit_steps": cli.DRY_STEPS,
        "quiet": True,
    }
    assert cli.loop_options(cli.parser("x").parse_args([]))["limit_steps"] is None


# Exit codes


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("no data; get some"), 2, "error: no data; get some\n"),
        (RunError("folder"), 2, "error: folder\n"),
        (Diverged("nan in step 3"), 1, "error: nan in step 3\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (KeyboardInterrupt("saved"), 130, "saved\n"),
    ],
)
def test_exit_codes_and_messages(error, code, message, capsys):
    assert cli.exit_code(raising(error)) == code
    assert capsys.readouterr().err == message


def test_success_is_0_and_other_errors_keep_their_traceback():
    assert cli.exit_code(lambda: None) == 0
    with pytest.raises(ZeroDivisionError):
        cli.exit_code(lambda: 1 / 0)
    with pytest.raises(SystemExit) as caught:
        cli.main(lambda: None)
    assert caught.value.code == 0


def python(code, **options):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


def test_a_broken_pipe_is_quiet():
    code = "from tinya2i import cli\ncli.main(lambda: [print('line ' * 50) for i in range(5000)])"
    process = python(code, stdout=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert errors == b""


def test_help_and_version_load_nothing_heavy():
    heavy = "{'cupy', 'matplotlib', 'soundfile', 'scipy.signal', 'tinya2i.data'}"
    for flag, text in (("--help", b"--checkpoint-every"), ("--version", b"tinya2i 0")):
        code = (
            "import sys, atexit\n"
            f"atexit.register(lambda: sys.stderr.write(repr({heavy} & set(sys.modules))))\n"
            "from tinya2i import cli\n"
            f"cli.parser('x').parse_args(['{flag}'])"
        )
        process = python(code, stdout=subprocess.PIPE)
        output, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert text in output
        assert errors == b"set()"


def test_making_the_parser_is_instant():
    began = time.perf_counter()
    cli.parser("x").format_help()
    assert time.perf_counter() - began < 0.1
