/* checkpoint.c - everything that changes while training, as bytes and back.
 *
 * Layout: a header, then for every trained connection its weights (ideal device) or the
 * conductances and other state of its banks of cells, the optimizer's moments and the scheme's
 * accumulator, in that order. What follows from the seeds (device spread, faults, fixed feedback,
 * the order of the data) is drawn again, not stored. Last come the extras of the table below, each
 * with a bit in the upper half of the version: a checkpoint may have one and the config not, or the
 * other way round, when a network is evaluated with another periphery than it was trained with, and
 * earlier releases wrote fewer. The end is a checksum of all that stands before it but the time the
 * epoch took, in which equal trainings differ; it has a bit of its own, which those of earlier
 * releases have not.
 *
 * A checkpoint may come from someone else: each of its numbers is looked at before any is taken.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "array/groups.h"
#include "array/weights.h"
#include "base/streams.h"
#include "network/control.h"
#include "store/checkpoint_head.h"
#include "train/trainer.h"

enum { CHECKPOINT_VERSION = 2 };
static const uint32_t CHECKSUM = 1u << 26; /* the bit of the version */
#define ANY (-HUGE_VAL)                    /* a least value that excludes none */

typedef struct header {
  char magic[8];            /* MHO_CHECKPOINT_MAGIC */
  uint32_t version, scalar; /* scalar: bytes of an mho_real */
  uint64_t size;            /* of the whole, to notice a cut one */
  int64_t epoch, batch, update;
  mho_epoch_sums sums;
} header;

_Static_assert(offsetof(header, epoch) == offsetof(mho_checkpoint_head, epoch) &&
                   offsetof(header, batch) == offsetof(mho_checkpoint_head, batch),
               "a database compares these with its rows");

typedef mho_cells_piece piece; /* one array of the state */

enum {
  PIECES_OF_CELLS = MHO_BANKS_MAX * (MHO_CELLS_PIECES + 2),
  PIECES_EACH = 2 * PIECES_OF_CELLS + MHO_PROGRAM_STATES + 1 + MHO_OWN_PIECES
};

static piece reals(mho_real *data, size_t n) {
  return (piece){data, n * sizeof *data, sizeof *data};
}

static size_t size_of_pieces(const piece *p, int n) {
  size_t size = 0;
  for (int i = 0; i < n; i++)
    size += p[i].size;
  return size;
}

/* The arrays of a crossbar, in order; returns how many. */
static int pieces_of_crossbar(const mho_crossbar *x, piece *p) {
  int n = 0;
  for (int k = 0; k < x->n_banks; k++)
    n += x->bank[k] && !mho__bank_is_borrowed(x, k) ? mho_cells_pieces(x->bank[k], p + n) : 0;
  for (int k = 0; x->groups && k < x->groups->n; k++)
    if (x->groups->group[k].turn)
      p[n++] = (piece){x->groups->group[k].turn, mho_crossbar_cells(x), 0};
  if (!mho_crossbar_has_cells(x))
    p[n++] = reals(x->weights->programmed, mho_crossbar_cells(x));
  return n;
}

/* The same of an array of the scheme's own, with rests of states, and what else it keeps. */
static int pieces_of_own(const mho_updater *u, int c, piece *p) {
  if (!u->own)
    return 0;

  const mho_crossbar *x = fast_of(u, c);
  int n = pieces_of_crossbar(x, p);
  for (int k = 0; k < x->n_banks; k++) {
    const mho_cells *cells = x->bank[k];
    if (cells && cells->rest)
      p[n++] = (piece){cells->rest, cells->n * sizeof *cells->rest, sizeof *cells->rest};
  }
  return n + u->scheme->pieces(u->own[c], p + n);
}

/* The same of connection c, with those of optimizer and scheme. */
static int pieces_of(const mho_trainer *t, int c, piece *p) {
  size_t cells = mho_crossbar_cells(crossbar_of(t->net, c));
  int n = pieces_of_crossbar(crossbar_of(t->net, c), p);

  for (int k = 0; k < t->updater->optimizer->n_states; k++)
    p[n++] = reals(t->updater->moment[k][c], cells);
  if (t->updater->accumulator)
    p[n++] = reals(t->updater->accumulator[c], cells);
  return n + pieces_of_own(t->updater, c, p + n);
}

static size_t pulses_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof *t->at.pulses;
}

static size_t total_size(const mho_trainer *t) {
  size_t size = sizeof(header) + pulses_size(t);
  piece p[PIECES_EACH];

  for (int c = 0; c < t->net->n_trained; c++)
    size += size_of_pieces(p, pieces_of(t, c, p));
  return size;
}

/* Whether `size` bytes are finite numbers of `scalar` bytes each, none of them below `least`. */
static bool are_numbers(const char *at, size_t size, size_t scalar, double least) {
  for (size_t i = 0; i < size; i += scalar) {
    float single;
    double v;
    memcpy(&single, at + i, sizeof single);
    v = (double)single;
    if (scalar == sizeof v)
      memcpy(&v, at + i, sizeof v);
    if (!isfinite(v) || v < least)
      return false;
  }
  return true;
}

/* ---------------------------------------------------------------- extras, which not all have */

/* Bytes out to a checkpoint or in from one; *at moves on. */
static void copy(char **at, void *data, size_t size, bool out) {
  if (out)
    memcpy(*at, data, size);
  else
    memcpy(data, *at, size);
  *at += size;
}

static void copy_pieces(char **at, const piece *p, int n, bool out) {
  for (int i = 0; i < n; i++)
    copy(at, p[i].data, p[i].size, out);
}

/* Rows and columns of a crossbar. */
static size_t lines_of(const mho_crossbar *x) {
  return (size_t)x->rows + (size_t)x->cols;
}

/* Full scales of every connection where converters take them from data. */
static size_t scales_size(const mho_trainer *t) {
  size_t n = 0;
  for (int c = 0; c < t->net->n_connections; c++)
    n += lines_of(crossbar_of(t->net, c));
  return n * sizeof(mho_real);
}

static bool has_scales(const mho_trainer *t) {
  const mho_scales *s = t->net->array.crossbar->scales;
  return s && s->valid;
}

static bool takes_scales(const mho_trainer *t) {
  return t->net->array.crossbar->scales != NULL;
}

static void copy_scales(const mho_trainer *t, char *at, bool out) {
  for (int c = 0; c < t->net->n_connections; c++) {
    const mho_crossbar *x = crossbar_of(t->net, c);
    copy(&at, x->scales->most, lines_of(x) * sizeof(mho_real), out);
    x->scales->valid = true;
  }
}

/* What wires change of the effective matrices, where those are not solved exactly after every
 * update (array.wire.refresh). */
static size_t wires_size(const mho_trainer *t) {
  return (t->updater->own ? 2 : 1) * t->net->n_weights * sizeof(mho_real);
}

static bool has_wires(const mho_trainer *t) {
  return t->net->array.crossbar->weights->wired_base != NULL;
}

static void copy_wires(const mho_trainer *t, char *at, bool out) {
  for (int c = 0; c < t->net->n_trained; c++) {
    const mho_crossbar *x = crossbar_of(t->net, c);
    copy(&at, x->weights->wired_base, mho_crossbar_cells(x) * sizeof(mho_real), out);
  }
  for (int c = 0; t->updater->own && c < t->net->n_trained; c++) {
    const mho_crossbar *x = fast_of(t->updater, c);
    copy(&at, x->weights->wired_base, mho_crossbar_cells(x) * sizeof(mho_real), out);
  }
}

/* What was done to the devices in the epoch under way, and what its meter has counted. */
static bool is_in_epoch(const mho_trainer *t) {
  return t->at.meter && (t->at.batch > 0 || t->at.pass > 0);
}

static bool takes_meter(const mho_trainer *t) {
  return t->at.meter != NULL;
}

static bool takes_always(const mho_trainer *t) {
  return true;
}

static size_t writes_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof *t->at.writes;
}

static void copy_writes(const mho_trainer *t, char *at, bool out) {
  copy(&at, t->at.writes, writes_size(t), out);
}

static size_t meter_size(const mho_trainer *t) {
  size_t n = 3; /* steps, samples */
  for (int k = 0; k < mho_network_links(t->net); k++)
    n += 1 + (size_t)mho_link_inputs(t->net, &t->net->link[k]);
  return n * sizeof(double);
}

static void copy_meter(const mho_trainer *t, char *at, bool out) {
  mho_meter *m = t->at.meter;
  copy(&at, m->steps, sizeof m->steps, out);
  copy(&at, &m->samples, sizeof m->samples, out);
  copy(&at, m->reads, (size_t)m->n_links * sizeof *m->reads, out);
  for (int k = 0; k < m->n_links; k++)
    copy(&at, m->squares[k], (size_t)m->inputs[k] * sizeof **m->squares, out);
}

/* The same in continuous time. */
static size_t driven_size(const mho_trainer *t) {
  size_t n = 2; /* times */
  for (int k = 0; k < mho_network_links(t->net); k++)
    n += (size_t)mho_link_inputs(t->net, &t->net->link[k]);
  return n * sizeof(double);
}

static void copy_driven(const mho_trainer *t, char *at, bool out) {
  mho_meter *m = t->at.meter;
  copy(&at, m->time, sizeof m->time, out);
  for (int k = 0; k < m->n_links; k++)
    copy(&at, m->driven[k], (size_t)m->inputs[k] * sizeof **m->driven, out);
}

/* The same of reads with a perturbation, where there have been any. */
static size_t edges_size(const mho_trainer *t) {
  return (size_t)mho_network_links(t->net) * sizeof(mho_edge_reads);
}

static bool has_edges(const mho_trainer *t) {
  double reads = 0;
  for (int k = 0; t->at.meter && k < mho_network_links(t->net); k++)
    reads += t->at.meter->edge[k].reads;
  return is_in_epoch(t) && reads > 0;
}

static void copy_edges(const mho_trainer *t, char *at, bool out) {
  copy(&at, t->at.meter->edge, edges_size(t), out);
}

/* Rests of states, of banks that have some, one after another: all of every trained connection. */
static float *rest_of(const mho_trainer *t, int bank, size_t *n) {
  const mho_crossbar *x = crossbar_of(t->net, bank / MHO_BANKS_MAX);
  const mho_cells *c = x->bank[bank % MHO_BANKS_MAX];
  bool is_own = c && !mho__bank_is_borrowed(x, bank % MHO_BANKS_MAX);
  *n = is_own && c->rest ? c->n : 0;
  return c ? c->rest : NULL;
}

static int banks_of(const mho_trainer *t) {
  return MHO_BANKS_MAX * t->net->n_trained;
}

static size_t rests_size(const mho_trainer *t) {
  size_t sum = 0, n;
  for (int b = 0; b < banks_of(t); b++) {
    rest_of(t, b, &n);
    sum += n;
  }
  return sum * sizeof(float);
}

static bool has_rests(const mho_trainer *t) {
  return rests_size(t) > 0;
}

static void copy_rests(const mho_trainer *t, char *at, bool out) {
  size_t n;
  for (int b = 0; b < banks_of(t); b++) {
    float *rest = rest_of(t, b, &n);
    if (n)
      copy(&at, rest, n * sizeof *rest, out);
  }
}

static void clear_rests(const mho_trainer *t) {
  size_t n;
  for (int b = 0; b < banks_of(t); b++) {
    float *rest = rest_of(t, b, &n);
    if (n)
      memset(rest, 0, n * sizeof *rest);
  }
}

/* w_max of the trained connections where it came with weights from elsewhere. */
static size_t ranges_size(const mho_trainer *t) {
  return (size_t)t->net->n_trained * sizeof(double);
}

static bool has_ranges(const mho_trainer *t) {
  return t->brought.ranged;
}

static void copy_ranges(const mho_trainer *t, char *at, bool out) {
  double w_max[MHO_EDGES_MAX];
  for (int c = 0; c < t->net->n_trained; c++)
    w_max[c] = mho_crossbar_w_max(crossbar_of(t->net, c));
  copy(&at, w_max, ranges_size(t), out);
  if (!out)
    mho__trainer_range((mho_trainer *)(uintptr_t)t, w_max);
}

/* What variables keep from batch to batch. Bytes of variable i at a place; 0: it is not kept. */
static size_t kept_bytes(const mho_vars *v, int i, int place) {
  return v->var[i].kept ? mho_vars_bytes(v, i, place) : 0;
}

static size_t kept_of(const mho_vars *v) {
  size_t size = 0;
  for (int i = 0; v && i < v->n; i++)
    for (int place = 0; place < mho_vars_places(v, i); place++)
      size += kept_bytes(v, i, place);
  return size;
}

static void copy_kept_of(const mho_vars *v, char *at, bool out) {
  for (int i = 0; v && i < v->n; i++)
    for (int place = 0; place < mho_vars_places(v, i); place++)
      if (kept_bytes(v, i, place))
        copy(&at, mho_vars_pointer(v, i, place), kept_bytes(v, i, place), out);
}

static void clear_kept_of(const mho_vars *v) {
  for (int i = 0; v && i < v->n; i++)
    for (int place = 0; place < mho_vars_places(v, i); place++)
      if (kept_bytes(v, i, place))
        memset(mho_vars_pointer(v, i, place), 0, kept_bytes(v, i, place));
}

/* Those of the rule, ... */
static size_t kept_size(const mho_trainer *t) {
  return kept_of(t->learner->vars);
}
static bool has_kept(const mho_trainer *t) {
  return kept_size(t) > 0;
}
static void copy_kept(const mho_trainer *t, char *at, bool out) {
  copy_kept_of(t->learner->vars, at, out);
}

/* ... and those of the dynamics. */
static size_t nodes_size(const mho_trainer *t) {
  return kept_of(t->learner->state_vars);
}
static bool has_nodes(const mho_trainer *t) {
  return nodes_size(t) > 0;
}
static void copy_nodes(const mho_trainer *t, char *at, bool out) {
  copy_kept_of(t->learner->state_vars, at, out);
}

/* What neurons counted for when that was last found, and reads for it in the epoch under way. */
static size_t importance_size(const mho_trainer *t) {
  size_t n = 1;
  for (int l = 1; l < mho_hidden_end(t->net); l++)
    n += (size_t)t->net->layer[l].n;
  return n * sizeof(double);
}

static bool has_importance(const mho_trainer *t) {
  return t->learner->importance && t->learner->importance->valid;
}

static bool takes_importance(const mho_trainer *t) {
  return t->learner->importance != NULL;
}

static void copy_importance(const mho_trainer *t, char *at, bool out) {
  mho_importance *p = t->learner->importance;
  copy(&at, &p->reads, sizeof p->reads, out);
  for (int l = 1; l < mho_hidden_end(t->net); l++)
    for (int j = 0; j < t->net->layer[l].n; j++) {
      double factor = (double)p->factor[l][j];
      copy(&at, &factor, sizeof factor, out);
      p->factor[l][j] = (mho_real)factor;
    }
  p->valid = true;
}

/* Means and spreads of a table's columns: the network has learned from what they make of its rows,
 * whatever other rows it is shown. */
static size_t columns_size(const mho_trainer *t) {
  return 2 * (size_t)(t->data.features + t->data.values) * sizeof(double);
}

static bool has_columns(const mho_trainer *t) {
  return t->data.scales != NULL;
}

static void copy_columns(const mho_trainer *t, char *at, bool out) {
  copy(&at, t->data.scales, columns_size(t), out);
}

/* Whether the numbers are means and spreads at all. */
static bool are_columns(const mho_trainer *t, const char *at) {
  int n[] = {t->data.features, t->data.values};
  for (int kind = 0; kind < 2; kind++) {
    for (int i = 0; i < 2 * n[kind]; i++) {
      double v;
      memcpy(&v, at, sizeof v);
      at += sizeof v;
      if (!isfinite(v) || (i >= n[kind] && v <= 0))
        return false;
    }
  }
  return true;
}

/* Which classes a table has, in which order: an output of the network means one of them. */
static size_t names_size(const mho_trainer *t) {
  return sizeof t->data.class_names;
}

static bool has_names(const mho_trainer *t) {
  return t->data.class_names != 0;
}

static void copy_names(const mho_trainer *t, char *at, bool out) {
  if (out) /* those of the data are not changed, but compared */
    memcpy(at, &t->data.class_names, sizeof t->data.class_names);
}

static mho_err check_names(const mho_trainer *t, const char *at, mho_errinfo *ei) {
  uint64_t learned;
  memcpy(&learned, at, sizeof learned);
  if (!has_names(t) || learned == t->data.class_names)
    return MHO_OK;
  return mho_fail(ei, MHO_ECONFIG,
                  "dataset.targets: the classes are not those that the network has learned: it "
                  "needs the same words, as many of them");
}

/* Whether what variables keep are finite numbers. */
static bool is_kept_finite(const mho_vars *v, const char *at) {
  for (int i = 0; v && i < v->n; i++)
    for (int place = 0; place < mho_vars_places(v, i); place++) {
      size_t bytes = kept_bytes(v, i, place);
      size_t scalar = v->var[i].exact ? sizeof(double) : sizeof(mho_real);
      if (!are_numbers(at, bytes, scalar, ANY))
        return false;
      at += bytes;
    }
  return true;
}

/* Passes done before the epoch's own, and the updates that have taught each connection, where it
 * was not all of them. */
static size_t taught_size(const mho_trainer *t) {
  return (1 + (size_t)t->net->n_trained) * sizeof(double);
}

static bool has_taught(const mho_trainer *t) {
  bool differs = t->at.pass > 0;
  for (int c = 0; c < t->net->n_trained; c++)
    differs |= t->at.taught[c] != t->at.update;
  return differs;
}

static void copy_taught(const mho_trainer *t, char *at, bool out) {
  mho_standing *s = (mho_standing *)(uintptr_t)&t->at;
  double pass = s->pass;
  copy(&at, &pass, sizeof pass, out);
  s->pass = (int)pass;

  for (int c = 0; c < s->n_trained; c++) {
    double taught = (double)s->taught[c];
    copy(&at, &taught, sizeof taught, out);
    s->taught[c] = (int64_t)taught;
  }
}

/* Whether the numbers are counts that can be: no connection was taught more often than there were
 * updates. */
static bool are_taught(const mho_trainer *t, const char *at, int64_t updates) {
  for (int i = 0; i < 1 + t->net->n_trained; i++) {
    double v;
    memcpy(&v, at + (size_t)i * sizeof v, sizeof v);
    bool is_pass = i == 0;
    if (!(v >= 0 && v <= (double)updates) || (is_pass && v > INT_MAX))
      return false;
  }
  return true;
}

/* Whether a connection is an array that is not trained, and follows from others. */
static bool is_array(const mho_trainer *t, int c) {
  return mho__control_is_product(t->net) && t->net->connection[c].role == MHO_CONTROL;
}

static size_t arrays_size(const mho_trainer *t) {
  size_t size = 0;
  for (int c = 0; c < t->net->n_connections; c++) {
    piece p[PIECES_EACH];
    int n = is_array(t, c) ? pieces_of_crossbar(crossbar_of(t->net, c), p) : 0;
    size += is_array(t, c) ? sizeof(double) : 0;
    size += size_of_pieces(p, n);
  }
  return size;
}

static void copy_arrays(const mho_trainer *t, char *at, bool out) {
  for (int c = 0; c < t->net->n_connections; c++) {
    mho_crossbar *x = crossbar_of(t->net, c);
    piece p[PIECES_EACH];
    if (!is_array(t, c))
      continue;

    double w_max = mho_crossbar_w_max(x);
    copy(&at, &w_max, sizeof w_max, out);
    int n = pieces_of_crossbar(x, p);
    copy_pieces(&at, p, n, out);
    if (!out)
      mho_crossbar_range(x, w_max);
  }
}

/* Whether its numbers are ranges and conductances at all. */
static bool are_arrays(const mho_trainer *t, const char *at) {
  for (int c = 0; c < t->net->n_connections; c++) {
    piece p[PIECES_EACH];
    if (!is_array(t, c))
      continue;

    bool fits = are_numbers(at, sizeof(double), sizeof(double), DBL_MIN);
    int n = pieces_of_crossbar(crossbar_of(t->net, c), p);
    at += sizeof(double);
    for (int i = 0; i < n; i++) {
      fits = fits && (!p[i].scalar || are_numbers(at, p[i].size, p[i].scalar, ANY));
      at += p[i].size;
    }
    if (!fits)
      return false;
  }
  return true;
}

/* What a scheme has left for later, see mho_scheme.waiting. */
static int waiting_of(const mho_trainer *t, int c, bool restored, piece *p) {
  const mho_updater *u = t->updater;
  return u->own && u->scheme->waiting ? u->scheme->waiting(u->own[c], restored, p) : 0;
}

static size_t waiting_size(const mho_trainer *t) {
  size_t size = 0;
  piece p[MHO_OWN_PIECES];
  for (int c = 0; c < t->net->n_trained; c++)
    size += size_of_pieces(p, waiting_of(t, c, false, p));
  return size;
}

static bool takes_waiting(const mho_trainer *t) {
  return waiting_size(t) > 0;
}

/* Nothing waits when an epoch has ended. */
static bool has_waiting(const mho_trainer *t) {
  return (t->at.batch > 0 || t->at.pass > 0) && takes_waiting(t);
}

static void copy_waiting(const mho_trainer *t, char *at, bool out) {
  piece p[MHO_OWN_PIECES];
  for (int c = 0; c < t->net->n_trained; c++) {
    int n = waiting_of(t, c, false, p);
    copy_pieces(&at, p, n, out);
    if (!out)
      waiting_of(t, c, true, p);
  }
}

static void clear_waiting(const mho_trainer *t) {
  piece p[MHO_OWN_PIECES];
  for (int c = 0; c < t->net->n_trained; c++) {
    int n = waiting_of(t, c, false, p);
    for (int i = 0; i < n; i++)
      memset(p[i].data, 0, p[i].size);
    waiting_of(t, c, true, p);
  }
}

/* Both: of arrays that learn apart from the rest, and of those that follow from weights that came
 * from elsewhere. */
static size_t controls_size(const mho_trainer *t) {
  return taught_size(t) + arrays_size(t);
}

static bool has_controls(const mho_trainer *t) {
  return has_taught(t) || (mho__control_is_product(t->net) && t->brought.ranged);
}

static void copy_controls(const mho_trainer *t, char *at, bool out) {
  copy_taught(t, at, out);
  copy_arrays(t, at + taught_size(t), out);
}

/* Whether all of it can be, after so many updates. */
static bool are_controls(const mho_trainer *t, const char *at, int64_t updates) {
  return are_taught(t, at, updates) && are_arrays(t, at + taught_size(t));
}

/* The extras in the order of their bytes, which is not that of their bits. */
enum {
  SCALES,
  WIRES,
  WRITES,
  METER,
  DRIVEN,
  RESTS,
  RANGES,
  EDGES,
  KEPT,
  COLUMNS,
  NAMES,
  IMPORTANCE,
  CONTROLS,
  NODES,
  WAITING,
  EXTRAS
};
static const struct extra {
  uint32_t bit;
  const char *what;
  size_t scalar; /* bytes of its numbers; 0: they are of several kinds */
  double least;  /* none of them is below it */
  size_t (*size)(const mho_trainer *t);
  bool (*has)(const mho_trainer *t);   /* whether there is one to save */
  bool (*takes)(const mho_trainer *t); /* whether there is a place for a saved one */
  void (*copy)(const mho_trainer *t, char *at, bool out);
} extras[EXTRAS] = {
    [SCALES] = {1u << 16, "full scales", sizeof(mho_real), 0, scales_size, has_scales, takes_scales,
                copy_scales},
    [WIRES] = {1u << 18, "effective weights", sizeof(mho_real), ANY, wires_size, has_wires,
               has_wires, copy_wires},
    [WRITES] = {1u << 19, "writes", sizeof(double), 0, writes_size, is_in_epoch, takes_always,
                copy_writes},
    [METER] = {1u << 17, "reads", sizeof(double), 0, meter_size, is_in_epoch, takes_meter,
               copy_meter},
    [DRIVEN] = {1u << 20, "times of reads", sizeof(double), 0, driven_size, is_in_epoch,
                takes_meter, copy_driven},
    [RESTS] = {1u << 22, "rests of states", sizeof(float), ANY, rests_size, has_rests, has_rests,
               copy_rests},
    [RANGES] = {1u << 21, "largest weights", sizeof(double), DBL_MIN, ranges_size, has_ranges,
                takes_always, copy_ranges},
    [EDGES] = {1u << 23, "perturbed reads", sizeof(double), 0, edges_size, has_edges, takes_meter,
               copy_edges},
    [KEPT] = {1u << 24, "variables of the rule", 0, ANY, kept_size, has_kept, has_kept, copy_kept},
    [NODES] = {1u << 28, "variables of the neurons", 0, ANY, nodes_size, has_nodes, has_nodes,
               copy_nodes},
    [COLUMNS] = {1u << 25, "means and spreads of columns", 0, ANY, columns_size, has_columns,
                 has_columns, copy_columns},
    [NAMES] = {1u << 27, "names of classes", 0, ANY, names_size, has_names, has_names, copy_names},
    [IMPORTANCE] = {1u << 30, "factors of neurons", sizeof(double), 0, importance_size,
                    has_importance, takes_importance, copy_importance},
    [CONTROLS] = {1u << 29, "arrays of controls and updates that connections had", 0, ANY,
                  controls_size, has_controls, takes_always, copy_controls},
    [WAITING] = {1u << 31, "pulses that wait", 0, ANY, waiting_size, has_waiting, takes_waiting,
                 copy_waiting},
};

/* Bits of what this trainer would save besides the arrays. */
static uint32_t extras_of(const mho_trainer *t) {
  uint32_t bits = CHECKSUM;
  for (int i = 0; i < EXTRAS; i++)
    bits |= extras[i].has(t) ? extras[i].bit : 0;
  return bits;
}

/* Where the extras that the bits name begin, behind `first` bytes; returns the size of it all, with
 * a checksum. */
static size_t locate(const mho_trainer *t, uint32_t bits, size_t first, size_t *at) {
  for (int i = 0; i < EXTRAS; i++) {
    at[i] = first;
    first += bits & extras[i].bit ? extras[i].size(t) : 0;
  }
  return first + (bits & CHECKSUM ? sizeof(uint64_t) : 0);
}

/* The checksum of a checkpoint of `size` bytes, the last of which are its place. */
static uint64_t checksum_of(const char *bytes, size_t size) {
  header h;
  memcpy(&h, bytes, sizeof h);
  h.sums.wall_s = 0;
  uLong sum = crc32_z(0, (const unsigned char *)&h, sizeof h);
  return crc32_z(sum, (const unsigned char *)bytes + sizeof h, size - sizeof h - sizeof(uint64_t));
}

/* ---------------------------------------------------------------- out */

mho_err mho_trainer_save(const mho_trainer *t, mho_checkpoint_row *out, mho_errinfo *ei) {
  uint32_t bits = extras_of(t);
  size_t begin[EXTRAS], size = locate(t, bits, total_size(t), begin);
  char *bytes = mho_alloc(size, 1), *at = bytes;
  if (!bytes)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a checkpoint of %zu bytes", size);

  header h = {.magic = MHO_CHECKPOINT_MAGIC,
              .version = CHECKPOINT_VERSION | bits,
              .scalar = sizeof(mho_real),
              .size = size,
              .epoch = t->at.epoch,
              .batch = t->at.batch,
              .update = t->at.update,
              .sums = t->at.sums};
  copy(&at, &h, sizeof h, true);
  copy(&at, t->at.pulses, pulses_size(t), true);

  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++)
    copy_pieces(&at, p, pieces_of(t, c, p), true);

  for (int i = 0; i < EXTRAS; i++)
    if (bits & extras[i].bit)
      extras[i].copy(t, bytes + begin[i], true);

  uint64_t checksum = checksum_of(bytes, size);
  memcpy(bytes + size - sizeof checksum, &checksum, sizeof checksum);
  *out = (mho_checkpoint_row){.epoch = t->at.epoch, .batch = t->at.batch, .blob = {bytes, size}};
  return MHO_OK;
}

/* ---------------------------------------------------------------- whether it may come in */

static mho_err refuse(mho_errinfo *ei, const char *what) {
  return mho_fail(ei, MHO_EDATA,
                  "the checkpoint is damaged: its %s cannot be; take it from a copy of the "
                  "database, or train anew",
                  what);
}

/* Whether it is of this trainer and whole; its header, and where its extras begin. */
static mho_err check_whole(const mho_trainer *t, const mho_blob *blob, header *h, size_t *begin,
                           mho_errinfo *ei) {
  if (blob->size < sizeof *h)
    return mho_fail(ei, MHO_EDATA, "the checkpoint is cut short (%zu bytes)", blob->size);

  memcpy(h, blob->data, sizeof *h);
  uint32_t known = 0xffff | CHECKSUM;
  for (int i = 0; i < EXTRAS; i++)
    known |= extras[i].bit;
  bool is_known =
      !memcmp(h->magic, MHO_CHECKPOINT_MAGIC, 8) && (h->version & 0xffff) == CHECKPOINT_VERSION;
  if (!is_known || h->version & ~known || h->scalar != sizeof(mho_real))
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint is not one that this mho reads (version %u, %u-byte numbers)",
                    h->version, h->scalar);

  size_t size = locate(t, h->version, total_size(t), begin);
  if (h->size != blob->size || blob->size != size)
    return mho_fail(ei, MHO_EDATA,
                    "the checkpoint has %zu bytes, this network needs %zu: it belongs to another "
                    "config, or to data of other columns or classes",
                    blob->size, size);

  uint64_t said;
  memcpy(&said, (char *)blob->data + size - sizeof said, sizeof said);
  if (h->version & CHECKSUM && said != checksum_of(blob->data, size))
    return refuse(ei, "checksum");
  return MHO_OK;
}

/* The header's numbers. A place beyond the end of an epoch is for the epoch to see, as networks are
 * evaluated on fewer images than they were trained on. */
static mho_err check_header(const header *h, mho_errinfo *ei) {
  const mho_epoch_sums *s = &h->sums;
  if (h->epoch < 0 || h->epoch > MHO_STREAM_EPOCHS)
    return refuse(ei, "epoch");
  if (h->batch < 0 || h->batch > INT_MAX)
    return refuse(ei, "batch");
  if (h->update < 0 || h->update >= INT64_C(1) << 40)
    return refuse(ei, "number of updates");

  bool sums_hold =
      are_numbers((const char *)s, offsetof(mho_epoch_sums, samples), sizeof(double), 0);
  if (!sums_hold || s->samples < 0 || s->unsettled < 0)
    return refuse(ei, "sums over the epoch");
  if (s->correct < 0 || s->correct > s->samples)
    return refuse(ei, "number of correct samples");
  return MHO_OK;
}

/* The numbers behind the header. */
static mho_err check_numbers(const mho_trainer *t, const char *bytes, const header *h,
                             const size_t *begin, mho_errinfo *ei) {
  uint32_t version = h->version;
  const char *at = bytes + sizeof(header);
  if (!are_numbers(at, pulses_size(t), sizeof(double), 0))
    return refuse(ei, "number of pulses");
  at += pulses_size(t);

  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++) {
    int n = pieces_of(t, c, p);
    for (int i = 0; i < n; i++) {
      if (p[i].scalar && !are_numbers(at, p[i].size, p[i].scalar, ANY))
        return mho_fail(ei, MHO_EDATA,
                        "the checkpoint's numbers of connection %d are not finite, as after a "
                        "training that diverged, or damaged",
                        c + 1);
      at += p[i].size;
    }
  }

  for (int i = 0; i < EXTRAS; i++) {
    const struct extra *x = &extras[i];
    if (version & x->bit && x->scalar &&
        !are_numbers(bytes + begin[i], x->size(t), x->scalar, x->least))
      return refuse(ei, x->what);
  }
  if (version & extras[KEPT].bit && !is_kept_finite(t->learner->vars, bytes + begin[KEPT]))
    return refuse(ei, extras[KEPT].what);
  if (version & extras[NODES].bit && !is_kept_finite(t->learner->state_vars, bytes + begin[NODES]))
    return refuse(ei, extras[NODES].what);
  if (version & extras[COLUMNS].bit && !are_columns(t, bytes + begin[COLUMNS]))
    return refuse(ei, extras[COLUMNS].what);
  if (version & extras[CONTROLS].bit && !are_controls(t, bytes + begin[CONTROLS], h->update))
    return refuse(ei, extras[CONTROLS].what);
  if (version & extras[NAMES].bit)
    return check_names(t, bytes + begin[NAMES], ei);
  return MHO_OK;
}

/* ---------------------------------------------------------------- in */

/* Take extra i, if the checkpoint has it and the trainer a place for it. */
static bool take(const mho_trainer *t, uint32_t bits, int i, char *at) {
  bool taken = bits & extras[i].bit && extras[i].takes(t);
  if (taken)
    extras[i].copy(t, at, false);
  return taken;
}

/* An array of the scheme's own has been loaded. */
static void restore_own(mho_updater *u, int c) {
  mho_crossbar *fast = fast_of(u, c);
  if (!fast)
    return;
  mho__groups_restored(fast);
  mho_crossbar_refresh(fast, 0, mho_crossbar_cells(fast));
  u->scheme->restored(u->own[c]);
}

mho_err mho_trainer_load(mho_trainer *t, const mho_blob *blob, mho_errinfo *ei) {
  header h;
  size_t begin[EXTRAS];
  mho_err err = check_whole(t, blob, &h, begin, ei);
  if (!err)
    err = check_header(&h, ei);
  if (!err)
    err = check_numbers(t, blob->data, &h, begin, ei);
  if (err)
    return err;

  /* Weights mean what w_max says, which comes first. */
  char *bytes = (char *)blob->data, *at = bytes + sizeof h;
  if (!take(t, h.version, RANGES, bytes + begin[RANGES]))
    mho__trainer_range(t, NULL);
  mho__brought_forget(&t->brought);
  copy(&at, t->at.pulses, pulses_size(t), false);

  piece p[PIECES_EACH];
  for (int c = 0; c < t->net->n_trained; c++) {
    mho_crossbar *x = crossbar_of(t->net, c);
    int n = pieces_of(t, c, p);
    copy_pieces(&at, p, n, false);
    restore_own(t->updater, c);
    mho__groups_restored(x);
    mho_crossbar_refresh(x, 0, mho_crossbar_cells(x));
  }
  if (!take(t, h.version, RESTS, bytes + begin[RESTS]))
    clear_rests(t);
  if (!take(t, h.version, WAITING, bytes + begin[WAITING]))
    clear_waiting(t);

  /* The effective matrices follow, with what wires change of them. */
  take(t, h.version, SCALES, bytes + begin[SCALES]);
  t->at.update = h.update;
  t->at.pass = 0;
  mho__standing_teach_all(&t->at);
  take(t, h.version, CONTROLS, bytes + begin[CONTROLS]);
  mho__updater_refresh(t->updater, true);
  mho_network_refresh(t->net, t->at.update, true);
  if (take(t, h.version, WIRES, bytes + begin[WIRES])) {
    mho__updater_refresh(t->updater, false);
    mho_network_refresh(t->net, t->at.update, false);
  }

  /* The epoch under way. */
  for (int i = WRITES; i <= DRIVEN; i++)
    take(t, h.version, i, bytes + begin[i]);
  take(t, h.version, EDGES, bytes + begin[EDGES]);
  take(t, h.version, COLUMNS, bytes + begin[COLUMNS]);
  if (!take(t, h.version, IMPORTANCE, bytes + begin[IMPORTANCE]) && t->learner->importance)
    t->learner->importance->valid = false;
  if (!take(t, h.version, KEPT, bytes + begin[KEPT]))
    clear_kept_of(t->learner->vars);
  if (!take(t, h.version, NODES, bytes + begin[NODES]))
    clear_kept_of(t->learner->state_vars);
  t->at.epoch = (int)h.epoch;
  t->at.batch = h.batch;
  t->at.sums = h.sums;
  return MHO_OK;
}
