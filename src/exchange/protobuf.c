/* protobuf.c - fields of a message in Protocol Buffers' wire format, read and written.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/protobuf.h"

#include <stdlib.h>
#include <string.h>

#include "base/float_bits.h"

/* ---------------------------------------------------------------- reading */

bool mho__pb_varint(mho_pb *m, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (m->at == m->end)
      return false;
    unsigned char byte = *m->at++;
    *out |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128))
      return true;
  }
  return false;
}

/* A word of n bytes. */
static bool take_word(mho_pb *m, int n, uint64_t *out) {
  if (mho__pb_size(m) < (size_t)n)
    return false;
  *out = mho__word(m->at, n);
  m->at += n;
  return true;
}

static bool take_bytes(mho_pb *m, mho_pb *out) {
  uint64_t n;
  if (!mho__pb_varint(m, &n) || n > mho__pb_size(m))
    return false;
  *out = (mho_pb){m->at, m->at + n};
  m->at += n;
  return true;
}

static bool take_value(mho_pb *m, mho_pb_field *f) {
  switch (f->kind) {
  case MHO_PB_VARINT:
    return mho__pb_varint(m, &f->word);
  case MHO_PB_DOUBLE:
    return take_word(m, 8, &f->word);
  case MHO_PB_BYTES:
    return take_bytes(m, &f->bytes);
  case MHO_PB_SINGLE:
    return take_word(m, 4, &f->word);
  default: /* groups, which are no longer written */
    return false;
  }
}

bool mho__pb_next(mho_pb *m, mho_pb_field *f, bool *damaged) {
  uint64_t key;
  *f = (mho_pb_field){0};
  if (m->at == m->end)
    return false;

  bool ok = mho__pb_varint(m, &key) && key >> 3 >= 1 && key >> 3 < 1 << 29;
  if (ok) {
    f->number = (int)(key >> 3);
    f->kind = (int)(key & 7);
    ok = take_value(m, f);
  }
  if (!ok)
    *damaged = true;
  return ok;
}

/* ---------------------------------------------------------------- writing */

static void put(mho_pb_writer *w, const void *bytes, size_t n) {
  if (w->failed || !n)
    return;
  if (w->n + n > w->capacity) {
    size_t capacity = 2 * (w->n + n);
    unsigned char *bigger = realloc(w->bytes, capacity);
    w->failed = !bigger;
    if (w->failed)
      return;
    w->bytes = bigger;
    w->capacity = capacity;
  }
  memcpy(w->bytes + w->n, bytes, n);
  w->n += n;
}

static void put_varint(mho_pb_writer *w, uint64_t v) {
  unsigned char bytes[10];
  size_t n = 0;
  while (v > 127) {
    bytes[n++] = (unsigned char)(v & 127) | 128;
    v >>= 7;
  }
  bytes[n++] = (unsigned char)v;
  put(w, bytes, n);
}

static void put_key(mho_pb_writer *w, int number, int kind) {
  put_varint(w, (uint64_t)number << 3 | (uint64_t)kind);
}

void mho__pb_put_int(mho_pb_writer *w, int number, int64_t v) {
  put_key(w, number, MHO_PB_VARINT);
  put_varint(w, (uint64_t)v);
}

void mho__pb_put_single(mho_pb_writer *w, int number, float v) {
  put_key(w, number, MHO_PB_SINGLE);
  put(w, &v, sizeof v);
}

void mho__pb_put_bytes(mho_pb_writer *w, int number, const void *bytes, size_t n) {
  put_key(w, number, MHO_PB_BYTES);
  put_varint(w, n);
  put(w, bytes, n);
}

void mho__pb_put_text(mho_pb_writer *w, int number, const char *text) {
  mho__pb_put_bytes(w, number, text, strlen(text));
}

void mho__pb_put_message(mho_pb_writer *w, int number, mho_pb_writer *message) {
  mho__pb_put_bytes(w, number, message->bytes, message->n);
  w->failed = w->failed || message->failed;
  free(message->bytes);
  *message = (mho_pb_writer){0};
}
