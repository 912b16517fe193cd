/* tar.h - a gzipped tar archive, read once from front to back. Private to src/data.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_TAR_H
#define MHO_DATA_TAR_H

#include "data/file.h"

/* The member that is being read; zero before the first one. */
typedef struct mho_tar {
  char name[101];      /* without its folders; empty: no regular file, or the end */
  bool end;            /* there are no more members */
  uint64_t size, left; /* bytes of the member, and those not read yet */
} mho_tar;

/** Go on to the next member, past what is left of this one.
 *  @return MHO_OK; MHO_EDATA when there is neither a sound header nor the end; as
 *          mho__data_read. */
mho_err mho__tar_next(mho_data_reader *r, mho_tar *t, mho_errinfo *ei);
/** Read up to n bytes of the member, fewer only at its end.
 *  @return MHO_OK; MHO_EDATA; as mho__data_read. */
mho_err mho__tar_read(mho_data_reader *r, mho_tar *t, void *out, size_t n, size_t *got,
                      mho_errinfo *ei);

#endif
