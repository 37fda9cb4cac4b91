"""A wheel with compiled kernels is for one Python and one kind of machine, and its name says so."""

from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelsHook(BuildHookInterface):
    """What `softreg-fast build-kernels` has made goes into the wheel."""

    def initialize(self, version, build_data):
        """Name the wheel after this Python and machine if kernels were built."""
        built = Path(self.root) / "softreg_fast" / "kernels" / "built"
        if version == "standard" and any(built.glob("*/*.machine_code")):
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
