"""Damage files at random and see that the command line survives them.

Run it by ``make fuzz``, or for some formats by ``python tests/fuzz.py png``. Each run of
``skullmask`` must end with the masks of the intact file, with a warning, with other masks where the
format has no checksum that could have told, or with one line and exit code 2. Anything else is a
fault: a traceback, a second line, ten seconds, a gigabyte, a file half written. Faulty inputs are
kept with the command that repeats them.
"""

import argparse
import contextlib
import gzip
import io
import json
import multiprocessing
import os
import re
import shlex
import shutil
import struct
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import nibabel as nib
import numpy as np
from PIL import Image
from tqdm import tqdm

TIME_S = 10
MEMORY_BYTES = 2**30  # that a run may fill beside what the program itself takes
RESERVED_BYTES = 2**33  # that it may ask the system for, whether it fills them or not
OUTCOMES = ("equal", "warned", "refused", "differs", "FAULT")
SPACING_MM = 2.1
_HEADER_BYTES = 400  # here most fields lie
_NUMBER_IN_TEXT = re.compile(rb"(?<=[\[ ,:(])-?\d+(?=[\], })])")  # of a header
_NUMBERS = (0, 1, 2, 3, 7, 255, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40)
_JSON = (
    None,
    True,
    0,
    1,
    -1,
    3.5,
    10**6,
    10**12,
    10**30,
    "",
    "x",
    "../../x",
    "float32",
    ">f4",
    [],
    {},
    [0],
    [10**12],
)


class Format(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    write : callable
        Takes slices (N, H, W) and a folder; gives the name to pass on and the file to be damaged.
    mutate : callable
        Takes a generator of random numbers and the bytes of a file; gives other bytes, and whether
        a checksum of the format tells them from the intact ones.
    output : str
        What the masks are called.
    command : str
    """

    write: Callable[[np.ndarray, Path], tuple[str, str]]
    mutate: Callable[[np.random.Generator, bytes], tuple[bytes, bool]]
    output: str = "masks.npy"
    command: str = "mask {} -o {}"


# --- whole files ---------------------------------------------------------------------------------------------------


def slices():
    """Give three slices of the phantom, coarsely, as (N, H, W) of uint16; their masks are right."""
    import skullmask_lib as sm

    images = sm.load("phantom").images[1:4, ::5, ::5]
    return np.round(images / images.max() * 4000).astype(np.uint16)


def write_nifti(suffix, images, folder):
    affine = np.diag([SPACING_MM, SPACING_MM, 5.0, 1.0])
    nib.save(nib.Nifti1Image(images.astype(np.int16).T[:, ::-1], affine), folder / f"a{suffix}")
    return f"a{suffix}", f"a{suffix}"


def write_dicom(images, folder):
    import dicoms

    files = dicoms.write_series(
        folder / "series",
        images.astype(np.int16),
        suffix=".dcm",
        spacing_mm=(SPACING_MM, SPACING_MM),
        tags_of=lambda index: {"SOPInstanceUID": f"1.2.{index + 1}"},
    )
    return "series", files[1].relative_to(folder).as_posix()


def write_png(images, folder):
    Image.fromarray(images[1]).save(folder / "a.png")
    return "a.png", "a.png"


def write_tiff(images, folder):
    pages = [Image.fromarray(image) for image in images]
    pages[0].save(folder / "a.tif", save_all=True, append_images=pages[1:])
    return "a.tif", "a.tif"


def write_npy(images, folder):
    np.save(folder / "a.npy", images)
    return "a.npy", "a.npy"


def write_npz(images, folder):
    spacing_mm = np.full((len(images), 2), SPACING_MM)
    names = np.array(["a", "b", "c"])
    np.savez_compressed(folder / "a.npz", images=images, spacing_mm=spacing_mm, names=names)
    return "a.npz", "a.npz"


def write_zarr(images, folder):
    import zarr

    array = zarr.create_array(
        str(folder / "a.zarr"), shape=images.shape, chunks=(1, *images.shape[1:]), dtype="u2"
    )
    array[:] = images
    return "a.zarr", "a.zarr/zarr.json"


# --- damage --------------------------------------------------------------------------------------------------------


def place_in(rng, content):
    """Choose a byte; every second time one of the header."""
    most = min(len(content), _HEADER_BYTES) if rng.random() < 0.5 else len(content)
    return int(rng.integers(max(most, 1)))


def change_bytes(rng, content):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9)):
        if changed:
            changed[place_in(rng, content)] = rng.integers(256)
    return bytes(changed)


def change_run(rng, content):
    """Overwrite up to 200 bytes, at random or by one value."""
    start = place_in(rng, content)
    length = int(rng.integers(1, 200))
    is_noise = rng.random() < 0.3
    filler = rng.bytes(length) if is_noise else bytes([rng.choice([0, 255, 32])]) * length
    return content[:start] + filler[: len(content) - start] + content[start + length :]


def change_number(rng, content):
    """Put a number that is often forgotten where a header may have one."""
    size = int(rng.choice([1, 2, 4, 8]))
    start = place_in(rng, content) // size * size
    order = rng.choice(["little", "big"])
    value = int(rng.choice(_NUMBERS)) * int(rng.choice([1, 1, -1])) % 256**size
    packed = value.to_bytes(size, order)
    if size >= 4 and rng.random() < 0.2:
        number = rng.choice([np.nan, np.inf, -1.0, 0.0, 1e30, 1e-30])
        byte_order = "<" if order == "little" else ">"
        packed = struct.pack(byte_order + ("f" if size == 4 else "d"), number)
    return (content[:start] + packed + content[start + size :])[: len(content)]


def change_text(rng, content):
    """Put another number in the place of one that is written in letters."""
    numbers = list(_NUMBER_IN_TEXT.finditer(content[:4000]))
    if not numbers:
        return change_number(rng, content)
    chosen = numbers[rng.integers(len(numbers))]
    digits = str(rng.choice([0, -1, 1, 10, 10**6, 10**12, 10**18])).encode()
    if rng.random() < 0.5:
        digits = digits[: len(chosen[0])].ljust(len(chosen[0]))
    return content[: chosen.start()] + digits + content[chosen.end() :]


def cut(rng, content):
    return content[: place_in(rng, content)]


def lengthen(rng, content):
    more = [rng.bytes(int(rng.integers(1, 5000))), bytes(int(rng.integers(1, 5000))), content]
    return content + more[rng.integers(3)]


def insert(rng, content):
    start = place_in(rng, content)
    return content[:start] + rng.bytes(int(rng.integers(1, 40))) + content[start:]


def delete(rng, content):
    start = place_in(rng, content)
    return content[:start] + content[start + int(rng.integers(1, 40)) :]


def swap(rng, content):
    """Let two blocks change places."""
    length = int(rng.integers(1, max(len(content) // 4, 2)))
    first, second = sorted((place_in(rng, content), place_in(rng, content)))
    second = max(second, first + length)
    blocks = content[first : first + length], content[second : second + length]
    middle = content[first + length : second]
    return content[:first] + blocks[1] + middle + blocks[0] + content[second + length :]


WAYS = (
    *(change_bytes, change_bytes, change_run, change_number, change_number, change_text),
    *(cut, lengthen, insert, delete, swap),
)


def damage(rng, content):
    return WAYS[rng.integers(len(WAYS))](rng, content)


def plain(rng, content):
    return damage(rng, content), False


def gzipped(rng, content):
    """Damage a stream, or what is in it, which is then packed again."""
    if rng.random() < 0.5:
        return damage(rng, content), True
    return gzip.compress(damage(rng, gzip.decompress(content)), 1, mtime=0), False


def chunks_of_png(content):
    """Split a PNG into its chunks, each with its type and its bytes."""
    chunks = []
    start = 8
    while start < len(content):
        length, kind = struct.unpack(">I4s", content[start : start + 8])
        chunks.append((kind, content[start + 8 : start + 8 + length]))
        start += 12 + length
    return chunks


def png(rng, content):
    """Damage a file, or a chunk whose checksum is then made right, or the order of the chunks."""
    if rng.random() < 0.5:
        return damage(rng, content), True
    chunks = chunks_of_png(content)
    one, other = rng.integers(len(chunks), size=2)
    if rng.random() < 0.3:
        chunks[one], chunks[other] = chunks[other], chunks[one]
    else:
        kind, data = chunks[one]
        if kind == b"IDAT" and rng.random() < 0.5:
            data = zlib.compress(damage(rng, zlib.decompress(data)))
        else:
            data = damage(rng, data)
        chunks[one] = kind, data
    packed = [struct.pack(">I4s", len(data), kind) + data for kind, data in chunks]
    sealed = [part + struct.pack(">I", zlib.crc32(part[4:])) for part in packed]
    return content[:8] + b"".join(sealed), False


def npz(rng, content):
    """Damage an archive, or a member that is then packed again."""
    if rng.random() < 0.5:
        return damage(rng, content), True
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    chosen = str(rng.choice(list(members)))
    members[chosen] = damage(rng, members[chosen])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue(), False


def json_text(rng, content):
    """Damage the bytes of a text, or what it says."""
    if rng.random() < 0.4:
        return damage(rng, content), False
    tree = json.loads(content)
    holder, key = place_in_json(rng, tree)
    if rng.random() < 0.25:
        del holder[key]
    else:
        holder[key] = _JSON[rng.integers(len(_JSON))]
    return json.dumps(tree).encode(), False


def place_in_json(rng, tree):
    """Choose a value in JSON; give the dict or list that holds it and its key or index."""
    value = tree
    holder = key = None
    while isinstance(value, dict | list) and value and (holder is None or rng.random() < 0.7):
        holder = value
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = keys[int(rng.integers(len(keys)))]
        value = holder[key]
    return holder, key


FORMATS = {
    "nii": Format(partial(write_nifti, ".nii"), plain, "masks.nii"),
    "nii.gz": Format(partial(write_nifti, ".nii.gz"), gzipped, "masks.nii.gz"),
    "dicom": Format(write_dicom, plain, "masks.nii.gz"),
    "png": Format(write_png, png, "masks.png"),
    "tiff": Format(write_tiff, plain),
    "npy": Format(write_npy, plain),
    "npz": Format(write_npz, npz),
    "zarr": Format(write_zarr, json_text, command="batch {} {} --backend serial"),
}


# --- a run ---------------------------------------------------------------------------------------------------------


class Result(NamedTuple):
    """What came of a run: its exit code, error lines and masks, and other files that it left."""

    code: int | None
    lines: list[str]
    masks: np.ndarray | None
    left: list[str]


def masks_in(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".png":
        return np.array(Image.open(path))
    return np.asarray(nib.load(path).dataobj)


def run(form, folder, source):
    """Run the command line on a file, as a user would; an error that it raises is among the lines."""
    from skullmask_lib.cli import main

    output = folder / "out" / form.output
    output.parent.mkdir()
    names = [shlex.quote(str(path)) for path in (folder / source, output)]
    sys.argv = ["skullmask", *shlex.split(form.command.format(*names))]
    try:
        with collected_lines() as lines:
            try:
                main.main()
                code = 0
            except SystemExit as stop:
                code = stop.code or 0
            except BaseException as error:
                code = None
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
        masks = masks_in(output) if output.exists() else None
        left = sorted(path.name for path in output.parent.iterdir() if path != output)
    finally:
        shutil.rmtree(output.parent)
    return Result(code, lines, masks, left)


@contextlib.contextmanager
def collected_lines():
    """Collect the lines that this process, and the libraries in it, write to standard error."""
    lines = []
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as nowhere:
        saved_descriptors = os.dup(1), os.dup(2)
        os.dup2(nowhere.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, descriptor in enumerate(saved_descriptors, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def judge(form, result, intact_masks, sealed):
    """Name the outcome of a run, and say what is wrong if it is a fault."""
    warned = [line for line in result.lines if line.startswith("skullmask: warning: ")]
    others = [line for line in result.lines if line not in warned]
    if result.code is None:
        return "FAULT", "; ".join(others) or "something was raised"
    if any(re.search("allocate|MemoryError|out of memory", line) for line in others):
        return "FAULT", f"it asked for more memory than there is: {others[-1]}"
    if form.command.startswith("batch") and result.code == 1:
        return ("refused", "") if len(others) == 1 else ("FAULT", f"said {result.lines}")
    if result.code == 2:
        if is_clean_refusal(result, others):
            return "refused", ""
        return "FAULT", f"said {result.lines}, left {result.left}"
    if result.code != 0 or result.masks is None or others:
        return "FAULT", f"exit code {result.code}, said {result.lines}"
    if warned:
        return "warned", ""
    if np.array_equal(result.masks, intact_masks):
        return "equal", ""
    if sealed:
        return "FAULT", "other masks, without a word, though the format has a checksum"
    return "differs", ""


def is_clean_refusal(result, lines):
    """Tell whether a run that was refused said so in one line and wrote nothing."""
    is_one_line = len(lines) == 1 and lines[0].startswith("skullmask: ")
    return is_one_line and result.masks is None and not result.left


def serve(pipe):
    """Run what comes through a pipe, each in its own folder, with little memory."""
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")
    images = slices()
    intact_masks = {}
    for name, form in FORMATS.items():  # imports what is needed, too
        with tempfile.TemporaryDirectory() as folder:
            source, _ = form.write(images, Path(folder))
            result = run(form, Path(folder), source)
            assert (result.code, result.lines) == (0, []), result
            intact_masks[name] = result.masks
    limit_memory()
    forget_peak()
    usual = peak_bytes()
    pipe.send(None)
    while task := pipe.recv():
        name, folder, source, sealed = task
        form = FORMATS[name]
        forget_peak()
        result = run(form, Path(folder), source)
        filled = peak_bytes() - usual
        if filled > MEMORY_BYTES:
            pipe.send(("FAULT", f"it filled {filled / 2**20:.0f} MB"))
        else:
            pipe.send(judge(form, result, intact_masks[name], sealed))


def limit_memory():
    """Let this process ask for no more than some memory from now on, where the system knows how."""
    try:
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + RESERVED_BYTES, taken + RESERVED_BYTES))


def forget_peak():
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes():
    """Give the most memory that this process filled since `forget_peak`; 0 where none is told."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


class Worker:
    """A process that runs one file after another, and is replaced when it dies or takes too long."""

    def __init__(self):
        self.process = None

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=serve, args=(other_end,), daemon=True)
        self.process.start()
        other_end.close()
        self.pipe.recv()

    def judge(self, *task):
        if self.process is None:
            self.start()
        self.pipe.send(task)
        try:
            if self.pipe.poll(TIME_S):
                return self.pipe.recv()
            reason = f"no end after {TIME_S} s"
        except (EOFError, ConnectionError):
            self.process.join()
            reason = f"the process died, exit code {self.process.exitcode}"
        self.process.kill()
        self.end()
        return "FAULT", reason

    def end(self):
        if self.process is not None:
            with contextlib.suppress(OSError):
                self.pipe.send(None)
            self.process.join(TIME_S)
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


# --- all of them ---------------------------------------------------------------------------------------------------


def fuzz(names, count, *, seed=1, jobs=None, out=None, first=0):
    """Damage each kind of file so many times.

    Parameters
    ----------
    names : sequence of str
        Of `FORMATS`.
    count, first : int
        How many times, and the number of the first.
    seed : int
    jobs : int, optional
        Processes; by default as many as there are cores.
    out : Path, optional
        Folder for the faulty inputs, made when there is one.

    Returns
    -------
    counts : dict of str to Counter
        Format to the outcomes.
    faults : list of tuple
        Format, number and reason of each.
    """
    counts = {name: Counter() for name in names}
    faults = []
    images = slices()
    workers = SimpleQueue()
    running = [Worker() for _ in range(jobs or os.cpu_count() or 1)]
    for worker in running:
        workers.put(worker)

    def one(task):
        name, number = task
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            source, sealed = prepare(name, number, seed, images, folder)
            worker = workers.get()
            try:
                outcome, reason = worker.judge(name, str(folder), source, sealed)
            finally:
                workers.put(worker)
            if outcome == "FAULT" and out is not None:
                keep(name, number, seed, source, folder, Path(out), reason)
        return name, number, outcome, reason

    tasks = [(name, number) for number in range(first, first + count) for name in names]
    try:
        with ThreadPoolExecutor(len(running)) as pool:
            bar = tqdm(pool.map(one, tasks), total=len(tasks), unit="file", disable=None)
            for name, number, outcome, reason in bar:
                counts[name][outcome] += 1
                if outcome == "FAULT":
                    faults.append((name, number, reason))
                    bar.set_postfix_str(f"{len(faults)} faults")
    finally:
        for worker in running:
            worker.end()
    return counts, sorted(faults)


def prepare(name, number, seed, images, folder):
    """Write a damaged file; give what to pass on, and whether a checksum tells of the damage."""
    rng = np.random.default_rng([seed, list(FORMATS).index(name), number])
    source, target = FORMATS[name].write(images, folder)
    intact = (folder / target).read_bytes()
    content, sealed = FORMATS[name].mutate(rng, intact)
    (folder / target).write_bytes(content)
    return source, sealed


def keep(name, number, seed, source, folder, out, reason):
    """Keep a faulty input, and how to repeat it."""
    kept = out / f"{name}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder, kept)
    form = FORMATS[name]
    lines = [
        reason,
        f"skullmask {form.command.format(kept / source, form.output)}",
        f"python tests/fuzz.py {name} --first {number} --count 1 --seed {seed}",
        "",
    ]
    (kept / "why.txt").write_text("\n".join(lines), encoding="utf-8", errors="backslashreplace")


def table(counts):
    lines = [f"{'format':8}" + "".join(f"{outcome:>9}" for outcome in OUTCOMES)]
    for name, outcomes in counts.items():
        lines.append(f"{name:8}" + "".join(f"{outcomes[outcome]:9}" for outcome in OUTCOMES))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "formats", nargs="*", metavar="FORMAT", help=f"{', '.join(FORMATS)}; all by default"
    )
    parser.add_argument(
        "--count", type=int, default=2000, help="mutations of each format (%(default)s)"
    )
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, help="processes; as many as there are cores by default")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/fuzz"),
        help="folder for faulty inputs (%(default)s)",
    )
    arguments = parser.parse_args()
    names = arguments.formats or list(FORMATS)
    unknown = set(names) - set(FORMATS)
    if unknown:
        parser.error(f"no such format: {', '.join(sorted(unknown))}")
    counts, faults = fuzz(
        names,
        arguments.count,
        seed=arguments.seed,
        jobs=arguments.jobs,
        out=arguments.out,
        first=arguments.first,
    )
    print(table(counts))
    for name, number, reason in faults[:20]:
        print(f"{arguments.out}/{name}-{number}: {reason[:300]}")
    if faults:
        print(f"{len(faults)} faults; inputs and commands are in {arguments.out}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
