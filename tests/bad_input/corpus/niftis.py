"""NIfTI and Analyze files that lie, and odd ones that are legal."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator

import nibabel as nib
import numpy as np

from corpus.bases import SHOWN, VOXELS, gzipped, nifti, zeros_gzipped
from corpus.case import Case, Check, Make, files, one_file, opens, refused

NAN = math.nan


def cases() -> Iterator[Case]:
    """All of them."""
    for name, make, check in (*_lies(), *_bombs(), *_places(), *_values(), *_pairs()):
        yield Case(f"nifti/{name}", make, check)


Row = tuple[str, Make, Check]


def _nii(*args: object, **header: object) -> Make:
    return one_file("head.nii", nifti(*args, **header))


def _dim(*extents: int) -> dict[str, object]:
    return {"dim": [*extents, *(1,) * (8 - len(extents))]}


def _lies() -> Iterator[Row]:
    yield "no-slices", _nii(**_dim(3, 6, 7, 0)), refused("without any voxels")
    yield "negative-extent", _nii(**_dim(3, 6, -7, 5)), refused("without any voxels")
    yield "one-dimension", _nii(**_dim(1, 210)), refused("dimensions")
    yield "no-dimensions", _nii(**_dim(0, 6, 7, 5)), refused()
    yield "eight-dimensions", _nii(**_dim(8, 6, 7, 5)), refused()
    yield "negative-dimensions", _nii(**_dim(-1, 6, 7, 5)), refused()
    yield "one-slice-too-many", _nii(**_dim(3, 6, 7, 6)), refused("holds only", remedy=True)
    yield "largest", _nii(dim=[7] + [32767] * 7), refused("more voxels than any")
    yield "too-many-volumes", _nii(**_dim(4, 1, 1, 1, 32767)), refused("more voxels than any")
    yield "type-of-one-bit", _nii(datatype=1), refused()
    yield "type-unknown", _nii(datatype=4444), refused()
    yield "type-none", _nii(datatype=0), refused()
    for offset in (1e9, 500.0, NAN, math.inf, -400.0, 3e38):
        yield f"offset-{offset}", _nii(vox_offset=offset), refused()
    yield "offset-not-set", _nii(vox_offset=0), opens(array=SHOWN)
    yield "bits-wrong", _nii(bitpix=3), opens(array=SHOWN)
    yield "header-size-wrong", _nii(sizeof_hdr=1), opens(array=SHOWN)
    yield "infinite-intercept", _nii(scl_slope=1, scl_inter=math.inf), refused("header")
    content = nifti(vox_offset=384)
    for length in (32, 10_000, -1, 0, 2**31 - 1):
        block = struct.pack("<4sii", b"\1\0\0\0", length, 6) + bytes(24)
        whole = content[:348] + block + content[352:]
        check = opens(array=SHOWN) if length == 32 else refused("extension")
        yield f"extension-of-{length}", one_file("head.nii", whole), check


def _bombs() -> Iterator[Row]:
    header = nib.Nifti1Header()
    header["magic"], header["vox_offset"] = b"n+1", 352
    header.set_data_dtype(np.int16)
    header.set_data_shape((2000, 2000, 1000))
    tiny = gzipped(header.binaryblock + bytes(20_000))
    yield "eight-gigabytes-promised", one_file("a.nii.gz", tiny), refused("declares 8.0 GB")
    full = gzipped(header.binaryblock + bytes(4)) + zeros_gzipped(7700)
    yield "eight-gigabytes-of-zeros", one_file("a.nii.gz", full), refused("no real image")
    header.set_data_shape((32767, 32767, 4))
    yield "wide", one_file("a.nii.gz", gzipped(header.binaryblock + bytes(4))), refused("declares")
    deep = nifti(**_dim(3, 1, 1, 210))
    yield "slices-of-one-voxel", one_file("a.nii", deep), opens(shape=(210, 1, 1))
    offset = gzipped(nifti(vox_offset=3e9))
    yield "offset-beyond-in-gzip", one_file("a.nii.gz", offset), refused("declares 3.0 GB")


def _places() -> Iterator[Row]:
    unset = {"sform_code": 0, "qform_code": 0}
    yield "not-placed", _nii(**unset), opens(placement="SCALED", note="orientation")
    yield (
        "not-placed-no-spacing",
        _nii(**unset, pixdim=[1, 0, 0, 0, 0, 0, 0, 0]),
        opens(placement="NONE", note="spacing"),
    )
    yield "spacing-nan", _nii(**unset, pixdim=[NAN] * 8), opens(placement="NONE")
    yield "spacing-infinite", _nii(**unset, pixdim=[math.inf] * 8), opens(placement="NONE")
    negative = _nii(**unset, pixdim=[-1, -2, -2, -2, 0, 0, 0, 0])
    yield "spacing-negative", negative, opens(placement="SCALED")
    for name, row in (("zero", 0.0), ("nan", NAN), ("infinite", math.inf), ("huge", 1e30)):
        row_only = {"srow_x": [row] * 4}
        yield f"sform-{name}", _nii(**row_only), opens(placement="SCALED", note="sform is not")
        both = _nii(**row_only, qform_code=1)
        yield f"sform-{name}-qform-good", both, opens(placement="PATIENT", note="sform is not")
    singular = _nii(srow_x=[1, 0, 0, 0], srow_y=[1, 0, 0, 0])
    yield "sform-singular", singular, opens(placement="SCALED")
    bent = _nii(sform_code=0, qform_code=1, quatern_b=5.0)
    yield "quaternion-invalid", bent, opens(placement="SCALED", note="qform is not")
    apart = _nii(qform_code=1, qoffset_x=30)
    yield "forms-disagree", apart, opens(placement="PATIENT", note="differ by up to 30.0 mm")
    yield "codes-unknown", _nii(sform_code=99, qform_code=-3), opens(placement="SCALED")
    yield "units-unknown", _nii(xyzt_units=7), opens(placement="PATIENT")
    yield "units-metres", _nii(xyzt_units=1), opens(placement="PATIENT", note="millimetres")
    far = np.eye(4)
    far[:3, 3] = 1e9
    yield "far-away", _nii(VOXELS, far), opens(array=SHOWN)


def _values() -> Iterator[Row]:
    real = VOXELS.astype("<f4")
    real[2, 2, 2], real[3, 3, 3] = NAN, math.inf
    yield "nan-and-infinity", _nii(real), opens(note="not a number.*infinite")
    yield "all-nan", _nii(np.full_like(real, NAN)), opens(note="210 voxels are not a number")
    yield "all-infinite", _nii(np.full_like(real, -math.inf)), opens(note="infinite")
    yield "largest-double", _nii(np.full((3, 3, 3), 1.7e308)), opens(dtype="float64")
    yield "constant", _nii(np.zeros((3, 3, 3), "<i2")), opens(shape=(3, 3, 3))
    yield "slope-nan", _nii(scl_slope=NAN, scl_inter=NAN), opens(array=SHOWN)
    yield "slope-huge", _nii(scl_slope=3e38), opens(dtype="float64")
    yield "slope-tiny", _nii(scl_slope=1e-38), opens(dtype="float32")
    yield "slope-negative", _nii(scl_slope=-1), opens(array=-SHOWN)
    yield "big-endian", _nii(VOXELS.astype(">i2")), opens(array=SHOWN)
    yield "64-bit-mask", _nii((VOXELS > 500).astype("<i8")), opens(dtype="int16")
    yield "complex", _nii(VOXELS.astype("<c8")), opens(note="magnitudes")
    colour = VOXELS.astype("u1")[..., None].repeat(3, -1).view([(c, "u1") for c in "RGB"])[..., 0]
    yield "rgb", _nii(colour), opens(shape=(5, 7, 6), dtype="uint8")
    yield "one-slice", _nii(VOXELS[..., :1]), opens(shape=(1, 7, 6))
    yield "two-dimensions", _nii(VOXELS[..., 0]), opens(shape=(1, 7, 6))
    yield "one-voxel", _nii(VOXELS[:1, :1, :1]), opens(shape=(1, 1, 1))
    yield "three-times", _nii(VOXELS[..., None].repeat(3, 3)), opens(3)
    yield "vector", _nii(VOXELS[..., None, None].repeat(3, 4)), opens(3)
    yield "seven-dimensions", _nii(VOXELS.reshape(6, 7, 5, 1, 1, 1, 1)), opens(array=SHOWN)
    yield "name-in-header", _nii(db_name=b"<b>x", descrip=b"\xff\xfe"), opens(array=SHOWN)
    second = io.BytesIO()
    nib.Nifti2Image(VOXELS, np.eye(4)).to_stream(second)
    yield "nifti-2", one_file("a.nii", second.getvalue()), opens(array=SHOWN)
    spoiled = second.getvalue()[:16] + struct.pack("<q", 2**62) + second.getvalue()[24:]
    yield "nifti-2-overflow", one_file("a.nii", spoiled), refused()
    members = nifti()
    parts = b"".join(gzipped(members[at : at + 99]) for at in range(0, len(members), 99))
    yield "gzip-of-many-members", one_file("a.nii.gz", parts), opens(array=SHOWN)
    garbage = gzipped(members) + b"garbage"
    yield "gzip-then-garbage", one_file("a.nii.gz", garbage), refused("damaged")
    wrong = gzipped(members)[:-8] + bytes(8)
    yield "gzip-wrong-checksum", one_file("a.nii.gz", wrong), refused("damaged", remedy=True)


def _pairs() -> Iterator[Row]:
    made = nib.Nifti1Pair(VOXELS, np.eye(4))
    maps = {key: nib.FileHolder(fileobj=io.BytesIO()) for key in ("header", "image")}
    made.to_file_map(maps)
    header, image = (maps[key].fileobj.getvalue() for key in ("header", "image"))
    pair = {"head.hdr": header, "head.img": image}
    yield "pair", files(pair), opens(array=SHOWN)
    yield "pair-in-capitals", files({"A.HDR": header, "A.IMG": image}), opens(array=SHOWN)
    packed = files({"a.hdr": header, "a.img.gz": gzipped(image)})
    yield "pair-half-compressed", packed, opens(array=SHOWN)
    yield "header-alone", one_file("head.hdr", header), refused(r"\.img", remedy=True)
    yield "image-alone", one_file("head.img", image), refused(r"\.hdr", remedy=True)
    short = files({"head.hdr": header, "head.img": image[:100]})
    yield "pair-cut-short", short, refused("holds only")
    yield "pair-empty-image", files({"head.hdr": header, "head.img": b""}), refused("empty")
    for order in "<>":
        analyze = nib.AnalyzeImage(
            VOXELS.astype(f"{order}i2"), None, nib.AnalyzeHeader(endianness=order)
        )
        maps = {key: nib.FileHolder(fileobj=io.BytesIO()) for key in ("header", "image")}
        analyze.to_file_map(maps)
        parts = {
            f"a.{e}": maps[k].fileobj.getvalue() for e, k in zip(("hdr", "img"), maps, strict=True)
        }
        yield f"analyze-{order}", files(parts), opens(placement="SCALED", shape=(5, 7, 6))
    yield "envi-header", one_file("a.hdr", b"ENVI\nsamples = 5\n" * 30), refused("not a NIfTI")
