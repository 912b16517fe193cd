/* tiki_taka.c - outer products go into a fast array, which is read row by row, and what it shows
 * is passed on to the slow array that the network reads.
 *
 *   W = gamma A + C
 *   A_ij += c_i d_j (-rate x_i e_j)    each sample, by trains of pulses (trains.h)
 *   every `transfer_every` samples the next row i of A is read and passed on to row i of C
 *   (transfer.c), and the choppers c_i and d_j turn now and then
 *
 * The pulses of a device pull it towards the point where its steps up and down are of one size, so
 * that A forgets: it holds a mean of the gradient, and C learns from that. rate is update.rate
 * times fast_rate; with auto_scale the largest row and the largest column of a mean sample meet in
 * fast_rate pulses, and update.rate is that of the transfer. gamma above 0, where the gradient is
 * one at W, is residual learning.
 *
 * Where they are left to the scheme, gamma (-1) and fast_rate (0) go by the states n of a weight of
 * A, its range over its nominal step: they are 0.2 and 3, times sqrt(n/500) where n is below 500. A
 * weight of soft bounds forgets 2/n of itself at a pulse, so that pulses of random signs, however
 * many, leave it with a variance of (range/2)^2/(n - 1), and W with gamma^2 times that; through A
 * the largest coincidences of a sample move W by gamma fast_rate range/n. With these factors both
 * are as of 500 states.
 *
 * The read of a row drives its line with an activity of 1, through the array model: its full scale
 * is the largest weight of A, behind amplifiers with a gain of a power of 2, as of array.ranging
 * output.
 *
 * Source: T. Gokmen, W. Haensch, Frontiers in Neuroscience 14:103 (2020) (v1); T. Gokmen, Frontiers
 * in Artificial Intelligence 4:699148 (2021) (v2); M. J. Rasch et al., Nature Communications
 * 15:7133 (2024) (chopped, agad); Z. Wu et al., arXiv:2406.12774 (residual learning).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/mapping/mappings.h"
#include "array/weights.h"
#include "base/streams.h"
#include "mho/model/check.h"
#include "program/tiki_taka.h"

/* ---------------------------------------------------------------- without effect */

static const mho_tiki_keys *keys_of(const mho_experiment *e) {
  return (const mho_tiki_keys *)(const void *)e->scheme.params;
}

static const char *of_v1(const mho_experiment *e) {
  return keys_of(e)->variant == MHO_TIKI_V1 ? "variant v1 has no buffer (update.variant)" : NULL;
}

static const char *without_momentum(const mho_experiment *e) {
  return of_v1(e);
}

static const char *without_choppers(const mho_experiment *e) {
  int variant = keys_of(e)->variant;
  if (variant == MHO_TIKI_CHOPPED || variant == MHO_TIKI_AGAD)
    return NULL;
  return "there are no choppers (update.variant)";
}

static const char *without_column_choppers(const mho_experiment *e) {
  const char *why = without_choppers(e);
  if (why || keys_of(e)->variant == MHO_TIKI_CHOPPED)
    return why;
  return "only rows have choppers (update.variant: agad)";
}

static const char *without_chance(const mho_experiment *e) {
  const char *why = without_column_choppers(e);
  if (why || keys_of(e)->chop_in > 0)
    return why;
  return "rows have no choppers (update.chop_in: 0)";
}

static const char *without_means(const mho_experiment *e) {
  return keys_of(e)->variant == MHO_TIKI_AGAD ? NULL : "no means are taken (update.variant)";
}

static const char *without_points(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || keys_of(e)->variant != MHO_TIKI_AGAD)
    return why;
  return "what is constant cancels (update.variant: agad)";
}

/* Whether a fast array of a few cells has a symmetry point at another weight than 0. */
static bool has_offsets(const mho_experiment *e) {
  enum { SIDE = 8 };
  mho_crossbar *x;
  mho_real at[SIDE * SIDE];
  bool is_off = false;
  mho_crossbar_options o = mho__tiki_options(e);
  o.w_max = 1;
  if (mho_crossbar_new(SIDE, SIDE, &o, &x, NULL))
    return true; /* which is not to be said here */

  mho__crossbar_symmetry(x, at);
  for (int i = 0; i < SIDE * SIDE; i++)
    is_off = is_off || fabs((double)at[i]) > 1e-5;
  mho_crossbar_free(x);
  return is_off;
}

static const char *without_offsets(const mho_experiment *e) {
  const char *why = without_points(e);
  if (why || keys_of(e)->symmetry_error > 0 || has_offsets(e))
    return why;
  return "all symmetry points are at weight 0 (device.mapping)";
}

static const char *without_shift(const mho_experiment *e) {
  const char *why = without_points(e);
  if (why || keys_of(e)->symmetry == MHO_SYMMETRY_SHIFT)
    return why;
  return "no symmetry points are subtracted (update.symmetry: none)";
}

static const char *without_scale(const mho_experiment *e) {
  const char *why = mho_idle_without_cells(e);
  if (why || keys_of(e)->auto_scale)
    return why;
  return "the rate is not scaled (update.auto_scale: false)";
}

/* ---------------------------------------------------------------- keys */

#define P_REAL(field, initial, low, high, ...)                                                     \
  MHO_P_REAL(mho_tiki_keys, field, #field, "", initial, low, high, __VA_ARGS__)
static const mho_param table[] = {
    MHO_P_CHOICE(
        mho_tiki_keys, variant, "variant", "v1|v2|chopped|agad", MHO_TIKI_V2,
        "how a read row is passed on: at once, through a buffer, with choppers, or against "
        "means of earlier reads"),
    P_REAL(gamma, 0, -1, 100,
           "share of the fast array in the weights: above 0 residual learning; -1: 0.2, or 0.2 "
           "sqrt(n/500) of weights with n < 500 states",
           .idle = mho_idle_without_cells),
    MHO_P_CHOICE(mho_tiki_keys, fast_mapping, "fast_mapping", MHO_FAST_MAPPINGS, 0,
                 "of the fast array; same: device.mapping", .idle = mho_idle_without_cells),
    P_REAL(fast_rate, 0, 0, 1e6,
           "rate of the fast array over update.rate; with auto_scale pulses where the largest row "
           "and column of a mean sample meet; 0: 3, or 3 sqrt(n/500) of weights with n < 500 "
           "states"),
    MHO_P_BOOL(mho_tiki_keys, auto_scale, "auto_scale", 1,
               "outer products at a rate that follows the largest |x| and |d|; update.rate is then "
               "that of the transfer",
               .idle = mho_idle_without_cells),
    P_REAL(scale_momentum, 0.99, 0, 0.999999,
           "what running means of the largest |x| and |d| keep at a batch", .idle = without_scale),
    P_REAL(transfer_rate, 1, 0, 1e6,
           "change of the slow array for what a row of the fast one shows"),
    MHO_P_INT(mho_tiki_keys, transfer_every, "transfer_every", 1, 1, 1e9,
              "outer products from one transfer to the next"),
    MHO_P_INT(mho_tiki_keys, transfer_reads, "transfer_reads", 1, 1, 4096,
              "rows that are read and passed on in a transfer"),
    P_REAL(reset, 0, 0, 1, "probability that a row is brought to its zero after it was read"),
    P_REAL(granularity, 1, 1e-9, 1e9, "threshold of the buffer, in nominal steps of a weight",
           .idle = of_v1),
    P_REAL(auto_granularity, 100, 0, 1e9,
           "buffers and choppers of all layers keep one time: the threshold is this over the outer "
           "products between two reads of a row, what chop_in and chop_out say is over that; 0: "
           "times 1",
           .idle = of_v1),
    MHO_P_INT(mho_tiki_keys, max_pulses, "max_pulses", 31, 1, MHO_TRAIN_SLOTS - 1,
              "most pulses that a weight of the slow array gets from the buffer at once",
              .idle = of_v1),
    MHO_P_BOOL(mho_tiki_keys, forget, "forget", 0,
               "the buffer keeps momentum times what it had when it gives pulses; else the part of "
               "them that momentum says",
               .idle = of_v1),
    P_REAL(momentum, 0, 0, 0.9999, "what the buffer keeps of itself, or of its pulses",
           .idle = without_momentum),
    P_REAL(chop_in, 0.005, 0, 1,
           "of rows: probability that a chopper turns after a read, or one over the reads between "
           "two turns, see auto_granularity",
           .idle = without_choppers),
    MHO_P_BOOL(mho_tiki_keys, chop_random, "chop_random", 1, "choppers of rows turn at random",
               .idle = without_chance),
    P_REAL(chop_out, 0, 0, 1,
           "of columns: probability that a chopper turns after all rows were read, see "
           "auto_granularity",
           .idle = without_column_choppers),
    P_REAL(tail, 5, 1e-3, 1e6, "weight of a read in the mean of a period, over their number",
           .idle = without_means),
    MHO_P_CHOICE(mho_tiki_keys, symmetry, "symmetry", "shift|none", MHO_SYMMETRY_SHIFT,
                 "whether the weights at the symmetry points of the fast array are subtracted from "
                 "what it shows",
                 .idle = without_offsets),
    P_REAL(symmetry_error, 0, 0, 10, "of what is subtracted: standard deviation, of w_max",
           .idle = without_shift),
    MHO_P_TRAINS(mho_tiki_keys, trains),
};

/* ---------------------------------------------------------------- what follows from them */

double mho__tiki_share(const mho_tiki_keys *p, int rows) {
  double turns = (double)rows * (double)p->transfer_every / (double)p->transfer_reads;
  return p->auto_granularity > 0 ? p->auto_granularity / turns : 1;
}

uint64_t mho__tiki_period(const mho_tiki_keys *p, int rows) {
  return (uint64_t)fmax(ceil(mho__tiki_share(p, rows) / fmax(p->chop_in, 1e-12)), 2);
}

bool mho__tiki_chops(const mho_tiki_keys *p) {
  return p->variant == MHO_TIKI_AGAD || (p->variant == MHO_TIKI_CHOPPED && p->chop_in > 0);
}

bool mho__tiki_chops_at_random(const mho_tiki_keys *p) {
  return p->variant == MHO_TIKI_CHOPPED && p->chop_random;
}

bool mho__tiki_chops_columns(const mho_tiki_keys *p) {
  return p->variant == MHO_TIKI_CHOPPED && p->chop_out > 0;
}

const mho_mapping *mho__tiki_mapping(const mho_experiment *e) {
  static const mho_mapping *const mappings[] = {NULL, &mho_mapping_differential,
                                                &mho_mapping_reference, &mho_mapping_offset,
                                                &mho_mapping_one_sided};
  const mho_mapping *own = mappings[keys_of(e)->fast_mapping];
  return own ? own : (const mho_mapping *)e->mapping.entry;
}

/* States of a weight of A from one end of its range to the other, a nominal pulse apart; INFINITY
 * of the ideal device. Devices that take turns share a pulse. */
static double states_of(const mho_experiment *e) {
  const mho_device_config *d = &e->device_config;
  double step =
      mho_device_nominal_step((const mho_device_model *)e->device.entry, e->device.params, d);
  double turns = d->cells.write == MHO_CELL_IN_TURN ? mho_cell_devices(d) : 1;
  return step > 0 ? turns / step : (double)INFINITY;
}

/* What keys that are not set are multiplied with: 1 where a weight has many states. */
static double fineness(const mho_experiment *e) {
  const double many = 500;
  return sqrt(fmin(states_of(e) / many, 1));
}

double mho__tiki_gamma(const mho_experiment *e) {
  double gamma = keys_of(e)->gamma;
  return gamma < 0 ? 0.2 * fineness(e) : gamma;
}

double mho__tiki_fast_rate(const mho_experiment *e) {
  double rate = keys_of(e)->fast_rate;
  return rate > 0 ? rate : 3 * fineness(e);
}

mho_crossbar_options mho__tiki_options(const mho_experiment *e) {
  return (mho_crossbar_options){.device = (const mho_device_model *)e->device.entry,
                                .device_params = e->device.params,
                                .device_config = &e->device_config,
                                .mapping = mho__tiki_mapping(e),
                                .mapping_params = e->mapping.params,
                                .array = (const mho_array_model *)e->array.entry,
                                .array_params = e->array.params,
                                .array_config = &e->array_config};
}

/* ---------------------------------------------------------------- outer products */

/* Rate of a sample's outer product. */
static double rate_of(const mho_outer_job *job, int sample) {
  const mho_tiki *own = job->own;
  const mho_tiki_keys *k = own->keys;
  if (!k->auto_scale)
    return job->rate * own->fast_rate;

  /* Before there is a mean every sample is its own. */
  double x_max = own->at.x_max, d_max = own->at.d_max, size = fabs(job->scale);
  if (!(x_max > 0 && d_max > 0)) {
    x_max = job->trains->x_max[sample];
    d_max = size * job->trains->d_max[sample];
  }
  return x_max * d_max > 0 ? own->fast_rate * job->fast_step * job->scale / (x_max * d_max) : 0;
}

static void draw(const mho_outer_job *job, int sample) {
  const mho_tiki *own = job->own;
  mho_pulse_trains *t = job->trains;
  if (!mho_crossbar_has_cells(own->fast))
    return;
  mho__trains_largest(job, sample, &t->x_max[sample], &t->d_max[sample]);
  mho__trains_draw(job, &own->keys->trains, rate_of(job, sample), job->fast_step, sample);
}

/* Outer products on a row of weights that take any change. */
static void add_exactly(const mho_outer_job *job, int row, int from, int to) {
  mho_tiki *own = job->own;
  size_t rows = (size_t)job->xb->rows, cols = (size_t)job->xb->cols, first = (size_t)row * cols;
  mho_real rate = (mho_real)(-job->rate * own->fast_rate), *dw = job->scratch;

  for (size_t s = (size_t)from; s < (size_t)to; s++) {
    mho_real x = job->x ? job->x[s * rows + (size_t)row] : 1;
    const mho_real *e = job->e ? job->e + s * cols : job->ones;
    for (size_t j = 0; j < cols; j++)
      dw[j] = rate * x * (job->gain ? job->gain[j] * e[j] : e[j]);
    mho_crossbar_add(own->fast, first, cols, dw, 0);
  }
}

/* The pass over all rows that the outer product number k falls into. */
static uint64_t pass_of(const mho_tiki *own, uint64_t k) {
  return mho__tiki_event(own->keys, k) / (uint64_t)own->fast->rows;
}

/* Choppers of the columns in the passes of a term; the last are those after it. */
static void begin(const mho_outer_job *job) {
  mho_tiki *own = job->own;
  size_t cols = (size_t)own->fast->cols;
  uint64_t first = (uint64_t)own->at.turn, end = first + (uint64_t)job->samples;
  own->sum_x = own->sum_d = 0;
  own->n = 0;
  own->first_pass = pass_of(own, first);
  if (!own->col_of_pass)
    return;

  double chance = own->keys->chop_out / mho__tiki_share(own->keys, own->fast->rows);
  int8_t *sign = own->col_of_pass;
  memcpy(sign, own->col, cols);
  for (uint64_t pass = own->first_pass; pass < pass_of(own, end); pass++) {
    for (size_t j = 0; j < cols; j++) {
      float u;
      mho_rng_uniform(own->rng, mho__step_transfer(pass, MHO_TRANSFER_CHOP_COL), j, 1, &u);
      sign[cols + j] = (double)u < chance ? (int8_t)-sign[j] : sign[j];
    }
    sign += cols;
  }
  memcpy(own->col, sign, cols);
}

/* Choppers of the columns at outer product number k; NULL without. */
static const int8_t *choppers_at(const mho_tiki *own, uint64_t k) {
  if (!own->col_of_pass)
    return NULL;
  return own->col_of_pass + (size_t)(pass_of(own, k) - own->first_pass) * (size_t)own->fast->cols;
}

/* Reads that come after some of a job's samples. */
typedef struct reads {
  uint64_t first, end; /* their numbers */
  int row;             /* of the first */
} reads;

static reads reads_after(const mho_outer_job *job, int from, int to) {
  const mho_tiki *own = job->own;
  uint64_t turn = (uint64_t)own->at.turn;
  reads r = {.first = mho__tiki_event(own->keys, turn + (uint64_t)from),
             .end = mho__tiki_event(own->keys, turn + (uint64_t)to)};
  r.row = (int)(r.first % (uint64_t)own->fast->rows);
  return r;
}

/* Samples up to a read. */
static int samples_before(const mho_tiki *own, uint64_t event) {
  uint64_t transfers = event / (uint64_t)own->keys->transfer_reads + 1;
  return (int)(transfers * (uint64_t)own->keys->transfer_every - (uint64_t)own->at.turn);
}

/* Samples from .. to-1 on a row: their outer products and its reads. p: NULL for weights that take
 * any change. */
static void take(const mho_outer_job *job, mho_slab_pulses *p, const reads *r, int row, int from,
                 int to, mho_pulse_counts *counts) {
  const mho_tiki *own = job->own;
  uint64_t event = r->first + (uint64_t)(row - r->row + (row < r->row ? own->fast->rows : 0));

  while (true) {
    bool is_read = event < r->end;
    int until = is_read ? samples_before(own, event) : to;
    if (p && is_read)
      mho__slab_expect(p, row);
    if (p)
      mho__slab_row(p, row, own->row ? own->row[row] : 1, from, until, counts);
    else
      add_exactly(job, row, from, until);
    if (!is_read)
      break;

    if (p)
      mho__slab_read(p, row, until - 1, counts);
    mho__tiki_transfer(job, event, counts);
    event += (uint64_t)own->fast->rows;
    from = until;
  }
}

static void begin_slab(mho_slab_pulses *p, const mho_outer_job *job, int row0, int rows) {
  mho_tiki *own = job->own;
  mho_real *room = job->scratch + mho__tiki_scratch(own->fast);
  mho__slab_begin(p, job, own->fast, &own->waiting, row0, rows, room);
}

/* All samples on the rows of a slab of cells, some at a time. */
static void pulse_slab(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  const mho_tiki *own = job->own;
  mho_slab_pulses p;
  begin_slab(&p, job, row0, rows);

  for (int from = 0, to = 0; from < job->samples; from = to) {
    for (; to < job->samples; to++) {
      if (!mho__slab_add(&p, choppers_at(own, (uint64_t)own->at.turn + (uint64_t)to)))
        break;
      mho__trains_count(job, own->fast, to, row0, rows, counts);
    }

    reads r = reads_after(job, from, to);
    for (int row = row0; row < row0 + rows; row++)
      take(job, &p, &r, row, from, to, counts);
    mho__slab_next(&p);
  }
  if (!mho__tiki_waits(own))
    mho__slab_give(&p, counts);
}

/* The same of weights that take any change. */
static void add_slab(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  reads r = reads_after(job, 0, job->samples);
  for (int row = row0; row < row0 + rows; row++)
    take(job, NULL, &r, row, 0, job->samples, counts);
}

static void replay(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  mho_tiki *own = job->own;
  size_t cols = (size_t)job->xb->cols, first = (size_t)row0 * cols, n = (size_t)rows * cols;
  double before = counts->set + counts->reset;

  if (mho_crossbar_has_cells(own->fast))
    pulse_slab(job, row0, rows, counts);
  else
    add_slab(job, row0, rows, counts);

  counts->coincided += counts->set + counts->reset - before;
  if (!mho__tiki_waits(own))
    mho_crossbar_refresh(own->fast, first, n);
  if (job->xb->borrowed)
    mho_crossbar_refresh(job->xb, first, n);
}

/* What waits for the cells is given to them. */
static void rest(const mho_outer_job *job, int row0, int rows, mho_pulse_counts *counts) {
  mho_tiki *own = job->own;
  size_t cols = (size_t)job->xb->cols;
  double before = counts->set + counts->reset;
  mho_slab_pulses p;
  if (!mho__tiki_waits(own))
    return;

  begin_slab(&p, job, row0, rows);
  mho__slab_give(&p, counts);
  counts->coincided += counts->set + counts->reset - before;
  mho_crossbar_refresh(own->fast, (size_t)row0 * cols, (size_t)rows * cols);
}

/* The samples are done, in order: what they were like goes into the means with the last of a
 * term. */
static void end(const mho_outer_job *job) {
  mho_tiki *own = job->own;
  double keep = own->keys->scale_momentum;
  own->at.turn += job->samples;
  if (!mho_crossbar_has_cells(own->fast))
    return;

  for (int s = 0; s < job->samples; s++) {
    own->sum_x += job->trains->x_max[s];
    own->sum_d += fabs(job->scale) * job->trains->d_max[s];
  }
  own->n += job->samples;
  if (!job->last || own->n == 0)
    return;

  double x = own->sum_x / (double)own->n, d = own->sum_d / (double)own->n;
  bool is_first = !(own->at.x_max > 0 && own->at.d_max > 0);
  own->at.x_max = is_first ? x : keep * own->at.x_max + (1 - keep) * x;
  own->at.d_max = is_first ? d : keep * own->at.d_max + (1 - keep) * d;
}

/* ---------------------------------------------------------------- refused */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_device(const mho_experiment *e, mho_errinfo *ei) {
  const mho_tiki_keys *k = keys_of(e);
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  const mho_mapping *mapping = mho__tiki_mapping(e);
  if (!device->pulse && k->variant != MHO_TIKI_V1)
    REFUSE("update.variant: the buffer gives pulses, and device.model '%s' knows none: use variant "
           "v1, or another device",
           device->entry.id);
  if (!device->pulse)
    return MHO_OK;

  if (mho_cell_devices(&e->device_config) > 1 && e->device_config.cells.write == MHO_CELL_CARRY)
    REFUSE("update.scheme: a fast array forgets by the pulses that its devices get, and with "
           "device.cells.write carry only the first of a cell get some: use all or in_turn");

  bool is_one_way = device->one_way || mapping->from_bottom;
  bool shifts = k->symmetry == MHO_SYMMETRY_SHIFT && k->variant != MHO_TIKI_AGAD;
  if (mapping->positive)
    REFUSE("update.fast_mapping: the fast array holds gradients of both signs, and mapping '%s' "
           "none below 0: use another",
           mapping->entry.id);
  if (device->one_way && !mapping->refreshes)
    REFUSE("update.fast_mapping: device.model '%s' has an abrupt RESET, which mapping '%s' pulses: "
           "use one_sided",
           device->entry.id, mapping->entry.id);
  if (shifts && is_one_way)
    REFUSE("update.symmetry: devices that are only SET have no point where steps up and down are "
           "of one size: use symmetry none, or variant agad");
  return MHO_OK;
}

static mho_err check_residual(const mho_experiment *e, mho_errinfo *ei) {
  const mho_tiki_keys *k = keys_of(e);
  const mho_mapping *slow = (const mho_mapping *)e->mapping.entry, *fast = mho__tiki_mapping(e);
  if (k->gamma < 0 && k->gamma > -1)
    REFUSE("update.gamma: %g is no share of the fast array: use 0 or above, or -1, which goes by "
           "the states of the device",
           k->gamma);
  if (!(mho__tiki_gamma(e) > 0) || !mho_experiment_has_cells(e))
    return MHO_OK;
  int devices = mho_cell_devices(&e->device_config);
  int banks =
      mho_mapping_banks(slow, &e->device_config) + mho_mapping_banks(fast, &e->device_config);
  if (banks > MHO_BANKS_MAX)
    REFUSE("update.gamma: mappings '%s' and '%s' have %d banks together, with %d devices a cell "
           "(device.cells.n), and there are at most %d: use others, or set gamma to 0",
           slow->entry.id, fast->entry.id, banks, devices, MHO_BANKS_MAX);
  bool chops = mho__tiki_chops(k) || mho__tiki_chops_columns(k);
  if (chops && fast->n_banks != 2)
    REFUSE("update.gamma: choppers swap the two banks of a weight, and mapping '%s' has %d: use "
           "another update.fast_mapping, or set gamma to 0",
           fast->entry.id, fast->n_banks);
  if (chops && mho_mapping_banks(fast, &e->device_config) != 2 * devices)
    REFUSE("update.gamma: choppers swap the devices of a weight one by one, and with mapping '%s' "
           "%d devices (device.cells.n) are read against one current: use another "
           "update.fast_mapping, or set gamma to 0",
           fast->entry.id, devices);
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  if (((const mho_optimizer *)e->optimizer.entry)->n_states != 0)
    REFUSE("update.optimizer: scheme '%s' applies every sample by itself: use sgd",
           e->scheme.entry->id);
  if (!array->exact && !array->read_row)
    REFUSE("update.scheme: tiki_taka reads single rows of its fast array, which array.model '%s' "
           "does not: use ideal or periphery",
           array->entry.id);
  mho_err err = check_device(e, ei);
  return err ? err : check_residual(e, ei);
}

/* Samples go straight to the array, so that no optimizer stands between. */
static const mho_default defaults[] = {
    {"update.optimizer", "sgd"}, {"update.rate", "0.03"}, {"update.schedule", "cosine"}};

const mho_scheme mho_scheme_tiki_taka = {
    .entry = {.abi = MHO_ABI,
              .id = "tiki_taka",
              .title = "outer products in a fast array, which is read row by row into a slow one",
              .equation = "W = gamma A + C; A += rate x d; C_i += transfer of row A_i",
              .source = "Gokmen & Haensch, Front. Neurosci. 14:103 (2020); Gokmen, Front. Artif. "
                        "Intell. 4:699148 (2021); Rasch et al., Nat. Commun. 15:7133 (2024); Wu et "
                        "al., arXiv:2406.12774",
              .params = MHO_PARAMS(mho_tiki_keys, table),
              MHO_DEFAULTS(defaults),
              .check = check},
    .needs_pulses = true,
    .ideal = true,
    .reads_rows = true,
    .draw = draw,
    .replay = replay,
    .begin = begin,
    .end = end,
    .rest = rest,
    .own_new = mho__tiki_new,
    .own_free = mho__tiki_free,
    .fast = mho__tiki_fast,
    .pieces = mho__tiki_pieces,
    .restored = mho__tiki_restored,
    .waiting = mho__tiki_waiting,
    .wired = mho__tiki_wired,
};
