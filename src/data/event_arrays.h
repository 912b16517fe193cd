/* event_arrays.h - arrays of numbers by their names: members of an .npz file, or NAME.npy and
 * NAME.csv of a folder. Private to src/data.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_DATA_EVENT_ARRAYS_H
#define MHO_DATA_EVENT_ARRAYS_H

#include "base/npy.h"
#include "base/zip.h"
#include "data/file.h"

enum { MHO_EVENT_ARRAYS = 8 }; /* most that a dataset is read from */

/* The place of the arrays. */
typedef struct mho_array_place {
  const char *path;
  char *bytes;            /* of an .npz file; NULL: path is a folder */
  mho_zip_member *member; /* [n] */
  int n;
  char digests[MHO_EVENT_ARRAYS * (MHO_DATA_HEX - 1) + 1]; /* of the files that were read */
} mho_array_place;

/* An array: its numbers lie in bytes. */
typedef struct mho_data_array {
  mho_npy npy;
  char name[MHO_DATA_PATH + 64]; /* in messages */
  void *bytes;
} mho_data_array;

/** Look at a path, of dataset.path. Free the place after an error, too.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_ECONFIG for what is neither a folder nor an .npz file; errors
 *          of mho__file_bytes and mho__zip_open. */
mho_err mho__array_place_open(const char *path, mho_array_place *out, mho_errinfo *ei);
void mho__array_place_free(mho_array_place *p);

/** Whether there is an array of that name. */
bool mho__array_is_there(const mho_array_place *p, const char *name);
/** Read one, of at most two dimensions. Free it after an error, too.
 *  @return MHO_OK; MHO_ENOTFOUND; MHO_EDATA; MHO_EIO; MHO_ENOMEM. */
mho_err mho__array_read(mho_array_place *p, const char *name, mho_data_array *out, mho_errinfo *ei);
void mho__array_free(mho_data_array *a);

#endif
