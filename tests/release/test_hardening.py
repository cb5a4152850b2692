"""What protects the program as it ships, read from the ELF file itself with readelf.

PIE, full RELRO, no executable stack, stack protector, _FORTIFY_SOURCE, _GLIBCXX_ASSERTIONS, and
nothing linked that a server of this kind has no business with.
"""

import os
import re
import subprocess

import pytest

PROGRAM = os.environ.get("BELAY_PROGRAM", "build/release/belay")


@pytest.fixture(scope="module")
def elf():
    def read(*options):
        return subprocess.run(
            ["readelf", "--wide", *options, PROGRAM], check=True, capture_output=True, text=True
        ).stdout

    return read


def test_it_is_position_independent(elf):
    assert "DYN (Position-Independent Executable file)" in elf("--file-header")
    assert re.search(r"\(FLAGS_1\).*\bPIE\b", elf("--dynamic"))


def test_relocations_are_read_only_before_main(elf):
    assert "GNU_RELRO" in elf("--program-headers")
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", elf("--dynamic"))


def test_no_segment_is_writable_and_executable(elf):
    segments = re.findall(r"^  (\w+) +0x.* ([RWE ]{3}) 0x\w+$", elf("--program-headers"), re.M)
    assert dict(segments)["GNU_STACK"] == "RW "
    assert not [name for name, flags in segments if "W" in flags and "E" in flags]


def test_stack_smashing_is_noticed(elf):
    assert "__stack_chk_fail" in elf("--dyn-syms")


def test_copies_are_checked_against_their_buffers(elf):
    assert re.search(r"\b__(memcpy|memmove|read|recv|snprintf|vsnprintf|fdelt)_chk\b", elf("--dyn-syms"))


def test_containers_are_checked_against_their_bounds(elf):
    assert "__glibcxx_assert_fail" in elf("--dyn-syms")


def test_functions_are_marked_as_targets_of_calls(elf):
    # The note that switches the check on is lost in Debian 12's start-up files; the marks are not.
    if "X86-64" not in elf("--file-header"):
        pytest.skip("control-flow protection is checked on x86-64")
    code = subprocess.run(
        ["objdump", "--disassemble", "--section=.text", PROGRAM],
        check=True, capture_output=True, text=True,
    ).stdout
    assert re.search(r"<main>:\n.*endbr64", code) or code.count("endbr64") > 100


def test_only_known_libraries_are_linked(elf):
    known = (
        r"lib(c|m|gcc_s|stdc\+\+|ssl|crypto|re2|yaml-0|spdlog|fmt|cpp-httplib|prometheus-cpp-core"
        r"|mimalloc|brotli\w+|z|absl_\w+)\.so[.\d]*|ld-linux-[\w-]+\.so\.\d"
    )
    linked = re.findall(r"\(NEEDED\).*\[(.*)\]", elf("--dynamic"))
    assert linked and not [name for name in linked if not re.fullmatch(known, name)]


def test_no_path_of_the_build_machine_is_looked_in_for_libraries(elf):
    assert not re.search(r"\((RPATH|RUNPATH)\)", elf("--dynamic"))
