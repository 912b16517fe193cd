/* file_bytes.h - a whole file in memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_BASE_FILE_BYTES_H
#define MHO_BASE_FILE_BYTES_H

#include "mho/base.h"

/** All bytes of a file, with a 0 behind them.
 *  @param path  "-" is standard input.
 *  @param out   free it with free(); NULL where it could not be read.
 *  @return MHO_OK; MHO_EIO; MHO_EDATA: a device, which may have no end; MHO_ENOMEM. */
mho_err mho__file_bytes(const char *path, char **out, size_t *length, mho_errinfo *ei);

/** MHO_EDATA where an open file is a device, which may have no end (/dev/zero); a terminal has
 *  one. */
mho_err mho__refuse_device(int fd, const char *path, mho_errinfo *ei);

#endif
