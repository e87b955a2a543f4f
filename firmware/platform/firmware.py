"""What every environment adds to its platform's build: chip files, serial link, linker script, flags.

PlatformIO runs this inside SCons, before the platform's own builder (`extra_scripts = pre:`), with its own
Python: tinynas need not be installed, its board catalogue and linker module are taken from this checkout.
"""

import hashlib
import re
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS

Import("env")  # noqa: F821  SCons puts it there

#: where `tinynas build` lays the compiled network; main.c includes model.h and golden.h of it
MODEL = "model"
#: newlib's small variant, and its empty system calls; GCC refuses to be told twice
SPECS = ["--specs=nano.specs", "--specs=nosys.specs"]
#: platforms that tell it themselves
WITH_SPECS = ("nordicnrf52",)


def fail(message):
    sys.stderr.write(f"Error: {message}\n")
    env.Exit(1)  # noqa: F821


def check_model(env):
    """Without a network there is nothing to build, and the compiler's words for that help nobody."""
    folder = Path(env.GetProjectConfig().get("platformio", "lib_dir")) / MODEL
    if not (folder / "library.json").is_file():
        command = f"tinynas build MODEL --board {env.subst('$BOARD')}"
        fail(f"there is no network in {folder}: run `{command}` first, which lays it there")
    return folder


def arena_bytes(model):
    """What the network's arena takes; None where its header does not tell."""
    header = (model / "src" / "model.h").read_text(encoding="utf-8")
    found = re.search(r"#define MODEL_ARENA_BYTES (\d+)", header)
    return int(found[1]) if found else None


def build_id(folders):
    """Twelve hexadecimal digits that change with any source: the board repeats them when asked."""
    digest = hashlib.sha256()
    files = sorted(file for folder in folders for file in folder.rglob("*.[ch]*") if file.is_file())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def write_changed(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def name_program(env, project, model):
    """Board and build reach main.c alone, so that a changed source does not compile all others again."""
    folders = [project / "firmware" / part for part in ("hal", "link", "src")]
    names = {"TINYNAS_BOARD": env.subst("$BOARD"), "TINYNAS_BUILD": build_id([*folders, model])}
    defines = [(name, env.StringifyMacro(text)) for name, text in names.items()]

    def with_names(env, node):
        return env.Object(node, CPPDEFINES=[*env["CPPDEFINES"], *defines])

    env.AddBuildMiddleware(with_names, "*main.c")


def bare_metal(env, project, model):
    """Chip files, and a linker script from the board's regions and the network's arena."""
    sys.path.insert(0, str(project))
    try:
        from tinynas.board import load_board
        from tinynas.device.linker import board_header, chip_files, linker_script
        from tinynas.errors import TinynasError
    except SyntaxError:
        fail(f"PlatformIO runs on Python {sys.version.split()[0]}, tinynas needs 3.11: install it there")
    try:
        board = load_board(str(project / "boards" / f"{env.subst('$BOARD')}.json"))
        script = linker_script(board, arena_bytes=arena_bytes(model))
        header, files = board_header(board), chip_files(board)
    except TinynasError as failure:
        fail(str(failure))
    generated = Path(env.subst("$BUILD_DIR")) / "generated"
    write_changed(generated / "link.ld", script)
    write_changed(generated / "tinynas_board.h", header)

    # build_flags do not reach the linker, which chooses the C library by these
    core = [f"-mfpu={board.fpu}", "-mfloat-abi=hard"] if board.fpu else ["-mfloat-abi=soft"]
    env.Append(
        ASFLAGS=core,
        CCFLAGS=core,
        CFLAGS=["-std=gnu11"],
        CPPPATH=[str(generated)],
        LINKFLAGS=[*core, "-nostartfiles", *([] if env["PIOPLATFORM"] in WITH_SPECS else SPECS)],
        LDSCRIPT_PATH=str(generated / "link.ld"),
    )
    env.Append(LINKFLAGS=["-Wl,-Map,$BUILD_DIR/firmware.map"])
    env.BoardConfig().update("build.ldscript", str(generated / "link.ld"))
    env.Depends("$BUILD_DIR/firmware.elf", str(generated / "link.ld"))
    return files


def add_firmware(env):
    """Everything of ours, into the environment's build."""
    project = Path(env.subst("$PROJECT_DIR"))
    model = check_model(env)
    arduino = "arduino" in env.get("PIOFRAMEWORK", [])
    files = ["hal_arduino.cpp"] if arduino else bare_metal(env, project, model)
    name_program(env, project, model)
    hal, link = project / "firmware" / "hal", project / "firmware" / "link"
    env.Append(CPPPATH=[str(hal), str(link)], CCFLAGS=["-Wextra"])
    env.BuildSources("$BUILD_DIR/hal", str(hal), " ".join(f"+<{file}>" for file in files))
    env.BuildSources("$BUILD_DIR/link", str(link), "+<*.c>")


# what is built already is uploaded as it is, with or without a network at hand
if "nobuild" not in COMMAND_LINE_TARGETS:
    add_firmware(env)  # noqa: F821
