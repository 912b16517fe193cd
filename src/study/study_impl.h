/* study_impl.h - a study in memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STUDY_IMPL_H
#define MHO_STUDY_IMPL_H

#include "experiment/config_file.h"
#include "experiment/sections.h"
#include "mho/model/entry.h"
#include "mho/study.h"
#include "mho/train.h"

/* One key and what it is set to. */
typedef struct study_set {
  char *key, *text;
  bool is_list;
  int line;
} study_set;

/* One thing to choose on an axis: the keys that are set together. */
typedef struct study_value {
  int n;
  study_set *set;
} study_value;

enum { STUDY_KEYS_MAX = 8 };

typedef struct study_axis {
  int n_keys; /* 0: points, whose values name their own keys */
  char *key[STUDY_KEYS_MAX];
  int line;
  int n; /* values; of a range the steps of a grid, 0: only to be sampled */
  study_value *value;
  const mho_param *range; /* the parameter whose range is varied; NULL: a list of values */
  double from, to;
  bool logarithmic;
} study_axis;

typedef enum study_design {
  STUDY_GRID,
  STUDY_RANDOM,
  STUDY_LATIN,
  STUDY_SOBOL,
  STUDY_DESIGNS
} study_design;
extern const char *const mho__study_design_words[STUDY_DESIGNS];

/* The median rule, by which runs are ended early. */
typedef struct study_stop {
  bool median;
  int after, runs;
  double margin;
} study_stop;

struct mho_study {
  char name[128], *file;
  mho_config *base;
  int n_axes, capacity;
  study_axis *axis;
  study_design design;
  int samples;
  int64_t design_seed;
  int n_seeds;
  int64_t *seed;
  study_stop stop;
};

enum { STUDY_RUNS_MAX = 1000000 };

/* design.c */

/** Number of points. */
int64_t mho__study_points(const mho_study *s);
/** What all points share: the samples of the design, [samples x sampled axes] in 0..1; free with
 *  free().
 *  @return MHO_OK; MHO_ECONFIG when too many keys are varied for the design; MHO_ENOMEM. */
mho_err mho__study_samples(const mho_study *s, double **out, mho_errinfo *ei);
/** The config of a point: the base with what the point sets.
 *  @param seed   below 0: the base's.
 *  @param label  what is set, in short, for people; nullable, [capacity].
 *  @return MHO_OK; MHO_ECONFIG with the place for a value that does not fit; MHO_ENOMEM. */
mho_err mho__study_point_config(const mho_study *s, const double *samples, int64_t point,
                                int64_t seed, mho_config **out, char *label, size_t capacity,
                                mho_errinfo *ei);
/** The value of a range at u in 0..1, as config text. */
void mho__study_range_text(const study_axis *a, double u, char *buf, size_t n);
/** The value of a range at the i-th of its steps in a grid, as config text. */
void mho__study_step_text(const study_axis *a, int64_t i, char *buf, size_t n);

/* worker.c */

enum study_message_kind { STUDY_EPOCH, STUDY_LOG, STUDY_END };

/* From a worker to its parent; smaller than PIPE_BUF, so written and read whole. */
typedef struct study_message {
  enum study_message_kind kind;
  mho_epoch_row epoch;
  mho_train_result result;
  bool stopped; /* by the median rule */
  mho_err err;
  mho_log_level level;
  mho_errinfo ei;
} study_message;

typedef struct study_job {
  const mho_study *s;
  const mho_registry *r;
  const mho_study_options *o;
  mho_config *config; /* of a new run */
  char name[192];
  const char *resume; /* run to go on with, or NULL */
} study_job;

/** Train one run and exit; in a child process. */
_Noreturn void mho__study_worker(const study_job *job, int parent, int pipe);

#endif
