/* tar.c - the members of a tar archive: a header of 512 bytes, the data, zeros up to the next
 * multiple of 512; two blocks of zeros end it (POSIX.1-2001, pax, "ustar Interchange Format"). Only
 * the size, the type and the end of the name are taken from a header: all versions of the format
 * write them in the same places.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/tar.h"

#include <string.h>

enum {
  BLOCK = 512,
  NAME = 0,
  NAME_LENGTH = 100,
  SIZE = 124,
  SIZE_LENGTH = 12,
  SUM = 148,
  SUM_LENGTH = 8,
  TYPE = 156
};

/* An octal number with blanks before it and a blank or a zero byte behind; false when it is not
 * one. */
static bool octal(const uint8_t *b, int length, uint64_t *out) {
  int i = 0;
  while (i < length && b[i] == ' ')
    i++;

  int first = i;
  *out = 0;
  while (i < length && b[i] >= '0' && b[i] <= '7') {
    *out = 8 * *out + (uint64_t)(b[i] - '0');
    i++;
  }
  return i > first && (i == length || !b[i] || b[i] == ' ');
}

/* Whether the header holds the sum of its own bytes, counted with blanks for the sum itself. */
static bool is_sound(const uint8_t header[BLOCK]) {
  uint64_t sum = 0, said;
  for (int i = 0; i < BLOCK; i++) {
    bool in_sum = i >= SUM && i < SUM + SUM_LENGTH;
    sum += in_sum ? ' ' : header[i];
  }
  return octal(header + SUM, SUM_LENGTH, &said) && said == sum;
}

static bool is_zero(const uint8_t header[BLOCK]) {
  static const uint8_t zero[BLOCK];
  return !memcmp(header, zero, BLOCK);
}

static void take_name(const uint8_t header[BLOCK], mho_tar *t) {
  char whole[NAME_LENGTH + 1] = "";
  memcpy(whole, header + NAME, NAME_LENGTH);
  const char *slash = strrchr(whole, '/');
  strcpy(t->name, slash ? slash + 1 : whole);
}

static mho_err skip(mho_data_reader *r, uint64_t n, mho_errinfo *ei) {
  uint8_t buffer[1 << 14];
  while (n) {
    size_t want = n < sizeof buffer ? (size_t)n : sizeof buffer;
    size_t got;
    mho_err err = mho__data_read(r, buffer, want, &got, ei);
    if (err)
      return err;
    if (got < want)
      return mho_fail(ei, MHO_EDATA, "%s is cut short: it ends within a file it holds; %s", r->name,
                      r->cure);
    n -= want;
  }
  return MHO_OK;
}

mho_err mho__tar_next(mho_data_reader *r, mho_tar *t, mho_errinfo *ei) {
  uint8_t header[BLOCK];
  size_t got;
  uint64_t padding = (BLOCK - t->size % BLOCK) % BLOCK;
  mho_err err = skip(r, t->left + padding, ei);
  *t = (mho_tar){0};
  if (!err)
    err = mho__data_read(r, header, BLOCK, &got, ei);
  if (err)
    return err;

  if (!got || (got == BLOCK && is_zero(header))) {
    t->end = true;
    return MHO_OK;
  }

  if (got < BLOCK || !is_sound(header) || !octal(header + SIZE, SIZE_LENGTH, &t->size))
    return mho_fail(ei, MHO_EDATA, "%s is not a tar archive, or a damaged one%s; %s", r->name,
                    header[0] == '<' ? " (it looks like a web page)" : "", r->cure);

  t->left = t->size;
  if (!header[TYPE] || header[TYPE] == '0')
    take_name(header, t);
  return MHO_OK;
}

mho_err mho__tar_read(mho_data_reader *r, mho_tar *t, void *out, size_t n, size_t *got,
                      mho_errinfo *ei) {
  if (n > t->left)
    n = (size_t)t->left;

  mho_err err = mho__data_read(r, out, n, got, ei);
  if (!err && *got < n)
    err = mho_fail(ei, MHO_EDATA, "%s is cut short: it ends within %s; %s", r->name, t->name,
                   r->cure);
  t->left -= *got;
  return err;
}
