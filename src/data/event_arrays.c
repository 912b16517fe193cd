/* event_arrays.c - arrays of numbers out of an .npz file, or of a folder of .npy and .csv files.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "data/event_arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file_bytes.h"
#include "data/table_rows.h"

/* ---------------------------------------------------------------- the place */

static mho_err open_npz(mho_array_place *p, mho_errinfo *ei) {
  size_t length;
  mho_err err = mho__file_bytes(p->path, &p->bytes, &length, ei);
  if (err)
    return err;

  if (!mho__zip_is(p->bytes, length))
    return mho_fail(ei, MHO_ECONFIG,
                    "dataset.path: '%s' is no .npz file: numpy.savez writes one; or name a folder "
                    "of .npy files",
                    p->path);
  SHA256Data((const uint8_t *)p->bytes, length, p->digests);
  return mho__zip_open(p->bytes, length, p->path, &p->member, &p->n, ei);
}

mho_err mho__array_place_open(const char *path, mho_array_place *out, mho_errinfo *ei) {
  static const char what[] = "which events? Name an .npz file, or a folder of .npy files, with "
                             "x_train_events and y_train";
  bool is_folder = false;
  *out = (mho_array_place){.path = path};
  mho_err err = mho__data_place(path, what, &is_folder, ei);
  return err || is_folder ? err : open_npz(out, ei);
}

void mho__array_place_free(mho_array_place *p) {
  free(p->bytes);
  free(p->member);
  *p = (mho_array_place){0};
}

/* ---------------------------------------------------------------- an array */

static const mho_zip_member *member_of(const mho_array_place *p, const char *name) {
  char file[MHO_ZIP_NAME];
  snprintf(file, sizeof file, "%s.npy", name);
  for (int i = 0; i < p->n; i++)
    if (!strcmp(p->member[i].name, file))
      return &p->member[i];
  return NULL;
}

bool mho__array_is_there(const mho_array_place *p, const char *name) {
  char path[MHO_DATA_PATH];
  if (p->bytes)
    return member_of(p, name) != NULL;
  return mho__data_part(p->path, name, "npy", path) || mho__data_part(p->path, name, "csv", path);
}

static mho_err read_member(const mho_zip_member *m, const char *file, mho_data_array *out,
                           mho_errinfo *ei) {
  unsigned char *bytes;
  snprintf(out->name, sizeof out->name, "%s: %s", file, m->name);
  mho_err err = mho__zip_unpack(m, file, &bytes, ei);
  if (err)
    return err;
  out->bytes = bytes;
  return mho__npy_open(bytes, m->size, out->name, 1, 2, &out->npy, ei);
}

static mho_err read_npy(const char *path, mho_data_array *out, mho_errinfo *ei) {
  char *bytes;
  size_t length;
  mho_err err = mho__file_bytes(path, &bytes, &length, ei);
  out->bytes = bytes;
  return err ? err : mho__npy_open(bytes, length, path, 1, 2, &out->npy, ei);
}

/* The columns of a text file as a matrix. */
static mho_err read_csv(const char *path, mho_data_array *out, mho_errinfo *ei) {
  static const uint16_t one = 1;
  bool is_little = *(const uint8_t *)&one;
  mho_table_want want = {.features = "", .header = MHO_HEADER_AUTO};
  mho_table_rows rows;
  mho_err err = mho__table_read(path, &want, &rows, ei);
  if (!err) {
    out->bytes = rows.x;
    out->npy = (mho_npy){.order = is_little ? '<' : '>',
                         .kind = 'f',
                         .size = sizeof *rows.x,
                         .n_dims = 2,
                         .dim = {rows.n, rows.features},
                         .count = (size_t)rows.n * (size_t)rows.features,
                         .numbers = out->bytes};
    rows.x = NULL;
  }
  mho__table_rows_free(&rows);
  return err;
}

static mho_err read_file(mho_array_place *p, const char *name, mho_data_array *out,
                         mho_errinfo *ei) {
  char path[MHO_DATA_PATH], hex[MHO_DATA_HEX];
  bool is_npy = mho__data_part(p->path, name, "npy", path);
  if (!is_npy && !mho__data_part(p->path, name, "csv", path))
    return mho_fail(ei, MHO_ENOTFOUND, "dataset.path: '%s' has no %s.npy and no %s.csv", p->path,
                    name, name);

  snprintf(out->name, sizeof out->name, "%s", path);
  mho_err err = is_npy ? read_npy(path, out, ei) : read_csv(path, out, ei);
  if (err)
    return err;
  if (!SHA256File(path, hex))
    return mho_fail_at(ei, MHO_EIO, path, 0, "cannot read it");
  mho_text_append(p->digests, sizeof p->digests, "%s", hex);
  return MHO_OK;
}

mho_err mho__array_read(mho_array_place *p, const char *name, mho_data_array *out,
                        mho_errinfo *ei) {
  *out = (mho_data_array){.bytes = NULL};
  if (!p->bytes)
    return read_file(p, name, out, ei);

  const mho_zip_member *m = member_of(p, name);
  if (!m)
    return mho_fail(ei, MHO_ENOTFOUND, "dataset.path: '%s' has no array %s", p->path, name);
  return read_member(m, p->path, out, ei);
}

void mho__array_free(mho_data_array *a) {
  free(a->bytes);
  a->bytes = NULL;
}
