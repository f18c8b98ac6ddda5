"""Members of a zip and of a tar: the same files as in a folder, whatever the archive tries."""

import io
import pickle
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privaudit.data.file_part import FilePart
from privaudit.data.listed import LeftOut
from privaudit.data.trees import Tree, disk_tree, tar_tree, zip_tree
from privaudit.data.trees.zip_tree import MAX_RATIO, MAX_UNCHECKED_BYTES, ZipPart
from privaudit.errors import DataError

FILES = {"b.png": b"second", "a/z.png": b"", "a/b/c.txt": bytes(range(256)) * 30, "a.png": b"first", "a b.txt": b"x"}


def zipped(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def contents(tree: Tree) -> list[tuple[str, bytes]]:
    return [(file.name, file.open().read()) for file in tree.files]


ARCHIVES = pytest.mark.parametrize(("write", "tree"), [(zipped, zip_tree), (tarred, tar_tree)], ids=["zip", "tar"])
Write = Callable[[Path, Mapping[str, bytes]], Path]
Read = Callable[[Path], Tree]


@ARCHIVES
def test_an_archive_is_what_its_folder_is(tmp_path: Path, write: Write, tree: Read) -> None:
    for name, data in FILES.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    assert contents(tree(write(tmp_path / "archive", FILES))) == contents(disk_tree(tmp_path / "folder"))


@ARCHIVES
def test_hidden_files_and_those_of_macos_are_no_members(tmp_path: Path, write: Write, tree: Read) -> None:
    hidden = {"__MACOSX/a.png": b"1", ".git/a.png": b"2", "b/._a.png": b"3", "./c.png": b"4"}
    assert contents(tree(write(tmp_path / "archive", hidden))) == [("c.png", b"4")]


@ARCHIVES
def test_names_that_lead_out_are_counted(tmp_path: Path, write: Write, tree: Read) -> None:
    unsafe = ["../a.png", "b/../../a.png", "/etc/a.png", "C:/a.png", "..\\a.png", "\\a.png"]
    read = tree(write(tmp_path / "archive", {name: b"x" for name in unsafe} | {"good\\0.png": b"y"}))
    assert contents(read) == [("good/0.png", b"y")]
    assert read.left_out == (LeftOut("unsafe name", "", len(unsafe), "../a.png"),)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["a.png", "./a.png"])
@ARCHIVES
def test_two_members_of_one_name_are_refused(tmp_path: Path, write: Write, tree: Read, other: str) -> None:
    path = tmp_path / "archive"
    if write is zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", b"1")
            archive.writestr(other, b"2")
    else:
        tarred(path, {"a.png": b"1"})
        tarred(path, {other: b"2"}, "a")
    with pytest.raises(DataError, match=f"expected distinct names in the archive {path}, got a.png twice; unpack"):
        tree(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_not_followed(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    assert tar_tree(tmp_path / "a.tar") == Tree(tmp_path / "a.tar", (), (LeftOut("unsafe name", "", 1, "a.png"),))


def test_links_in_a_zip_are_not_followed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("a.png")
        member.create_system, member.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    assert zip_tree(tmp_path / "a.zip").left_out == (LeftOut("unsafe name", "", 1, "a.png"),)
    assert not zip_tree(tmp_path / "a.zip").files


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_zip_is_unreadable(tmp_path: Path, method: int) -> None:
    data = np.random.default_rng(0).bytes(5000)
    path = zipped(tmp_path / "a.zip", {"a.png": data, "b.png": data}, method)
    stored = bytearray(path.read_bytes())
    stored[2000] ^= 1
    path.write_bytes(stored)
    damaged, intact = zip_tree(path).files
    with pytest.raises(OSError, match="damaged|cannot decompress"):
        damaged.open()
    assert intact.open().read() == data


def test_a_zip_of_another_compression_has_unreadable_members(tmp_path: Path) -> None:
    (file,) = zip_tree(zipped(tmp_path / "a.zip", {"a.png": b"x" * 99}, zipfile.ZIP_BZIP2)).files
    with pytest.raises(OSError, match="made with deflate or without compression, got method 12"):
        file.open()


class TestBombs:
    """No member takes more memory than an image may, whatever its archive declares."""

    def part(self, tmp_path: Path, size: int, packed: int = 0) -> ZipPart:
        (file,) = zip_tree(zipped(tmp_path / "a.zip", {"a.png": bytes(size)})).files
        assert isinstance(file.content, ZipPart)
        return replace(file.content, packed=packed or file.content.packed)

    def test_a_high_ratio(self, tmp_path: Path) -> None:
        size = MAX_UNCHECKED_BYTES + 1
        with pytest.raises(OSError, match=f"expected at most {MAX_RATIO} times its \\d+ packed bytes, got {size}"):
            self.part(tmp_path, size).open()

    def test_a_plain_drawing_may_have_a_high_ratio(self, tmp_path: Path) -> None:
        part = self.part(tmp_path, 2**20)
        assert part.size > MAX_RATIO * part.packed
        assert part.open().read() == bytes(2**20)

    @pytest.mark.parametrize("declared", [10, 2**20])
    def test_more_or_less_than_declared(self, tmp_path: Path, declared: int) -> None:
        part = replace(self.part(tmp_path, 1000), size=declared, checksum=zlib.crc32(bytes(declared)))
        with pytest.raises(OSError, match="size and checksum that its zip declares"):
            part.open()

    def test_more_than_any_image(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=f"expected at most {2**30} bytes, got {2**40}"):
            replace(self.part(tmp_path, 10), size=2**40).open()
        with pytest.raises(OSError, match=f"expected at most {2**30} bytes, got {2**40}"):
            FilePart(tmp_path / "a.zip", 0, 2**40).open()


@pytest.mark.parametrize("cut", [0, 300, 512, 900, 1024, 1536, 2048 + 300])
def test_a_truncated_tar_is_refused(tmp_path: Path, cut: int) -> None:
    path = tarred(tmp_path / "a.tar", {"a.png": bytes(300), "b.png": bytes(300)})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=f"cannot read the tar {path}: .*; copy it again"):
        tar_tree(path)


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"a.png": bytes(300), "b.png": bytes(300)})
    stored = bytearray(path.read_bytes())
    stored[1024] ^= 1
    path.write_bytes(stored)
    with pytest.raises(DataError, match="expected a header or the end at position 1024"):
        tar_tree(path)


@pytest.mark.parametrize(("mode", "name"), [("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")])
def test_a_compressed_tar_is_refused(tmp_path: Path, mode: str, name: str) -> None:
    path = tarred(tmp_path / "a.tar", FILES, mode)
    with pytest.raises(DataError, match=f"expected a tar without compression, got {name} .*; decompress it"):
        tar_tree(path)


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: b"", lambda data: data[: len(data) // 2]])
def test_a_truncated_zip_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = zipped(tmp_path / "a.zip", FILES)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"cannot read the zip {path}: .*; copy it again"):
        zip_tree(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.png": b"x"}, zipfile.ZIP_STORED)
    stored = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        stored[stored.index(signature) + flags] |= 1
    path.write_bytes(stored)
    with pytest.raises(DataError, match="expected a zip without a password, got .*; unpack it"):
        zip_tree(path)


@ARCHIVES
def test_any_thread_or_process_can_read_members(tmp_path: Path, write: Write, tree: Read) -> None:
    files = {f"{number}.png": bytes([number]) * 1000 for number in range(50)}
    parts = pickle.loads(pickle.dumps(tree(write(tmp_path / "archive", files)).files))
    with ThreadPoolExecutor(4) as pool:
        assert dict(pool.map(lambda file: (file.name, file.open().read()), parts)) == files


def test_a_file_that_shrinks_after_listing_is_unreadable(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", {"a.png": bytes(300)})
    (file,) = tar_tree(path).files
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(OSError, match="expected 300 bytes at position 512 of its container, got 88"):
        file.open()
