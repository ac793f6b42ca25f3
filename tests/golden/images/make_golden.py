#!/usr/bin/env python3
"""Write the image files of this folder and what Pillow makes of them.

  decode/NAME.EXT + NAME.EXT.rgb   a small file and Pillow's convert("RGB")
  render/source.rgb                the picture that crops are cut from
  render/crops.txt, crops.rgb      crop plans and Pillow's pixels for them
  render/boxes.txt, boxes.rgb      crops of a picture at 1/2, 1/4 or 1/8
  render/centers.txt, centers.rgb  evaluation views likewise

Each .rgb starts with one line "WIDTH HEIGHT\n", but for crops.rgb, boxes.rgb
and centers.rgb, which are bare pixels in the order of their text files.
The files were written with Pillow 9.4.0 and libjpeg-turbo 2.1.5 (Debian 12);
the tests only read them. usage: make_golden.py
"""
import io
import math
import pathlib
import random
import struct
import zlib

from PIL import Image, ImageEnhance, ImageFilter

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
        rgb = image.convert("RGB")
    (HERE / "decode" / name).write_bytes(data)
    head = f"{rgb.width} {rgb.height}\n".encode()
    (HERE / "decode" / (name + ".rgb")).write_bytes(head + rgb.tobytes())


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
    for name in ("decode", "render"):
        (HERE / name).mkdir(exist_ok=True)
    make_jpegs()
    make_pngs()
    make_webps()
    make_gifs()
    make_renders()


if __name__ == "__main__":
    main()
