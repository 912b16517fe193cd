/* npz.c - weights as NumPy's .npz: a zip file of arrays, NAME.npy each.
 *
 * numpy.savez and savez_compressed write such files, and numpy.load reads what is written here.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/npy.h"
#include "base/zip.h"
#include "exchange/network_bytes.h"

/* The numbers of a member as a tensor. */
static mho_err take_array(const unsigned char *bytes, const mho_zip_member *m, const char *file,
                          mho_tensors *out, mho_errinfo *ei) {
  char name[MHO_TEXT_MAX];
  int64_t dim[MHO_TENSOR_DIMS];
  mho_npy a;
  mho_tensor *t;
  snprintf(name, sizeof name, "%.200s: %s", file, m->name);
  mho_err err = mho__npy_open(bytes, m->size, name, 0, MHO_TENSOR_DIMS, &a, ei);
  if (err)
    return err;

  size_t length = strlen(m->name), ending = strlen(".npy");
  bool ends = length > ending && !strcmp(m->name + length - ending, ".npy");
  for (int k = 0; k < a.n_dims; k++)
    dim[k] = a.dim[k];
  err =
      mho__tensors_add(out, file, m->name, ends ? length - ending : length, a.n_dims, dim, &t, ei);
  if (err)
    return err;
  for (size_t i = 0; i < t->count; i++)
    t->v[i] = mho__npy_number(&a, i);
  return mho__tensor_check(t, file, ei);
}

static mho_err take_member(const mho_zip_member *m, const char *file, mho_tensors *out,
                           mho_errinfo *ei) {
  unsigned char *bytes;
  if (m->size / 2 > MHO_TENSORS_NUMBERS * sizeof(double))
    return mho_fail_at(ei, MHO_EDATA, file, 0, "'%s' in it is larger than what is taken", m->name);
  mho_err err = mho__zip_unpack(m, file, &bytes, ei);
  if (!err)
    err = take_array(bytes, m, file, out, ei);
  free(bytes);
  return err;
}

mho_err mho__npz_read(const void *bytes, size_t length, const char *file, mho_tensors *out,
                      mho_errinfo *ei) {
  mho_zip_member *m;
  int n;
  *out = (mho_tensors){0};
  mho_err err = mho__zip_open(bytes, length, file, &m, &n, ei);

  for (int i = 0; i < n; i++) {
    if (err)
      break;
    err = take_member(&m[i], file, out, ei);
  }
  free(m);
  if (err)
    mho__tensors_free(out);
  return err;
}

/* ---------------------------------------------------------------- out */

static mho_err write_array(mho_zip_writer *z, const mho_chain_layer *l, bool biases,
                           mho_errinfo *ei) {
  char name[MHO_CHAIN_NAME + 16], head[MHO_NPY_HEAD];
  int dim[4], n_dims;
  size_t n;
  float *v = mho__layer_numbers(l, biases, dim, &n_dims, &n);
  if (!v)
    return mho_fail(ei, MHO_ENOMEM, "no memory to write '%s'", l->name);

  snprintf(name, sizeof name, "%s.%s.npy", l->name, biases ? "bias" : "weight");
  int before = mho__npy_head(sizeof *v, n_dims, dim, head);
  mho_err err = mho__zip_write(z, name, head, (size_t)before, v, n * sizeof *v, ei);
  mho_free(v);
  return err;
}

mho_err mho__npz_write(const mho_chain *c, FILE *f, mho_errinfo *ei) {
  mho_zip_writer z = {.f = f};
  mho_err err = MHO_OK;
  for (int l = 0; l < c->n; l++) {
    if (!err)
      err = write_array(&z, &c->layer[l], false, ei);
    if (!err && c->layer[l].b)
      err = write_array(&z, &c->layer[l], true, ei);
  }
  mho__zip_end(&z);
  return err;
}
