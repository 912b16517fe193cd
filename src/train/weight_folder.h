/* weight_folder.h - the weights of a network as the files of a folder, with what device they are
 * of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_TRAIN_WEIGHT_FOLDER_H
#define MHO_TRAIN_WEIGHT_FOLDER_H

#include <jansson.h>

#include "array/groups.h"
#include "train/trainer.h"

/* One connection's matrices, [rows x cols]; g (S) of no bank or of all n_banks. */
typedef struct mho_matrices {
  int rows, cols, n_banks;
  double *w, *g[MHO_BANKS_MAX];
  double w_max; /**< That g goes with; 0: not known. */
} mho_matrices;

/* What a conductance means depends on all of these. */
typedef struct mho_origin {
  bool known;
  char model[64], card[MHO_TEXT_MAX], mapping[64];
  double g_min, g_max, weight_range, start;
  char cells[MHO_TEXT_MAX]; /**< Significance of every device of a cell; "": it is one. */
  bool zero_shift;          /**< Then the references are the chip's own, */
  double zero_error;        /**< and so they are where this is not 0. */
  double chip;              /**< Seed. */
} mho_origin;

/** A crossbar's weights, and on devices its conductances; MHO_ENOMEM. */
mho_err mho__matrices_of(const mho_crossbar *x, mho_matrices *m, mho_errinfo *ei);
/** Those of a connection in a folder, without w_max.
 *  @param banks  those that are looked for; NULL: weights alone are.
 *  @return MHO_OK; MHO_ENOTFOUND where a file is missing; MHO_EDATA. */
mho_err mho__matrices_read(const char *folder, const char *name, const mho_bank_table *banks,
                           mho_matrices *m, mho_errinfo *ei);
void mho__matrices_free(mho_matrices *m);
static inline size_t mho__matrices_cells(const mho_matrices *m) {
  return (size_t)m->rows * (size_t)m->cols;
}

mho_origin mho__origin_of(const mho_experiment *e);
/** Whether a conductance means the same weight in both, with one w_max. */
bool mho__origin_is_same(const mho_origin *a, const mho_origin *b);

/** A folder's weights.json, NULL where it has none; MHO_EDATA for a file of something else. */
mho_err mho__sidecar_read(const char *folder, json_t **out, mho_errinfo *ei);
/** The device that a folder's conductances are of, not known where the sidecar (nullable) does not
 * say. */
mho_origin mho__sidecar_origin(const json_t *sidecar);
/** w_max of a connection, 0 where the sidecar (nullable) does not say. */
double mho__sidecar_range(const json_t *sidecar, const char *name);

#endif
