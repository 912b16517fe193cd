/* whole_file.h - files that take their name when they are whole: a failure leaves an older one as
 * it was, and nothing of a new one.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_WHOLE_FILE_H
#define MHO_BASE_WHOLE_FILE_H

#include <errno.h>
#include <stdio.h>

#include "mho/base.h"

/** What an error of the system is to the user: MHO_EDISK where the disk is full or fails, else
 * MHO_EIO, a path to mend. */
static inline mho_err mho__io_error(int why) {
  bool disk = why == ENOSPC || why == EDQUOT || why == EFBIG || why == EIO;
  return disk ? MHO_EDISK : MHO_EIO;
}

/** A file that is being written. */
typedef struct mho_whole_file {
  const char *path; /**< as it was asked for */
  char *target;     /**< the same without links; NULL: written in its place (a device, a pipe) */
  char *temporary;  /**< its name until then */
  int fd;           /**< the file that has no name; -1 where the file system knows none such */
  FILE *f;
} mho_whole_file;

/** Whether all that was printed is written: MHO_OK, or MHO_EDISK or MHO_EIO with "WHAT: cause". */
mho_err mho__flush(FILE *f, const char *what, mho_errinfo *ei);
/** Begin a file. path must stay. @return what to write to; NULL with the cause in errno. */
FILE *mho__whole_open(const char *path, mho_whole_file *w);
/** Descriptor to write to in place of the FILE, which mho__whole_end then does not flush. */
int mho__whole_descriptor(const mho_whole_file *w);
/** Give the file its name, or forget it where err is one.
 *  @param what  "cannot be written": what the sentence of a failure says of the path.
 *  @return err; MHO_EDISK or MHO_EIO when it could not be written. */
mho_err mho__whole_end(mho_whole_file *w, mho_err err, const char *what, mho_errinfo *ei);

#endif
