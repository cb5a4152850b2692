"""The image as the Dockerfile makes it: what is in it, what is said of it, and that it runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import time
import urllib.request

import pytest

from cluster.control_plane import die_with_parent, free_ports

LARGEST_BYTES = 40_000_000


@pytest.fixture(scope="module")
def contents(archive, tmp_path_factory):
    """The root file system, unpacked, and the image's configuration."""
    root = tmp_path_factory.mktemp("image")
    with tarfile.open(archive) as packed:
        manifest, = json.load(packed.extractfile("manifest.json"))
        config = json.load(packed.extractfile(manifest["Config"]))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=packed.extractfile(layer)) as files:
                files.extractall(root)
    root.chmod(0o755)  # pytest's own directories are closed to the image's user
    for folder in list(root.parents)[:-2]:
        folder.chmod(folder.stat().st_mode | 0o111)
    return root, config


def test_it_is_small(contents):
    root, _ = contents
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    print(f"image: {size / 1e6:.1f} MB unpacked")
    assert size < LARGEST_BYTES


def test_it_holds_the_program_its_libraries_and_certificates_and_nothing_else(contents):
    root, _ = contents
    files = {"/" + str(file.relative_to(root)) for file in root.rglob("*") if not file.is_dir()}
    library = re.compile(r"/(usr/)?lib\w*/([\w-]+/)?(lib[\w+.-]+\.so[.\d]*|ld-[\w.-]+\.so[.\d]*)")
    assert {file for file in files if not library.fullmatch(file)} == {
        "/usr/bin/belay", "/etc/ssl/certs/ca-certificates.crt", "/etc/passwd", "/etc/group"}


def test_nothing_in_it_gives_rights_or_can_be_written_by_its_user(contents):
    root, _ = contents
    for file in root.rglob("*"):
        assert file.stat().st_mode & 0o6022 == 0 or file.is_symlink(), file


def test_it_runs_as_a_numeric_user_without_rights(contents):
    root, config = contents
    assert config["config"]["User"] == "65532:65532"
    assert (root / "etc/passwd").read_text().startswith("belay:x:65532:65532:")


def test_it_says_what_it_is(contents):
    _, config = contents
    settings = config["config"]
    assert settings["Entrypoint"] == ["/usr/bin/belay"]
    assert "Healthcheck" not in settings
    said = {key.removeprefix("org.opencontainers.image."): value for key, value in settings["Labels"].items()}
    assert said["title"] == "belay" and said["licenses"] == "Apache-2.0"
    assert said["description"] and re.fullmatch(r"\d+\.\d+\.\d+.*", said["version"])
    assert re.fullmatch(r"[0-9a-f]{12,40}", said["revision"])


@pytest.fixture
def run(contents):
    """Runs the program in its root, which is read-only, as the image's user."""
    root, config = contents
    started = []

    def start(*words: str) -> subprocess.Popen:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec",
             'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; user=$1; shift; '
             'exec chroot --userspec="$user" "$0" /usr/bin/belay "$@"', str(root), config["config"]["User"], *words],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_program_runs_with_nothing_but_the_image_around_it(run, contents):
    _, config = contents
    process = run("version")
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert said.startswith("belay ")
    assert config["config"]["Labels"]["org.opencontainers.image.revision"][:12] in said


def test_the_server_gets_ready_on_a_read_only_root(run):
    port, admin_port = free_ports(2)
    process = run("serve", "--listen", f"127.0.0.1:{port}", "--admin-listen", f"127.0.0.1:{admin_port}")
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, process.stdout.read()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=5) as answer:
                assert answer.status == 200
                break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_there_is_no_shell_to_be_run(contents):
    root, _ = contents
    assert not any((root / folder / name).exists() for folder in ("bin", "usr/bin", "sbin", "usr/sbin")
                   for name in ("sh", "bash", "dash", "busybox", "apt-get", "dpkg", "perl"))
    assert shutil.which("belay", path=str(root / "usr/bin"))
