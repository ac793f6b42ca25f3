#!/usr/bin/env python3
"""Write the image files of this folder and what Pillow makes of them.

  decode/NAME.EXT + NAME.EXT.rgb   a small file and Pillow's convert("RGB")
  upright/NAME.EXT + NAME.EXT.rgb  likewise, turned by exif_transpose
  srgb/NAME.EXT + NAME.EXT.rgb     likewise, converted by profileToProfile
  filled/NAME.EXT + NAME.EXT.rgb   likewise, cut, with LOAD_TRUNCATED_IMAGES
  render/source.rgb                the picture that crops are cut from
  render/crops.txt, crops.rgb      crop plans and Pillow's pixels for them
  render/boxes.txt, boxes.rgb      crops of a picture at 1/2, 1/4 or 1/8
  render/centers.txt, centers.rgb  evaluation views likewise

Each .rgb starts with one line "WIDTH HEIGHT\n", but for crops.rgb, boxes.rgb
and centers.rgb, which are bare pixels in the order of their text files.
Of an AVIF, which this Pillow does not read, the .rgb is the picture that was
encoded without loss, or what avifdec makes of it (libavif-bin 0.11.1).
The files were written with Pillow 9.4.0, libjpeg-turbo 2.1.5 and Little CMS 2.14
(Debian 12); the tests only read them. usage: make_golden.py
"""
import io
import math
import pathlib
import random
import struct
import subprocess
import tempfile
import zlib

from PIL import Image, ImageCms, ImageEnhance, ImageFile, ImageFilter, ImageOps

HERE = pathlib.Path(__file__).parent


def picture(width, height, seed):
    """Gradients, edges and noise; every channel different."""
    rng = random.Random(seed)
    data = bytearray()
    for y in range(height):
        for x in range(width):
            red = 255 * x // max(width - 1, 1)
            green = 255 * y // max(height - 1, 1)
            blue = 220 if (x // 5 + y // 4) % 2 else 40
            for level in (red, green, blue):
                data.append(max(0, min(255, level + rng.randrange(-25, 26))))
    return Image.frombytes("RGB", (width, height), bytes(data))


# ---------------------------------------------------------------- decoding

def keep(name, data):
    """Store a file with Pillow's reading of it."""
    with Image.open(io.BytesIO(data)) as image:
        keep_as(name, data, image.convert("RGB"))


def keep_as(name, data, rgb, folder="decode"):
    """Store a file with what it is to be read as."""
    (HERE / folder / name).write_bytes(data)
    head = f"{rgb.width} {rgb.height}\n".encode()
    (HERE / folder / (name + ".rgb")).write_bytes(head + rgb.tobytes())


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def make_jpegs():
    image = picture(37, 29, 1)
    keep("rgb444.jpg", saved(image, "JPEG", quality=90, subsampling=0))
    keep("rgb422.jpg", saved(image, "JPEG", quality=75, subsampling=1))
    keep("rgb420.jpg", saved(image, "JPEG", quality=60, subsampling=2))
    keep("progressive.jpg", saved(image, "JPEG", progressive=True))
    keep("gray.jpg", saved(image.convert("L"), "JPEG"))
    inks = image.convert("CMYK")
    shadow = image.convert("L").rotate(180)
    inks = Image.merge("CMYK", (*inks.split()[:3], shadow))
    cmyk = saved(inks, "JPEG", quality=95)
    keep("cmyk.jpg", cmyk)
    # Adobe's marker says how the four channels are meant: 2 is YCCK.
    mark = cmyk.index(b"Adobe")
    ycck = bytearray(cmyk)
    ycck[mark + 11] = 2
    keep("ycck.jpg", bytes(ycck))


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
         (1, 0, 2, 2), (0, 1, 1, 2))


def png(width, height, color, depth, samples, interlaced=False, extra=b""):
    """A PNG of `samples[y][x]`, a tuple of channels each; filter 0."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    raw = bytearray()
    for x0, y0, dx, dy in passes:
        if x0 >= width or y0 >= height:
            continue
        for y in range(y0, height, dy):
            bits = "".join(format(v, f"0{depth}b")
                           for x in range(x0, width, dx) for v in samples[y][x])
            bits += "0" * (-len(bits) % 8)
            raw += b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra +
            chunk(b"IDAT", zlib.compress(bytes(raw), 9)) + chunk(b"IEND", b""))


def make_pngs():
    width, height = 21, 13
    rng = random.Random(2)
    palette = bytes(rng.randrange(256) for _ in range(3 * 256))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    names = {0: "gray", 2: "rgb", 3: "palette", 4: "gray_alpha", 6: "rgba"}
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for color, each in depths.items():
        for depth in each:
            top = 2**depth - 1
            samples = [[tuple(rng.randint(0, top) if c or rng.random() < .7 else rng.randint(0, min(300, top))
                              for c in range(channels[color]))
                        for _ in range(width)] for _ in range(height)]
            extra = chunk(b"PLTE", palette[:3 * 2**depth]) if color == 3 else b""
            for interlaced in (False, True):
                tail = "_adam7" if interlaced else ""
                keep(f"{names[color]}{depth}{tail}.png",
                     png(width, height, color, depth, samples, interlaced, extra))
            # A transparent colour or transparent palette entries change nothing.
            if color == 3 and depth == 8:
                extra += chunk(b"tRNS", bytes(range(0, 250, 3)))
                keep("palette8_trns.png", png(width, height, color, depth, samples, False, extra))
            if color == 0 and depth == 8:
                extra = chunk(b"tRNS", struct.pack(">H", samples[0][0][0]))
                keep("gray8_trns.png", png(width, height, color, depth, samples, False, extra))
            if color == 2 and depth == 8:
                extra = chunk(b"tRNS", struct.pack(">HHH", *samples[0][0]))
                keep("rgb8_trns.png", png(width, height, color, depth, samples, False, extra))
    # Filters other than 0.
    keep("filtered.png", saved(picture(33, 17, 3), "PNG"))


def riff_chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def u24(value):
    return struct.pack("<I", value)[:3]


def offset_animation(image, canvas, left, top):
    """A WebP animation whose first frame covers a part of its canvas."""
    still = saved(image, "WEBP", lossless=True, quality=100)
    frame = still[12:]  # the VP8L chunk
    anmf = (u24(left // 2) + u24(top // 2) + u24(image.width - 1) + u24(image.height - 1) +
            u24(100) + b"\0" + frame)
    body = (b"WEBP" +
            riff_chunk(b"VP8X", b"\x12\0\0\0" + u24(canvas[0] - 1) + u24(canvas[1] - 1)) +
            riff_chunk(b"ANIM", b"\x10\x80\xf0\xff\0\0") + riff_chunk(b"ANMF", anmf))
    return b"RIFF" + struct.pack("<I", len(body)) + body


def make_webps():
    image = picture(31, 23, 4)
    alpha = image.convert("L").rotate(180).point(lambda v: 0 if v < 60 else v)
    clear = Image.merge("RGBA", (*image.split(), alpha))
    keep("lossy.webp", saved(image, "WEBP", quality=80))
    keep("lossless.webp", saved(image, "WEBP", lossless=True, quality=100))
    keep("lossy_alpha.webp", saved(clear, "WEBP", quality=80))
    keep("lossless_alpha.webp", saved(clear, "WEBP", lossless=True, quality=100))
    keep("exact_alpha.webp", saved(clear, "WEBP", lossless=True, quality=100, exact=True))
    keep("animated.webp", saved(image, "WEBP", save_all=True, lossless=True,
                                append_images=[picture(31, 23, 5)], duration=100))
    keep("offset.webp", offset_animation(clear, (41, 30), 6, 4))


def make_gifs():
    image = picture(27, 35, 6)
    indexed = image.quantize(64)
    plain = saved(indexed, "GIF", interlace=0)
    keep("plain.gif", plain)
    keep("interlaced.gif", saved(indexed, "GIF", interlace=1))
    keep("gray.gif", saved(image.convert("L"), "GIF"))
    keep("transparent.gif", saved(indexed, "GIF", transparency=9))
    keep("animated.gif", saved(indexed, "GIF", save_all=True,
                               append_images=[picture(27, 35, 7).quantize(32)], duration=50))
    small = picture(12, 10, 8).quantize(16)
    for name, options in (("background", {}), ("transparent_background", {"transparency": 5})):
        data = bytearray(saved(small, "GIF", **options))
        struct.pack_into("<HH", data, 6, 20, 18)  # a larger screen
        at = data.index(b"\x2c\0\0\0\0" + struct.pack("<HH", 12, 10))
        struct.pack_into("<HH", data, at + 1, 5, 3)  # the frame's place on it
        keep(f"{name}.gif", bytes(data))
    wide = bytearray(plain)
    struct.pack_into("<HH", wide, 6, 11, 9)  # the frame is larger than its screen
    keep("oversized.gif", bytes(wide))
    # The palette moved from the screen to the frame.
    bits = plain[10] & 7
    table = plain[13:13 + 3 * 2**(bits + 1)]
    rest = plain[13 + len(table):]
    at = rest.index(b"\x2c")
    keep("local_palette.gif", plain[:10] + bytes([plain[10] & 0x7F]) + plain[11:13] + rest[:at + 9] +
         bytes([rest[at + 9] | 0x80 | bits]) + table + rest[at + 10:])


def bmp(size, bits, rows, palette=b"", compression=0, masks=(), header=40, top_down=False):
    """A BMP of `rows`, the bytes of its pixels as they are stored."""
    width, height = size
    colors = len(palette) // (3 if header == 12 else 4)
    if header == 12:
        info = struct.pack("<IHHHH", header, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits,
                           compression, len(rows), 2835, 2835, colors, 0)
    tail = struct.pack(f"<{len(masks)}I", *masks)
    tail += b"\0" * (header - 40 - len(tail))
    start = 14 + len(info) + len(tail) + len(palette)
    return struct.pack("<2sIHHI", b"BM", start + len(rows), 0, 0, start) + info + tail + palette + rows


def padded(rows):
    return b"".join(row + b"\0" * (-len(row) % 4) for row in rows)


def packed(rows, bits):
    """Rows of samples as bytes, the first sample highest."""
    texts = ("".join(format(v, f"0{bits}b") for v in row) for row in rows)
    return [int(text + "0" * (-len(text) % 8), 2).to_bytes(-(-len(text) // 8), "big") for text in texts]


def make_bmps():
    width, height = size = (23, 14)
    rng = random.Random(11)
    image = picture(width, height, 12)
    keep("rgb24.bmp", saved(image, "BMP"))
    keep("gray8.bmp", saved(image.convert("L"), "BMP"))
    keep("bilevel.bmp", saved(image.convert("1"), "BMP"))
    keep("rgba32.bmp", saved(image.convert("RGBA"), "BMP"))
    colors = bytes(rng.randrange(256) for _ in range(4 * 256))
    for bits in (1, 4, 8):
        indices = [[rng.randrange(2**bits) for _ in range(width)] for _ in range(height)]
        rows = padded(packed(indices, bits))
        keep(f"palette{bits}.bmp", bmp(size, bits, rows, colors[:4 * 2**bits]))
        keep(f"palette{bits}_top_down.bmp", bmp(size, bits, rows, colors[:4 * 2**bits], top_down=True))
        keep(f"palette{bits}_os2.bmp", bmp(size, bits, rows, colors[:3 * 2**bits], header=12))
    short = padded(packed([[rng.randrange(80) for _ in range(width)] for _ in range(height)], 8))
    keep("short_palette.bmp", bmp(size, 8, short, colors[:4 * 50]))
    words = padded([bytes(rng.randrange(256) for _ in range(2 * width)) for _ in range(height)])
    keep("rgb555.bmp", bmp(size, 16, words))
    keep("rgb565.bmp", bmp(size, 16, words, compression=3, masks=(0xF800, 0x7E0, 0x1F)))
    keep("rgb565_v4.bmp", bmp(size, 16, words, compression=3, masks=(0xF800, 0x7E0, 0x1F, 0), header=108))
    pixels = padded([bytes(rng.randrange(256) for _ in range(4 * width)) for _ in range(height)])
    keep("rgb32.bmp", bmp(size, 32, pixels))
    keep("abgr32.bmp", bmp(size, 32, pixels, compression=3, header=124,
                           masks=(0xFF000000, 0xFF0000, 0xFF00, 0xFF)))
    # A run of one pixel, pixels as they are (of odd length, padded), the end of
    # a row before it is full and when it is, the end of the picture. This Pillow
    # reads wrongly: steps over pixels, odd numbers of half bytes.
    runs = [b"\x05\x12\x00\x05\x01\x23\x45\x67\x89\x00\x0a\xcd\x00\x00", b"\x17\x34\x00\x00"]
    full = b"".join(bytes((width, rng.randrange(256), 0, 0)) for _ in range(height - 2))
    keep("runs8.bmp", bmp(size, 8, b"".join(runs) + full + b"\0\1", colors, compression=1))
    runs[0] = b"\x05\x12\x00\x0c\x01\x23\x45\x67\x89\xab\x06\xcd\x00\x00"
    keep("runs4.bmp", bmp(size, 4, b"".join(runs) + full + b"\0\1", colors[:64], compression=2))


def tiff(size, tags, blocks, order="<", rows_per_strip=None, tile=None, planes=1):
    """A TIFF of `blocks`, the bytes of its strips or tiles. `tags`: number ->
    (type, values), type 3 of 16 bits and 4 of 32."""
    width, height = size
    tags = {256: (4, (width,)), 257: (4, (height,)), 259: (3, (1,)), **tags}
    offsets = tuple(8 + sum(len(b) for b in blocks[:i]) for i in range(len(blocks)))
    lengths = tuple(map(len, blocks))
    if tile:
        tags.update({322: (4, (tile[0],)), 323: (4, (tile[1],)), 324: (4, offsets), 325: (4, lengths)})
    else:
        tags.update({273: (4, offsets), 278: (4, (rows_per_strip or height,)), 279: (4, lengths)})
    data = b"".join(blocks)
    data += b"\0" * (len(data) % 2)
    at = 8 + len(data)
    extra_at = at + 2 + 12 * len(tags) + 4
    entries, extra = b"", b""
    for number, (kind, values) in sorted(tags.items()):
        value = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(value) > 4:
            place, extra = struct.pack(order + "I", extra_at + len(extra)), extra + value
        else:
            place = value.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", number, kind, len(values)) + place
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, at)
    return head + data + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0) + extra


def shorts(*values):
    return (3, values)


def make_tiffs():
    width, height = size = (21, 17)
    rng = random.Random(22)
    image = picture(width, height, 14)
    for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "webp", "lzma"):
        keep(f"rgb_{kind}.tiff", saved(image, "TIFF", compression=kind))
    keep("ycbcr_jpeg.tiff", saved(image.convert("YCbCr"), "TIFF", compression="jpeg"))
    keep("gray_jpeg.tiff", saved(image.convert("L"), "TIFF", compression="jpeg"))
    for kind in ("raw", "group3", "group4", "packbits"):
        keep(f"bilevel_{kind}.tiff", saved(image.convert("1"), "TIFF", compression=kind))
    for mode in ("L", "LA", "P", "RGBA", "RGBX", "CMYK"):
        keep(f"{mode.lower()}.tiff", saved(image.quantize(50) if mode == "P" else image.convert(mode), "TIFF",
                                           compression="tiff_lzw"))
    # Kinds that Pillow reads but does not write.
    samples = bytes(rng.randrange(256) for _ in range(8 * width * height))
    rgb = {262: shorts(2), 277: shorts(3), 258: shorts(8, 8, 8)}
    line = 3 * width
    rows = [samples[line * y:line * (y + 1)] for y in range(height)]
    keep("strips.tiff", tiff(size, rgb, [b"".join(rows[y:y + 5]) for y in range(0, height, 5)], rows_per_strip=5))
    tile = (16, 16)
    keep("tiles.tiff", tiff(size, rgb, [bytes(rng.randrange(256) for _ in range(3 * 256)) for _ in range(4)],
                            tile=tile))
    flat = width * height
    # (Compressed, so that Pillow has libtiff read it: its own reader of planes
    # takes them for those of a picture upside down.)
    keep("planes.tiff", tiff(size, {**rgb, 284: shorts(2), 259: shorts(8)},
                             [zlib.compress(samples[flat * c:flat * (c + 1)]) for c in range(3)]))
    keep("planes_strips.tiff", tiff(
        size, {**rgb, 284: shorts(2), 259: shorts(8)},
        [zlib.compress(samples[flat * c + width * y:flat * c + width * min(y + 6, height)])
         for c in range(3) for y in range(0, height, 6)], rows_per_strip=6))
    for order, name in (("<", "little"), (">", "big")):
        keep(f"gray16_{name}.tiff", tiff(size, {262: shorts(1), 258: shorts(16)}, [bytes(
            b for i in range(flat) for b in struct.pack(order + "H", rng.randrange(600)))], order))
        keep(f"rgb16_{name}.tiff", tiff(size, {**rgb, 258: shorts(16, 16, 16)}, [samples[:6 * flat]], order))
    keep("premultiplied.tiff", tiff(size, {262: shorts(2), 277: shorts(4), 258: shorts(8, 8, 8, 8), 338: shorts(1)},
                                    [samples[:4 * flat]]))
    for bits in (1, 2, 4, 8):
        line = -(-width * bits // 8)
        block = [samples[:line * height]]
        colors = shorts(*(rng.randrange(65536) for _ in range(3 * 2**bits)))
        keep(f"palette{bits}.tiff", tiff(size, {262: shorts(3), 258: shorts(bits), 320: colors}, block))
        keep(f"gray{bits}.tiff", tiff(size, {262: shorts(1), 258: shorts(bits)}, block))
        keep(f"gray{bits}_inverted.tiff", tiff(size, {262: shorts(0), 258: shorts(bits)}, block))
    keep("low_bits_first.tiff", tiff(size, {262: shorts(1), 258: shorts(1), 266: shorts(2)}, [samples[:3 * height]]))
    for turn in range(1, 9):
        keep(f"turned{turn}.tiff", tiff(size, {**rgb, 274: shorts(turn)}, [samples[:3 * flat]]))


def avif(image, *options, avifdec=True, icc=None):
    """An AVIF by avifenc, and what avifdec makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        source, file, back = (f"{folder}/{name}" for name in ("source.png", "file.avif", "back.png"))
        image.save(source)
        if icc:
            pathlib.Path(f"{folder}/profile.icc").write_bytes(icc)
            options += ("--icc", f"{folder}/profile.icc")
        subprocess.run(["avifenc", "--jobs", "1", "--speed", "8", *options, source, file],
                       check=True, capture_output=True)
        if not avifdec:
            return pathlib.Path(file).read_bytes(), image
        subprocess.run(["avifdec", "--jobs", "1", "--depth", "8", "--upsampling", "automatic", file, back],
                       check=True, capture_output=True)
        with Image.open(back) as decoded:
            return pathlib.Path(file).read_bytes(), decoded.convert("RGB")


def make_avifs():
    image = picture(35, 26, 15)
    keep_as("lossless.avif", *avif(image, "--lossless", avifdec=False))
    alpha = image.convert("L").rotate(180)
    clear = Image.merge("RGBA", (*image.split(), alpha))
    keep_as("alpha.avif", avif(clear, "--lossless")[0], image)
    for subsampling in ("444", "422", "420", "400"):
        for depth in ("8", "10", "12"):
            keep_as(f"yuv{subsampling}_{depth}.avif", *avif(image, "--yuv", subsampling, "--depth", depth))
    keep_as("limited.avif", *avif(image, "--range", "limited"))
    keep_as("grid.avif", *avif(picture(128, 64, 16), "--grid", "2x1"))


def exif(orientation, order="<"):
    """EXIF with a tag before and one behind the orientation."""
    entries = ((0x010F, 2, 4, b"abc\0"), (0x0112, 3, 1, struct.pack(order + "HH", orientation, 0)),
               (0x0128, 3, 1, struct.pack(order + "HH", 2, 0)))
    data = struct.pack(order + "2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries))
    return data + b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries) + b"\0\0\0\0"


def keep_upright(name, data):
    with Image.open(io.BytesIO(data)) as image:
        keep_as(name, data, ImageOps.exif_transpose(image).convert("RGB"), "upright")


def make_uprights():
    image = picture(70, 45, 18)
    for orientation in range(1, 9):
        order = "<>"[orientation % 2]
        keep_upright(f"turned{orientation}.jpg", saved(image, "JPEG", subsampling=2,
                                                       exif=b"Exif\0\0" + exif(orientation, order)))
    small = picture(19, 13, 19)
    for orientation in (3, 6):
        keep_upright(f"turned{orientation}.png", saved(small, "PNG", exif=exif(orientation, ">")))
        keep_upright(f"turned{orientation}.webp", saved(small, "WEBP", lossless=True,
                                                        exif=b"Exif\0\0" + exif(orientation)))
    for name, data in (("nine", exif(9)), ("cut", exif(6)[:24]), ("no_header", b"XX" + exif(6)[2:]),
                       ("far_directory", exif(6)[:4] + b"\xff\xff\xff\x7f" + exif(6)[8:])):
        file = saved(small, "PNG", exif=data)
        try:
            keep_upright(f"broken_{name}.png", file)
        except (SyntaxError, struct.error):  # then Pillow gives no picture at all
            print("Pillow fails on", name)
            keep_upright(f"broken_{name}.png", saved(small, "PNG"))
            (HERE / "upright" / f"broken_{name}.png").write_bytes(file)
    mirrors = {"": None, "0": Image.Transpose.FLIP_TOP_BOTTOM, "1": Image.Transpose.FLIP_LEFT_RIGHT}
    for quarters in range(4):
        for mode, mirror in mirrors.items():
            options = ["--irot", str(quarters)] * (quarters > 0) + ["--imir", mode] * (mirror is not None)
            if not options:
                continue
            upright = small.rotate(90 * quarters, expand=True)
            keep_as(f"irot{quarters}_imir{mode or 'none'}.avif",
                    avif(small, "--lossless", *options, avifdec=False)[0],
                    upright if mirror is None else upright.transpose(mirror), "upright")


# ---------------------------------------------------------------- colour profiles

def fixed(*values):
    """ICC's s15Fixed16 numbers."""
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(space, connection, tags):
    """An ICC profile, version 2.1, of `tags`: name -> bytes."""
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78,
            b"cprt": b"text\0\0\0\0none\0", b"wtpt": b"XYZ \0\0\0\0" + fixed(.9642, 1, .8249), **tags}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", start + len(body), b"\0" * 4, 0x02100000, b"prtr" if space == b"CMYK" else
                       b"mntr", space, connection, struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp")
    return head.ljust(68, b"\0") + fixed(.9642, 1, .8249).ljust(60, b"\0") + table + body


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def rgb_profile(columns, gamma, more={}):
    """Of colorants, X, Y and Z each under D50, and one gamma."""
    tags = {name + b"XYZ": b"XYZ \0\0\0\0" + fixed(*column) for name, column in zip((b"r", b"g", b"b"), columns)}
    tags.update({name + b"TRC": curve(gamma) for name in (b"r", b"g", b"b")})
    return profile(b"RGB ", b"XYZ ", {**tags, **more})


def ink_profile():
    """A press that prints each ink as a filter: a table of 16 corners."""
    corners = bytearray()
    for corner in range(16):
        c, m, y, k = (corner >> bit & 1 for bit in (3, 2, 1, 0))
        light = (1 - .9 * k) * (1 - .25 * c) * (1 - .4 * m) * (1 - .06 * y)
        corners += bytes((round(255 * light), 128 - 40 * c + 60 * m - 5 * y, 128 - 45 * c - 5 * m + 80 * y))
    ramp = bytes(range(256))
    table = (b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + ramp * 4 + bytes(corners) +
             ramp * 3)
    return profile(b"CMYK", b"Lab ", {b"A2B0": table})


def keep_srgb(name, data, rgb=None):
    """Store a file with its colours in sRGB; `rgb`: what it holds, where Pillow
    cannot tell."""
    with Image.open(io.BytesIO(data)) if rgb is None else rgb as image:
        own = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        image = image.convert("RGB") if image.mode in ("P", "RGBA") else image
        keep_as(name, data, ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB"),
                "srgb")


def make_srgbs():
    image = picture(41, 27, 20)
    gray = image.convert("L")
    columns = ((.61, .311, .0195), (.2053, .6257, .0609), (.1492, .0632, .7446))
    wide = rgb_profile(columns, 2.2)
    shade = profile(b"GRAY", b"XYZ ", {b"kTRC": curve(1.3)})
    inks = Image.merge("CMYK", (*image.convert("CMYK").split()[:3], gray.rotate(180)))
    keep_srgb("wide.jpg", saved(image, "JPEG", quality=90, subsampling=0, icc_profile=wide))
    # A segment holds 65,519 bytes of a profile.
    text = b"text\0\0\0\0" + b"long " * 14000 + b"\0"
    keep_srgb("two_segments.jpg", saved(image, "JPEG", icc_profile=rgb_profile(columns, 1.8, {b"cprt": text})))
    keep_srgb("gray.jpg", saved(gray, "JPEG", icc_profile=shade))
    keep_srgb("inks.jpg", saved(inks, "JPEG", quality=95, icc_profile=ink_profile()))
    for name, stored in (("wide", image), ("palette", image.quantize(40)), ("alpha", image.convert("RGBA"))):
        keep_srgb(f"{name}.png", saved(stored, "PNG", icc_profile=wide))
    keep_srgb("gray.png", saved(gray, "PNG", icc_profile=shade))
    keep_srgb("wide.webp", saved(image, "WEBP", lossless=True, icc_profile=wide))
    keep_srgb("wide.tiff", saved(image, "TIFF", compression="tiff_lzw", icc_profile=wide))
    keep_srgb("gray.tiff", saved(gray, "TIFF", icc_profile=shade))
    keep_srgb("inks.tiff", saved(inks, "TIFF", compression="tiff_lzw", icc_profile=ink_profile()))


    tagged = image.copy()
    tagged.info["icc_profile"] = wide
    keep_srgb("wide.avif", avif(image, "--lossless", avifdec=False, icc=wide)[0], tagged)


# ---------------------------------------------------------------- files that end early

def keep_filled(name, data):
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(io.BytesIO(data)) as image:
            keep_as(name, data, image.convert("RGB"), "filled")
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def make_filled():
    image = picture(60, 44, 21)
    indexed = image.quantize(64)
    files = {
        "baseline.jpg": saved(image, "JPEG", subsampling=2), "progressive.jpg": saved(image, "JPEG", progressive=True),
        "gray.jpg": saved(image.convert("L"), "JPEG"), "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "rgb.png": saved(image, "PNG"), "palette.png": saved(indexed, "PNG"),
        "adam7.png": png(60, 44, 2, 8, [[image.getpixel((x, y)) for x in range(60)] for y in range(44)], True),
        "gray16.png": png(60, 44, 0, 16, [[(x + y,) for x in range(60)] for y in range(44)]),
        "plain.gif": saved(indexed, "GIF", interlace=0), "interlaced.gif": saved(indexed, "GIF", interlace=1),
        "rgb.bmp": saved(image, "BMP"), "palette.bmp": saved(indexed, "BMP")}
    for name, data in files.items():
        stem, kind = name.split(".")
        for percent in (55, 90):
            keep_filled(f"{stem}_{percent}.{kind}", data[:len(data) * percent // 100])


# ---------------------------------------------------------------- rendering

def brightness(image, factor):
    return ImageEnhance.Brightness(image).enhance(factor)


def contrast(image, factor):
    return ImageEnhance.Contrast(image).enhance(factor)


def saturation(image, factor):
    return ImageEnhance.Color(image).enhance(factor)


def hue(image, turn):
    """torchvision.transforms.functional.adjust_hue on a PIL image."""
    h, s, v = image.convert("HSV").split()
    shift = int(turn * 255) % 256
    h = h.point([(level + shift) % 256 for level in range(256)])
    return Image.merge("HSV", (h, s, v)).convert("RGB")


OPS = {"b": brightness, "c": contrast, "s": saturation, "h": hue}


def render(source, case):
    x, y, w, h = case["box"]
    image = source.crop((x, y, x + w, y + h)).resize((case["size"],) * 2, Image.BILINEAR)
    if case["flip"]:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    for op in case["order"]:
        image = OPS[op](image, case[op])
    if case["gray"]:
        image = image.convert("L").convert("RGB")
    if case["blur"]:
        image = image.filter(ImageFilter.GaussianBlur(case["blur"]))
    return image


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def crop_cases():
    """Each operation alone at telling values, then whole chains."""
    plain = {"box": (0, 0, 90, 70), "size": 18, "flip": 0, "order": "", "gray": 0, "blur": 0.0,
             "b": 1.0, "c": 1.0, "s": 1.0, "h": 0.0}
    for box, size in (((0, 0, 90, 70), 32), ((11, 7, 63, 51), 32), ((60, 40, 30, 30), 30),
                      ((70, 50, 20, 20), 33), ((3, 2, 1, 1), 8), ((5, 9, 80, 3), 17),
                      ((5, 0, 2, 70), 9), ((0, 0, 90, 70), 5), ((0, 69, 90, 1), 7),
                      ((31, 13, 41, 47), 24), ((40, 20, 24, 12), 24)):
        yield {**plain, "box": box, "size": size}
        yield {**plain, "box": box, "size": size, "flip": 1}
    for op, values in (("b", (0.2, 0.77, 1.0, 1.31, 1.8)), ("c", (0.2, 0.66, 1.0, 1.5, 1.8)),
                       ("s", (0.0, 0.2, 0.9, 1.0, 1.4, 1.8)), ("h", (-0.2, -0.07, 0.0, 0.003, 0.11, 0.2, 0.5))):
        for value in values:
            # The others at values that change nothing (hue 0 does: its way
            # through 8-bit HSV rounds), and the one in question last.
            order = "".join(o for o in "hbcs" if o != op) + op
            yield {**plain, "order": order, op: float32(value)}
    yield {**plain, "gray": 1}
    for radius in (0.1, 0.3, 0.5, 0.9, 1.2, 1.41, 1.42, 1.7, 2.0, 3.5, 9.0):
        yield {**plain, "blur": float32(radius)}
    yield {**plain, "blur": 2.0, "gray": 1}
    yield {**plain, "size": 3, "blur": 2.0}
    rng = random.Random(9)
    for number in range(30):
        w, h = rng.randint(8, 90), rng.randint(8, 70)
        order = list("bcsh")
        rng.shuffle(order)
        yield {"box": (rng.randint(0, 90 - w), rng.randint(0, 70 - h), w, h), "size": rng.choice((15, 16, 21, 24)),
               "flip": rng.randint(0, 1), "order": "".join(order) if number % 5 else "",
               "gray": int(number % 4 == 0), "blur": float32(rng.uniform(.1, 2)) if number % 2 else 0.0,
               "b": float32(rng.uniform(.2, 1.8)), "c": float32(rng.uniform(.2, 1.8)),
               "s": float32(rng.uniform(.2, 1.8)), "h": float32(rng.uniform(-.2, .2))}


def box_cases():
    """Denominators and boxes in pixels of a picture so many times as large."""
    for denominator, box, size, flip in (
            (1, (11, 7, 63, 51), 24, 0), (2, (0, 0, 180, 140), 24, 0), (2, (21, 13, 101, 87), 24, 0),
            (2, (21, 13, 101, 87), 24, 1), (4, (3, 5, 7, 9), 8, 0), (4, (77, 41, 130, 179), 32, 0),
            (4, (77, 42, 131, 178), 30, 1), (4, (359, 279, 1, 1), 4, 0), (8, (1, 1, 718, 558), 16, 0),
            (8, (700, 3, 15, 15), 9, 1), (8, (203, 157, 333, 250), 32, 0), (8, (5, 550, 400, 9), 16, 0)):
        yield denominator, box, size, flip
    rng = random.Random(11)
    for _ in range(20):
        denominator = rng.choice((2, 4, 8))
        w, h = rng.randint(denominator, 90 * denominator), rng.randint(denominator, 70 * denominator)
        x, y = rng.randint(0, 90 * denominator - w), rng.randint(0, 70 * denominator - h)
        yield denominator, (x, y, w, h), rng.choice((12, 15, 20)), rng.randint(0, 1)


def fractional_crop(source, denominator, box, size, flip):
    """The pixels that hold the box, of which `resize` is told the exact place."""
    left, top = box[0] / denominator, box[1] / denominator
    right, bottom = (box[0] + box[2]) / denominator, (box[1] + box[3]) / denominator
    x, y = math.floor(left), math.floor(top)
    image = source.crop((x, y, math.ceil(right), math.ceil(bottom)))
    image = image.resize((size, size), Image.BILINEAR, box=(left - x, top - y, right - x, bottom - y))
    return image.transpose(Image.FLIP_LEFT_RIGHT) if flip else image


def center(source, box, resize, size):
    """transformers' shortest-edge resize and centre crop, in its own words:
    new_long = int(resize * long / short); top = (height - size) // 2."""
    image = source.crop(box)
    w, h = image.size
    if w <= h:
        w, h = resize, int(resize * h / w)
    else:
        w, h = int(resize * w / h), resize
    image = image.resize((w, h), Image.BILINEAR)
    left, top = (w - size) // 2, (h - size) // 2
    return image.crop((left, top, left + size, top + size))


def make_renders():
    folder = HERE / "render"
    source = picture(90, 70, 10)
    (folder / "source.rgb").write_bytes(b"90 70\n" + source.tobytes())
    lines, pixels = [], b""
    for case in crop_cases():
        values = [*case["box"], case["size"], case["flip"], case["order"] or "-",
                  *(repr(case[op]) for op in "bcsh"), case["gray"], repr(case["blur"])]
        lines.append(" ".join(map(str, values)))
        pixels += render(source, case).tobytes()
    (folder / "crops.txt").write_text("\n".join(lines) + "\n")
    (folder / "crops.rgb").write_bytes(pixels)
    lines, pixels = [], b""
    for denominator, box, size, flip in box_cases():
        lines.append(" ".join(map(str, (denominator, *box, size, flip))))
        pixels += fractional_crop(source, denominator, box, size, flip).tobytes()
    (folder / "boxes.txt").write_text("\n".join(lines) + "\n")
    (folder / "boxes.rgb").write_bytes(pixels)
    lines, pixels = [], b""
    for box, resize, size in (((0, 0, 90, 70), 32, 32), ((0, 0, 90, 70), 37, 32), ((0, 0, 41, 70), 32, 28),
                              ((0, 0, 41, 70), 33, 33), ((10, 0, 80, 70), 24, 21), ((3, 3, 8, 8), 16, 16),
                              ((0, 0, 90, 7), 20, 15), ((0, 0, 3, 70), 9, 9), ((0, 0, 90, 70), 70, 33)):
        lines.append(" ".join(map(str, (*box, resize, size))))
        pixels += center(source, box, resize, size).tobytes()
    (folder / "centers.txt").write_text("\n".join(lines) + "\n")
    (folder / "centers.rgb").write_bytes(pixels)


def main():
    for name in ("decode", "upright", "srgb", "filled", "render"):
        (HERE / name).mkdir(exist_ok=True)
    make_jpegs()
    make_pngs()
    make_webps()
    make_gifs()
    make_bmps()
    make_tiffs()
    make_avifs()
    make_uprights()
    make_srgbs()
    make_filled()
    make_renders()


if __name__ == "__main__":
    main()
