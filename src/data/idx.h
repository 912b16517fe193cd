/* idx.h - datasets of four IDX files. Private to src/data.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_IDX_H
#define MHO_DATA_IDX_H

#include "data/file.h"

/** The load function of a kind whose files are training images, training labels, test images, test
 *  labels.
 *  @param classes  labels must be below it; 0: one more than the largest training label. */
mho_err mho__idx_load(const mho_dataset_kind *kind, const char *folder, int classes,
                      mho_dataset *out, mho_errinfo *ei);

/** Read one file whole and drop it: MHO_OK when it is sound IDX of images or labels, as its first
 *  bytes say.
 *  @param name  of the file, in messages. */
mho_err mho__idx_check(const char *path, const char *name, const char *cure, mho_errinfo *ei);

#endif
