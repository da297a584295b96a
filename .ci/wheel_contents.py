"""Check that a wheel has the working tree's files, byte for byte, and no others.

    python .ci/wheel_contents.py TREE WHEEL

Prints its size and its tags. Exits with 1 and a list if a file is missing, differs from the tree's
or does not belong there, or if the wheel is not below a megabyte.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from zipfile import ZipFile

LARGEST = 1_000_000


def sources(tree: Path) -> dict[str, bytes]:
    """The tree's files for a wheel: modules, stubs, marker, plugin, page and declarations."""
    src, declarations = tree / "src", tree / "ext/timerwheel"
    paths = {
        str(path.relative_to(src)): path
        for pattern in ("*.py", "*.pyi", "py.typed", "static/*")
        for path in src.rglob(pattern)
    }
    paths |= {f"timerwheel/{path.name}": path for path in declarations.glob("*.pxd")}
    return {name: path.read_bytes() for name, path in paths.items()}


def main(tree: Path, wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        contents = {entry.filename: archive.read(entry) for entry in files}
    expected = sources(tree)
    modules = {f"timerwheel/{path.stem}" for path in (tree / "ext/timerwheel").glob("*.pyx")}
    compiled = {name.partition(".")[0]: name for name in contents if name.endswith(".so")}
    metadata = {name for name in contents if ".dist-info/" in name}
    faults = [f"missing: {name}" for name in sorted(expected.keys() - contents.keys())]
    faults += [f"missing: {name}.*.so" for name in sorted(modules - compiled.keys())]
    faults += [
        f"not the tree's: {name}"
        for name in sorted(expected.keys() & contents.keys())
        if expected[name] != contents[name]
    ]
    known = expected.keys() | {compiled[name] for name in compiled.keys() & modules} | metadata
    faults += [f"does not belong: {name}" for name in sorted(contents.keys() - known)]
    if wheel.stat().st_size >= LARGEST:
        faults.append(f"{wheel.stat().st_size} bytes, of which there may be {LARGEST}")
    if faults:
        sys.exit("\n".join([f"{wheel.name}:", *faults]))
    (name,) = [name for name in metadata if name.endswith("/WHEEL")]
    tags = re.findall(r"^Tag: (\S+)", contents[name].decode(), re.MULTILINE)
    print(wheel.stat().st_size // 1024, ",".join(tags))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
