"""PlatformIO's side of the in-repo development platform: which packages it needs.

The registry platforms fetch a compiler and SCons. This one takes those that are installed, and asks the
registry only for a compiler that is missing, so that a machine without a way to it builds the same firmware.
"""

import importlib.util
import json
import shutil
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.package.meta import PackageSpec
from platformio.platform.base import PlatformBase

TOOLCHAIN, COMPILER = "toolchain-gccarmnoneeabi", "arm-none-eabi-gcc"

#: stands in for the script of PlatformIO's own package; `folder` is where pip put SCons
SCONS = """\
import sys

sys.path.append({folder!r})
from SCons.Script import main

sys.exit(main())
"""


class TinynascortexmPlatform(PlatformBase):
    """The class PlatformIO looks for: named after platform.json's `name`, without its dash."""

    def configure_default_packages(self, variables, targets):
        packages = super().configure_default_packages(variables, targets)
        if not self.get_package(TOOLCHAIN) and shutil.which(COMPILER):
            self.packages[TOOLCHAIN]["optional"] = True
        self._take_scons_from_pip()
        return packages

    def is_embedded(self):
        """PlatformIO tells by the packages' uploader; here it is the virtual board or the host's OpenOCD."""
        return True

    def _take_scons_from_pip(self):
        """PlatformIO wants a package of exactly its series: two files around pip's SCons are one."""
        wanted = get_core_dependencies()["tool-scons"]
        installed = importlib.util.find_spec("SCons")
        spec = PackageSpec(owner="platformio", name="tool-scons", requirements=wanted)
        if installed is None or self.pm.get_package(spec):
            return
        package = Path(self.config.get("platformio", "workspace_dir")) / "tool-scons"
        package.mkdir(parents=True, exist_ok=True)
        manifest = {"name": "tool-scons", "version": wanted.lstrip("~^="), "description": "SCons from pip"}
        (package / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
        script = SCONS.format(folder=str(Path(installed.origin).parent.parent))
        (package / "scons.py").write_text(script, encoding="utf-8")
        self.packages["tool-scons"] = {
            "owner": "platformio",
            "version": f"symlink://{package}",
            "optional": False,
        }
