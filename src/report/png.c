/* png.c - small pictures within a page: PNG (ISO/IEC 15948) without filters or interlacing, in
 * base64 (RFC 4648).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void mho__base64(FILE *out, const uint8_t *bytes, size_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  /* three bytes are four digits */
  for (size_t i = 0; i < n; i += 3) {
    unsigned second = i + 1 < n ? bytes[i + 1] : 0, third = i + 2 < n ? bytes[i + 2] : 0;
    unsigned v = (unsigned)bytes[i] << 16 | second << 8 | third;
    fprintf(out, "%c%c", digits[v >> 18], digits[v >> 12 & 63]);
    fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', out);
    fputc(i + 2 < n ? digits[v & 63] : '=', out);
  }
}

bool mho__png_pixels(const char *text, size_t n, uint8_t *out) {
  if (strcspn(text, "\n") != 2 * n)
    return false;

  for (size_t i = 0; i < n; i++) {
    unsigned v;
    if (sscanf(text + 2 * i, "%2x", &v) != 1)
      return false;
    out[i] = (uint8_t)v;
  }
  return true;
}

/* ---------------------------------------------------------------- chunks */

static uint8_t *put_number(uint8_t *at, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8)
    *at++ = (uint8_t)(v >> shift);
  return at;
}

/* A chunk: length, name, data, and the checksum of name and data. @return behind it. */
static uint8_t *put_chunk(uint8_t *at, const char *name, const uint8_t *data, size_t n) {
  at = put_number(at, (uint32_t)n);
  uint8_t *start = at;
  memcpy(at, name, 4);
  if (n > 0)
    memcpy(at + 4, data, n);
  at += 4 + n;
  return put_number(at, (uint32_t)crc32(0, start, (uInt)(at - start)));
}

/* The lines as they are compressed: each has a byte for its filter, none, and its pixels with their
 * channels side by side. */
static void fill_lines(int width, int height, int channels, const uint8_t *pixels, uint8_t *out) {
  size_t plane = (size_t)width * (size_t)height;
  for (int y = 0; y < height; y++) {
    *out++ = 0;
    for (int x = 0; x < width; x++)
      for (int c = 0; c < channels; c++)
        *out++ = pixels[(size_t)c * plane + (size_t)y * (size_t)width + (size_t)x];
  }
}

mho_err mho__png_data(FILE *out, int width, int height, int channels, const uint8_t *pixels,
                      mho_errinfo *ei) {
  static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  enum { HEAD = 13, AROUND = 12, GRAY = 0, RGB = 2 };
  size_t lines = (size_t)height * ((size_t)width * (size_t)channels + 1);
  uLongf packed = compressBound(lines);
  uint8_t *raw = malloc(lines), *data = malloc(packed);
  uint8_t *png = malloc(sizeof signature + HEAD + packed + 3 * AROUND);
  mho_err err = MHO_OK;

  if (raw && data && png) {
    uint8_t head[HEAD] = {0};
    put_number(put_number(head, (uint32_t)width), (uint32_t)height);
    head[8] = 8; /* bits of a number */
    head[9] = channels == 3 ? RGB : GRAY;
    fill_lines(width, height, channels, pixels, raw);
    if (compress2(data, &packed, raw, lines, Z_BEST_COMPRESSION) != Z_OK)
      err = mho_fail(ei, MHO_ENOMEM, "no memory for a picture");

    memcpy(png, signature, sizeof signature);
    uint8_t *end = put_chunk(png + sizeof signature, "IHDR", head, HEAD);
    end = put_chunk(end, "IDAT", data, packed);
    end = put_chunk(end, "IEND", NULL, 0);
    fputs("data:image/png;base64,", out);
    mho__base64(out, png, (size_t)(end - png));
  } else {
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a picture");
  }

  free(raw);
  free(data);
  free(png);
  return err;
}
