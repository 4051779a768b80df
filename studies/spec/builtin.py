"""The studies that come with the package: apart from what reads them, which takes seconds to import."""

from importlib import resources
from pathlib import Path


def builtin_names() -> list[str]:
    """Their names."""
    files = resources.files("studies").iterdir()
    return sorted(Path(file.name).stem for file in files if file.name.endswith(".yaml"))


def builtin_file(name: str) -> Path:
    """The file of one of them."""
    return Path(str(resources.files("studies") / f"{name}.yaml"))
