"""How SCons builds and uploads on the in-repo platform: as PlatformIO's ststm32 does without a framework."""

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
PLATFORM_DIR = env.PioPlatform().get_dir()
board = env.BoardConfig()
core = ["-mthumb", f"-mcpu={board.get('build.cpu')}"]

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-as",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    GDB="arm-none-eabi-gdb",
    OBJCOPY="arm-none-eabi-objcopy",
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    ARFLAGS=["rc"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    SIZEPROGREGEXP=r"^(?:\.text|\.rodata|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.stack|\.data|\.bss)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
)
env.Append(
    ASFLAGS=core,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=["-Os", "-ffunction-sections", "-fdata-sections", "-Wall", *core],
    CXXFLAGS=["-fno-rtti", "-fno-exceptions"],
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU")],
    LINKFLAGS=["-Os", "-Wl,--gc-sections,--relax", *core],
    LIBS=["c", "gcc", "m"],
    BUILDERS={
        "ElfToBin": Builder(
            action=env.VerboseAction("$OBJCOPY -O binary $SOURCES $TARGET", "Building $TARGET"),
            suffix=".bin",
        )
    },
)


def openocd_flags(probe):
    """For the host's own OpenOCD: the probe, the chip, and what to do."""
    target = board.get("debug.openocd_target", "nrf52")  # the one manifest of ours without, Nordic's
    scripts = ["-f", f"interface/{probe}.cfg", "-f", f"target/{target}.cfg"]
    return [*scripts, "-c", "program {$SOURCE} verify reset exit"]


if "nobuild" in COMMAND_LINE_TARGETS:
    elf, binary = "$BUILD_DIR/${PROGNAME}.elf", "$BUILD_DIR/${PROGNAME}.bin"
else:
    elf = env.BuildProgram()
    binary = env.ElfToBin("$BUILD_DIR/${PROGNAME}", elf)
    env.Depends(binary, "checkprogsize")

AlwaysBuild(env.Alias("nobuild", binary))
program = env.Alias("buildprog", binary, binary)
size = env.AddPlatformTarget(
    "size",
    elf,
    env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE"),
    "Program Size",
    "Calculate program size",
)

PROBES = ("stlink", "jlink", "cmsis-dap")
protocol = env.subst("$UPLOAD_PROTOCOL")
if protocol == "virtual" and env["ENV"].get("TINYNAS_UPLOAD") == "probe":
    protocol = board.get("upload.protocol")  # `tinynas flash` means the real board
plug = f'"$PYTHONEXE" "{PLATFORM_DIR}/virtual_board.py"'
if protocol == "virtual":
    port = env.GetProjectOption("monitor_port", "")
    env.Replace(UPLOADCMD=f'{plug} plug "$SOURCE" --board $BOARD --port "{port}"')
    env.AddPlatformTarget(
        "unplug", None, env.VerboseAction(f'{plug} unplug "$BUILD_DIR/firmware.elf"', "Unplugging"), "Unplug"
    )
elif protocol in PROBES:
    env.Replace(
        UPLOADER="openocd", UPLOADERFLAGS=openocd_flags(protocol), UPLOADCMD="$UPLOADER $UPLOADERFLAGS"
    )
if protocol in ("virtual", "custom", *PROBES):
    upload = [env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")]
    env.AddPlatformTarget("upload", [elf, binary], upload, "Upload")

Default([program, size])
