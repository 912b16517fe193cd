/* protobuf.h - fields of a message in Protocol Buffers' wire format, read and written.
 *
 * The format is that of https://protobuf.dev/programming-guides/encoding: a field is a key, its
 * number and kind as a varint, and a value: a varint, 4 or 8 bytes, or bytes behind their length.
 * A message inside another one is such bytes: who reads it decides how deep to go.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXCHANGE_PROTOBUF_H
#define MHO_EXCHANGE_PROTOBUF_H

#include "mho/base.h"

/** Bytes that are read from their start. */
typedef struct mho_pb {
  const unsigned char *at, *end;
} mho_pb;

enum { MHO_PB_VARINT = 0, MHO_PB_DOUBLE = 1, MHO_PB_BYTES = 2, MHO_PB_SINGLE = 5 };
/** A field of a message. */
typedef struct mho_pb_field {
  int number, kind;
  uint64_t word; /**< of all kinds but bytes; a signed number is its two's complement */
  mho_pb bytes;  /**< of bytes: within the message */
} mho_pb_field;

/** The next field; false at the end of the message, and where it is damaged (*damaged is set). */
bool mho__pb_next(mho_pb *message, mho_pb_field *field, bool *damaged);
/** The next varint of packed ones. */
bool mho__pb_varint(mho_pb *packed, uint64_t *out);
/** Bytes of a field. */
static inline size_t mho__pb_size(const mho_pb *bytes) {
  return (size_t)(bytes->end - bytes->at);
}

/** A message that is written; begin with {0}, free `bytes` with free(). */
typedef struct mho_pb_writer {
  unsigned char *bytes;
  size_t n, capacity;
  bool failed; /**< there was no memory: nothing is written any more */
} mho_pb_writer;
void mho__pb_put_int(mho_pb_writer *w, int number, int64_t v);
void mho__pb_put_single(mho_pb_writer *w, int number, float v);
void mho__pb_put_bytes(mho_pb_writer *w, int number, const void *bytes, size_t n);
void mho__pb_put_text(mho_pb_writer *w, int number, const char *text);
/** A message as a field of another one; frees what it holds. */
void mho__pb_put_message(mho_pb_writer *w, int number, mho_pb_writer *message);

#endif
