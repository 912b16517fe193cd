/* zip.h - members of a zip file, stored or deflated, out of memory and into a file.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_ZIP_H
#define MHO_BASE_ZIP_H

#include <stdio.h>

#include "mho/base.h"

enum { MHO_ZIP_NAME = 256 };

/** A member, in the bytes of the file. */
typedef struct mho_zip_member {
  char name[MHO_ZIP_NAME];
  bool deflated;
  const unsigned char *packed; /**< [packed_size] */
  size_t packed_size, size;
  uint32_t crc;
} mho_zip_member;

/** Whether bytes begin as a zip file does. */
bool mho__zip_is(const void *bytes, size_t length);
/** The members of a zip file as its directory has them.
 *  @param file  stands for it in messages.
 *  @param out   [*n], free it with free().
 *  @return MHO_OK; MHO_EDATA for what is cut short, encrypted, packed otherwise, or beyond 4 GB;
 *          MHO_ENOMEM. */
mho_err mho__zip_open(const void *bytes, size_t length, const char *file, mho_zip_member **out,
                      int *n, mho_errinfo *ei);
/** The bytes of a member, unpacked: [m->size], free with free().
 *  @return MHO_OK; MHO_EDATA for damaged ones; MHO_ENOMEM. */
mho_err mho__zip_unpack(const mho_zip_member *m, const char *file, unsigned char **out,
                        mho_errinfo *ei);

/** A zip file that is written, its members stored. Begin with {.f = FILE}. */
typedef struct mho_zip_writer {
  FILE *f;
  int n;
  uint32_t at;     /**< bytes so far */
  char *directory; /**< of the members so far */
  size_t size, capacity;
} mho_zip_writer;
/** Write a member: `head` and behind it `body`. @return MHO_OK; MHO_ENOMEM; MHO_EINVAL beyond
 *  4 GB. */
mho_err mho__zip_write(mho_zip_writer *z, const char *name, const void *head, size_t head_size,
                       const void *body, size_t body_size, mho_errinfo *ei);
/** Write the directory, and free the writer. */
void mho__zip_end(mho_zip_writer *z);

#endif
