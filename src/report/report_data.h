/* report_data.h - everything the database has of one run.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_REPORT_REPORT_DATA_H
#define MHO_REPORT_REPORT_DATA_H

#include <math.h>
#include <string.h>

#include "mho/store.h"

enum { MHO_NAME_MAX = 64, MHO_LAYERS_SHOWN = 150, MHO_COSIM_SHOWN = 100 };

/* A connection after the last epoch that has any. */
typedef struct mho_report_layer {
  char name[MHO_NAME_MAX];
  int rows, cols;
  double w_mean, w_std, w_absmax, g_mean, g_std, saturated, stuck, pulses, cosine;
  double pulses_total; /* of all epochs */
} mho_report_layer;

typedef struct mho_report_cosim {
  char what[MHO_NAME_MAX], quantity[MHO_NAME_MAX], unit[16], place[MHO_NAME_MAX], created[32];
  int64_t n;
  double max_abs, max_rel;
  double tolerance; /* on max_rel, see mho/spice.h */
  double core_s, spice_s;
  bool pass;
} mho_report_cosim;

/* Observables against the epoch, [epochs of the run] each, NaN where nothing was observed. */
typedef struct mho_report_observables {
  double *spectral_radius, *lyapunov, *steps_mean, *steps_max;
  int n_connections;
  char (*connection)[MHO_NAME_MAX]; /* [n_connections], those that a cosine is known of */
  double *cosine;                   /* [n_connections x epochs] */
} mho_report_observables;

/* A term of what training would take on hardware, over all epochs. */
typedef struct mho_report_energy {
  char term[MHO_NAME_MAX];
  double joule, seconds, count, samples;
} mho_report_energy;

typedef struct mho_report_data {
  mho_run_row run;
  int n_epochs;
  mho_epoch_row *epoch; /* [n_epochs], ascending */
  int layers_epoch;
  int n_layers, more_layers; /* more_layers: beyond MHO_LAYERS_SHOWN, not read */
  mho_report_layer *layer;
  mho_report_observables observed;
  int n_energy;
  mho_report_energy *energy; /* [n_energy], the largest first */
  int n_cosim, more_cosim;   /* the newest come first */
  mho_report_cosim *cosim;
} mho_report_data;

/** Read a run with all that belongs to it.
 *  @return MHO_OK; MHO_ENOTFOUND for an unknown run; MHO_ENOMEM; errors of the store. On failure
 *          *out is empty. */
mho_err mho__report_data_read(mho_store *s, const char *run_id, mho_report_data *out,
                              mho_errinfo *ei);
void mho__report_data_free(mho_report_data *d);
/** Whether any epoch has a finite value there (offsetof a double in mho_epoch_row). */
bool mho__report_has(const mho_report_data *d, size_t offset);
/** Read the observables of a run whose epochs have been read.
 *  @return MHO_OK; MHO_ENOMEM; errors of the store. */
mho_err mho__report_observables_read(mho_store *s, mho_report_data *d, mho_errinfo *ei);
void mho__report_observables_free(mho_report_observables *o);

/** The double at an offset of an epoch. */
static inline double mho__epoch_value(const mho_epoch_row *e, size_t offset) {
  return *(const double *)((const char *)e + offset);
}

/** Whether the run's targets are values: then it has losses and an rms, and no accuracies. */
static inline bool mho__report_has_values(const mho_report_data *d) {
  return isfinite(d->run.final_test_rms) && !isfinite(d->run.final_test_acc);
}

/** Whether the run was made by mho program, not by training. */
static inline bool mho__report_is_programmed(const mho_report_data *d) {
  return d->run.kind && !strcmp(d->run.kind, "programmed");
}

#endif
