"""Which folder may include what: STYLE.md's picture of the layers, as tables."""

import re

from tree import Finding

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# What a folder may include from the project itself. Tests, benchmarks and examples see what they
# exercise; a folder that is not listed may include anything of ours.
LAYERS = {
    "include": {"starling"},
    "storage": {"starling", "storage"},
    "replication": {"starling", "storage", "replication"},
    "redis_bridge": {"starling", "storage", "redis_bridge"},
    "node": {"starling", "storage", "replication", "redis_bridge", "node"},
    "server": {"starling", "storage", "replication", "redis_bridge", "node", "server"},
    "examples": {"starling"},
}
OUR_FOLDERS = {"starling", "storage", "replication", "redis_bridge", "node", "server"}

# Libraries kept behind few doors: their headers, and the files that may include them. Tests and
# benchmarks may look behind the doors, the public headers and examples never.
DOORS = (
    ("Asio", re.compile(r"^asio(\.hpp|/)"), re.compile(r"^(node|server)/")),
    ("RocksDB", re.compile(r"^rocksdb/"), re.compile(r"^storage/rocks_[^/]*$")),
    # What several codecs share shows Cap'n Proto's types, and so stays behind the same door.
    ("Cap'n Proto", re.compile(r"^(capnp|kj)/|\.capnp\.h$|_codec_parts\.h$"),
     re.compile(r"^(storage|replication)/[^/]*(codec[^/]*\.cc|_codec_parts\.h)$")),
    ("hiredis", re.compile(r"^hiredis/"), re.compile(r"^redis_bridge/[^/]*codec[^/]*\.cc$")),
    ("CLI11", re.compile(r"^CLI/"), re.compile(r"^(server|cluster-test)/")),
    ("toml++", re.compile(r"^toml\+\+/"), re.compile(r"^server/")),
)
FREE_OF_DOORS = {"tests", "bench", "cmake"}
STANDARD_HEADER = re.compile(r"^[a-z_]+$")  # C++'s own have no suffix and no folder


def includes_of(file):
    """Yields (line, header, quoted) of every include."""
    for match in INCLUDE.finditer(file.text):
        yield file.line_of(match.start(2)), match.group(2), match.group(1) == '"'


def check_layers(tree):
    """Includes go down the layers only; public headers include std and starling/ alone."""
    for file in tree.files:
        if not file.is_cpp:
            continue
        allowed = LAYERS.get(file.folder)
        for line, header, quoted in includes_of(file):
            top = header.split("/")[0]
            if allowed is not None and top in OUR_FOLDERS and top not in allowed:
                yield Finding(file.path, line, f"{file.folder}/ may not include {header}: "
                              f"it may use {', '.join(sorted(allowed))}")
            elif (file.folder == "include" and top != "starling"
                  and not STANDARD_HEADER.match(header)):
                yield Finding(file.path, line, f"a public header may not include {header}: "
                              "only the standard library and starling/")
            elif quoted and "/" not in header and not header.endswith(".capnp.h"):
                yield Finding(file.path, line, f'write "{header}" with its folder')


def check_doors(tree):
    """Asio, RocksDB, Cap'n Proto and the like stay behind their doors."""
    for file in tree.files:
        if not file.is_cpp or file.folder in FREE_OF_DOORS:
            continue
        for line, header, _ in includes_of(file):
            for library, headers, doors in DOORS:
                if headers.search(header) and not doors.search(file.path):
                    yield Finding(file.path, line, f"{library} ({header}) may only be included by "
                                  f"files that match {doors.pattern}")
