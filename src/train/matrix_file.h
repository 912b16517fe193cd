/* matrix_file.h - a matrix as a file, NumPy's or CSV.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_MATRIX_FILE_H
#define MHO_TRAIN_MATRIX_FILE_H

#include "mho/base.h"

enum { MHO_PATH_MAX = 4096 };

/** Write v [rows x cols] to FOLDER/NAME.WHAT.npy (float64), or .csv. MHO_EIO. */
mho_err mho__matrix_file_write(const char *folder, const char *name, const char *what, bool csv,
                               int rows, int cols, const double *v, mho_errinfo *ei);
/** Read FOLDER/NAME.WHAT.npy or .csv; out->v is NULL where the folder has neither.
 *  @param path  [MHO_PATH_MAX] becomes that of the file.
 *  @return as mho_matrix_read. */
mho_err mho__matrix_file_read(const char *folder, const char *name, const char *what,
                              mho_matrix *out, char *path, mho_errinfo *ei);

#endif
