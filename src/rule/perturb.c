/* perturb.c - weight and node perturbation: the gradient of whatever the hardware is, from its loss
 * alone.
 *
 *   R = L(w + size xi) - L(w),  E xi = 0, E xi xi^T = 1     the regret of a trial
 *   u = R xi/size                                           one side
 *   u = (L(w + size xi) - L(w - size xi)) xi/(2 size)       both sides
 *   E u = dL/dw + O(size^2), exact for quadratic losses
 *
 * For N weights and the gradient g, small and equal sizes: with a sign for every cell, or with
 * signs of rows times signs of columns (rank one), Var u_i = |g|^2 - g_i^2; with normal deviates
 * |g|^2 + g_i^2. The mean of P trials has the cosine sqrt(P/(P + N - 1)) with the gradient (normal
 * deviates: N + 1). A loss that is read with noise s adds 2 s^2/size^2 to the variance with one
 * side, s^2/(2 size^2) with both.
 *
 * Of nodes: xi is added to the summed inputs of neurons, of each sample its own, and the error of
 * layer l is R xi_l/size; its gradient is local as in any other rule. Where feedback uses the
 * forward weights too, it is the gradient with the feedback held fixed; that of weights is the one
 * of both uses.
 *
 * By pulses, the devices themselves are perturbed, and set back by pulses the other way: steps that
 * are not symmetric leave a drift towards the point where they are. u is over the size of a nominal
 * pulse, so a cell whose step is k times that has k times its share of the gradient.
 *
 * How fast the weights follow (law): `plain` as they are; `rms` divided by the root of a running
 * mean of (R/size)^2, which makes it free of the scales of loss and size; `gain` times a factor
 * that grows when perturbations help and shrinks when they hurt,
 *
 *   k <- clip(k exp(step tanh(-R/m)), least, most),  m a running mean of |R|
 *
 * and `keep` without u: -size xi of what helped, so that with sgd at rate 1 a perturbation that
 * helps stays and another one does not.
 *
 * "Dopamine" (arXiv 2510.22178) optimizes by perturbations and an adaptive rate that follows a
 * reward-prediction error, -R. The law of that rate is not known here, and none of these laws is
 * said to be it.
 *
 * Source: A. Dembo, T. Kailath, IEEE Trans. Neural Networks 1, 58 (1990); M. Jabri, B. Flower, IEEE
 * Trans. Neural Networks 3, 154 (1992); nodes: B. Widrow, M. Lehr, Proc. IEEE 78, 1415 (1990).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "array/perturbation.h"
#include "base/streams.h"
#include "mho/model/check.h"
#include "mho/model/num.h"
#include "rule/phase.h"

typedef struct perturb {
  int of, shape, by, sides, samples, law, noise;
  int64_t trials;
  double size, memory, step, least, most;
} perturb;

enum { OF_WEIGHTS, OF_NODES };
enum { SHAPE_AUTO, SHAPE_RANK1, SHAPE_SIGNS, SHAPE_NORMAL };
enum { BY_AUTO, BY_LINE, BY_PULSE, BY_PAIR, BY_CELL, BY_IDEAL };
enum { ONE_SIDE, BOTH_SIDES };
enum { SAMPLES_AUTO, SAMPLES_BATCH, SAMPLES_EACH };
enum { LAW_PLAIN, LAW_RMS, LAW_GAIN, LAW_KEEP };
enum { NOISE_FRESH, NOISE_SAME };
enum { TRIALS_MAX = MHO_STREAM_TRIALS / 2 - 1 };
enum { DRAWN = 1024 }; /* numbers drawn at a time */

static const perturb *params_of(const mho_experiment *e) {
  return (const perturb *)(const void *)e->rule.params;
}

static const char *of_nodes(const mho_experiment *e) {
  return params_of(e)->of == OF_NODES ? "neurons are perturbed (rule.of: nodes)" : NULL;
}

/* Pulses have sizes of their own. */
static const char *of_own_size(const mho_experiment *e) {
  const perturb *p = params_of(e);
  bool is_pulsed = p->of == OF_WEIGHTS && (p->by == BY_PULSE || p->by == BY_PAIR);
  return is_pulsed ? "the pulses of the devices have a size of their own (rule.by)" : NULL;
}

static const char *without_means(const mho_experiment *e) {
  int law = params_of(e)->law;
  return law == LAW_RMS || law == LAW_GAIN ? NULL : "rule.law has no running mean";
}

static const char *without_gain(const mho_experiment *e) {
  return params_of(e)->law == LAW_GAIN ? NULL : "rule.law is not gain";
}

static const char *without_random_reads(const mho_experiment *e) {
  const mho_array_model *array = (const mho_array_model *)e->array.entry;
  bool is_noisy = mho_array_is_noisy(array, e->array.params);
  bool shows_noise = array->shows_cells && mho_device_reads_noisy(&e->device_config);
  bool spikes = ((const mho_dynamics *)e->dynamics.entry)->spikes;
  int kind = e->settle.encode.kind; /* of inputs that are fired anew in every repetition */
  bool is_random = spikes && (kind == MHO_ENCODE_POISSON || kind == MHO_ENCODE_REGULAR);
  if (is_noisy || is_random || (shows_noise && mho_experiment_has_cells(e)))
    return NULL;
  return "reads have no noise (array, device.read_noise)";
}

#define P_CHOICE(field, name, words, ...) MHO_P_CHOICE(perturb, field, name, words, 0, __VA_ARGS__)
#define P_REAL(field, name, initial, low, high, ...)                                               \
  MHO_P_REAL(perturb, field, name, "", initial, low, high, __VA_ARGS__)
static const mho_param table[] = {
    P_CHOICE(of, "of", "weights|nodes", "what is perturbed: weights, or summed inputs of neurons"),
    P_CHOICE(shape, "shape", "auto|rank1|signs|normal",
             "signs of rows times signs of columns, or a sign or a normal deviate for each one; "
             "auto: rank1 by line, else signs"),
    P_CHOICE(by, "by", "auto|line|pulse|pair|cell|ideal",
             "how weights are perturbed: at the edge of the array, by a pulse up or down on every "
             "cell, by one on one device of every pair, by a volatile element in every cell, or in "
             "software; auto: line",
             .idle = of_nodes),
    P_REAL(size, "size", 0.01, 1e-6, 10,
           "of a perturbation, over w_max; of nodes, in summed input; pulses have their own",
           .idle = of_own_size),
    P_CHOICE(sides, "sides", "one|both",
             "regret against the unperturbed loss, or between both signs of a perturbation"),
    P_CHOICE(samples, "samples", "auto|batch|each",
             "one perturbation and the loss of the whole batch, or one for every sample and its "
             "own loss; auto: each, but batch by pulses"),
    MHO_P_INT(perturb, trials, "trials", 1, 1, TRIALS_MAX,
              "perturbations an update, each on all samples of the batch"),
    P_CHOICE(noise, "noise", "fresh|same",
             "reads of a trial have noise of their own, as in hardware, or that of the reads which "
             "they are compared with",
             .idle = without_random_reads),
    P_CHOICE(law, "law", "plain|rms|gain|keep",
             "of the rate: as it is, over the rms of the regret, with a gain that grows where "
             "perturbations help, or none: what helps is kept (the published dopamine rule's law "
             "is not known; none of these is said to be it)"),
    P_REAL(memory, "memory", 0.99, 0, 0.999999, "of the running means of laws rms and gain",
           .idle = without_means),
    P_REAL(step, "step", 0.01, 0, 10, "law gain: change of ln gain by a trial, at most",
           .idle = without_gain),
    P_REAL(least, "least", 0.1, 1e-6, 1, "law gain: smallest gain", .idle = without_gain),
    P_REAL(most, "most", 10, 1, 1e6, "law gain: largest gain", .idle = without_gain),
};

/* A gradient this noisy wants a larger rate than the general one, and more epochs, which are cheap:
 * the digits reach 80 % in a hundred. */
static const mho_default defaults[] = {
    {"update.optimizer", "adam"}, {"update.rate", "0.005"}, {"train.epochs", "100"}};

/* What the law keeps: a running mean, the share of it that has been seen, and ln gain. */
enum { MEAN, SEEN, GAIN };
static const mho_var variables[] = {
    [MEAN] = {.name = "mean", .per = MHO_PER_NETWORK, .exact = true, .kept = true},
    [SEEN] = {.name = "seen", .per = MHO_PER_NETWORK, .exact = true, .kept = true},
    [GAIN] = {.name = "gain", .per = MHO_PER_NETWORK, .exact = true, .kept = true},
};

static bool by_pulses(const perturb *p) {
  return p->by == BY_PULSE || p->by == BY_PAIR;
}

static bool by_line(const perturb *p) {
  return p->of == OF_WEIGHTS && (p->by == BY_AUTO || p->by == BY_LINE);
}

static int shape_of(const perturb *p) {
  switch (p->shape) {
  case SHAPE_RANK1:
    return MHO_SHAPE_RANK1;
  case SHAPE_SIGNS:
    return MHO_SHAPE_SIGNS;
  case SHAPE_NORMAL:
    return MHO_SHAPE_NORMAL;
  default:
    return by_line(p) ? MHO_SHAPE_RANK1 : MHO_SHAPE_SIGNS;
  }
}

static bool is_each(const perturb *p) {
  return p->samples == SAMPLES_AUTO ? !by_pulses(p) : p->samples == SAMPLES_EACH;
}

/* ---------------------------------------------------------------- memory */

/* What trials work in. */
typedef struct own {
  mho_lesson lesson; /* the batch that was tried, whose thread may be gone, ... */
  uint64_t update;   /* ... and its number */
  int n;             /* trained connections */
  int trials;        /* of an update */
  double *loss;      /* [capacity] of a prediction */
  double *regret;    /* [trials x samples of the batch]: a loss, then what follows from it */
  /* What trials add to the crossbars, and the numbers of all of them, one behind the other. */
  mho_perturbation *p;      /* [n] */
  mho_real **row;           /* [n] of [trials x samples x rows], of rank one */
  mho_real **col;           /* [n] of [trials x samples x cols], of rank one */
  mho_real **cell;          /* [n] of [rows x cols], of full rank and one for all samples */
  mho_pulse_counts *counts; /* [n] of pulses that perturb */
} own;

static void own_free(void *kept) {
  own *o = kept;
  if (!o)
    return;

  for (int c = 0; c < o->n; c++) {
    mho_free(o->row[c]);
    mho_free(o->col[c]);
    mho_free(o->cell[c]);
  }
  mho_free(o->row);
  mho_free(o->col);
  mho_free(o->cell);
  mho_free(o->p);
  mho_free(o->counts);
  mho_free(o->loss);
  mho_free(o->regret);
  mho_free(o);
}

/* Room for the numbers of connection c, whose trials have up to `samples` perturbations. */
static bool add_numbers(own *o, int c, int samples) {
  mho_perturbation *p = &o->p[c];
  size_t rows = (size_t)p->rows, cols = (size_t)p->cols;
  size_t all = (size_t)o->trials * (size_t)samples;

  if (p->shape == MHO_SHAPE_RANK1) {
    o->row[c] = mho_alloc(all * rows, sizeof **o->row);
    o->col[c] = mho_alloc(all * cols, sizeof **o->col);
    return o->row[c] && o->col[c];
  }
  if (samples == 1)
    p->cell = o->cell[c] = mho_alloc(rows * cols, sizeof **o->cell);
  return samples > 1 || p->cell;
}

static bool add_connections(own *o, const mho_network *net, const perturb *p, int samples) {
  size_t n = (size_t)net->n_trained;
  o->p = mho_alloc(n, sizeof *o->p);
  o->row = mho_alloc(n, sizeof *o->row);
  o->col = mho_alloc(n, sizeof *o->col);
  o->cell = mho_alloc(n, sizeof *o->cell);
  o->counts = mho_alloc(n, sizeof *o->counts);
  if (!o->p || !o->row || !o->col || !o->cell || !o->counts)
    return false;

  o->n = net->n_trained;
  for (int c = 0; c < o->n; c++) {
    const mho_connection *k = &net->connection[c];
    o->p[c] = mho_crossbar_perturbation(k->xb, shape_of(p));
    o->p[c].positions = k->positions;
    o->p[c].ideal = p->by == BY_IDEAL;
    if (p->of == OF_WEIGHTS && !add_numbers(o, c, samples))
      return false;
  }
  return true;
}

static mho_err own_new(const mho_experiment *e, const mho_network *net, int capacity, void **out,
                       mho_errinfo *ei) {
  const perturb *p = (const perturb *)(const void *)e->rule.params;
  own *o = mho_alloc(1, sizeof *o);
  bool ok = o != NULL;

  if (ok) {
    o->trials = (int)p->trials;
    o->loss = mho_alloc((size_t)capacity, sizeof *o->loss);
    o->regret = mho_alloc((size_t)o->trials * (size_t)capacity, sizeof *o->regret);
    ok = o->loss && o->regret && add_connections(o, net, p, is_each(p) ? capacity : 1);
  }
  if (!ok) {
    own_free(o);
    o = NULL;
  }

  *out = o;
  return ok ? MHO_OK
            : mho_fail(ei, MHO_ENOMEM, "no memory for perturbations of %d samples", capacity);
}

/* ---------------------------------------------------------------- perturbing */

/* Size of a perturbation of connection c, in weights: of pulses that of a nominal one, on both
 * devices of a pair or on one. */
static double size_of(const mho_lesson *l, int c) {
  const perturb *p = l->params;
  if (by_pulses(p))
    return l->nominal_step[c] / (p->by == BY_PAIR ? 2 : 1);
  return p->size * mho_crossbar_w_max(l->net->connection[c].xb);
}

/* Draw what trial number `trial` adds to the crossbars. */
static void draw_weights(const mho_lesson *l, int trial) {
  own *o = l->own;
  int samples = is_each(l->params) ? l->n : 1;

  for (int c = 0; c < o->n; c++) {
    mho_perturbation *p = &o->p[c];
    size_t first = (size_t)trial * (size_t)samples;
    p->samples = samples;
    if (o->row[c]) {
      p->row = o->row[c] + first * (size_t)p->rows;
      p->col = o->col[c] + first * (size_t)p->cols;
    }
    mho_perturbation_draw(p, l->thread->update, trial + 1);
  }
}

/* What a trial adds to the summed inputs of a layer's neurons, without the size, [n x layer]. */
static void draw_neurons(const mho_lesson *l, int trial, int layer, mho_real *out) {
  size_t n = (size_t)l->n * (size_t)l->net->layer[layer].n;
  mho_rng rng = mho__stream_perturbed_neurons(l->net->state_noise.seed, layer);
  mho__perturbation_numbers(shape_of(l->params), rng,
                            mho__step_perturb(l->thread->update, trial + 1), 0, n, out);
}

/* The summed inputs of all neurons get size xi more; size 0: nothing. */
static void push_neurons(const mho_lesson *l, int trial, double size) {
  for (int layer = 1; layer <= mho_network_output(l->net); layer++) {
    mho_real *push = l->state[0]->push[layer], factor = (mho_real)size;
    size_t n = (size_t)l->n * (size_t)l->net->layer[layer].n;
    if (size == 0) {
      memset(push, 0, n * sizeof *push);
      continue;
    }

    draw_neurons(l, trial, layer, push);
    for (size_t i = 0; i < n; i++)
      push[i] *= factor;
  }
}

/* Pulses on n cells from `first` on of connection c, whose signs are xi. */
static void pulse_block(const mho_lesson *l, int c, size_t first, int n, const mho_real *xi,
                        bool undo, uint64_t step, mho_pulse_counts *counts) {
  mho_crossbar *x = mho_lesson_crossbar(l, c);
  int16_t up[MHO_DEVICE_BLOCK], pos[MHO_DEVICE_BLOCK], neg[MHO_DEVICE_BLOCK];
  int16_t *const pair[MHO_BANKS_MAX] = {pos, neg};
  int16_t way = undo ? -1 : 1;

  for (int i = 0; i < n; i++) {
    up[i] = xi[i] > 0 ? way : (int16_t)-way;
    pos[i] = xi[i] > 0 ? way : 0;
    neg[i] = xi[i] > 0 ? 0 : way;
  }
  if (((const perturb *)l->params)->by == BY_PAIR)
    mho_crossbar_pulse(x, first, n, pair, step, counts);
  else
    mho_crossbar_change(x, first, n, up, step, counts);
}

/* A pulse on every cell of all trained crossbars, or the one that takes it back. */
static void pulse_cells(const mho_lesson *l, int trial, int side, bool undo) {
  const own *o = l->own;
  uint64_t step = mho__step_trial(l->thread->update, trial + 1, 2 * (side < 0) + undo);
  memset(o->counts, 0, (size_t)o->n * sizeof *o->counts);

  for (int c = 0; c < o->n; c++) {
    size_t cells = (size_t)o->p[c].rows * (size_t)o->p[c].cols;
    for (size_t first = 0; first < cells; first += MHO_DEVICE_BLOCK) {
      int n = (int)mho_min_size(cells - first, MHO_DEVICE_BLOCK);
      mho_real xi[MHO_DEVICE_BLOCK];
      mho_perturbation_cells(&o->p[c], 0, first, (size_t)n, xi);
      for (int i = 0; i < n; i++)
        xi[i] *= (mho_real)side;
      pulse_block(l, c, first, n, xi, undo, step, &o->counts[c]);
    }
  }
  mho_lesson_wrote(l, o->counts);
}

/* Perturb: side 1 or -1. */
static void set_perturbation(const mho_lesson *l, int trial, int side) {
  const perturb *p = l->params;
  own *o = l->own;
  if (p->of == OF_NODES) {
    push_neurons(l, trial, side * p->size);
    return;
  }
  if (by_pulses(p)) {
    pulse_cells(l, trial, side, false);
    return;
  }

  for (int c = 0; c < o->n; c++) {
    o->p[c].size = side * size_of(l, c);
    mho_crossbar_perturb(mho_lesson_crossbar(l, c), &o->p[c]);
  }
}

/* Undo it. */
static void clear_perturbation(const mho_lesson *l, int trial, int side) {
  const perturb *p = l->params;
  const own *o = l->own;
  if (p->of == OF_NODES) {
    push_neurons(l, trial, 0);
    return;
  }
  if (by_pulses(p)) {
    pulse_cells(l, trial, side, true);
    return;
  }

  for (int c = 0; c < o->n; c++)
    mho_crossbar_perturb(mho_lesson_crossbar(l, c), NULL);
}

/* ---------------------------------------------------------------- regrets */

/* Predict the batch under a perturbation, as number `number` of the update's. */
static void repeat(const mho_lesson *l, int number, double *loss, mho_rule_stats *stats) {
  const perturb *p = l->params;
  mho_repetition r = {.number = p->noise == NOISE_FRESH ? number : 0, .loss = loss};
  mho_rule_stats again = {0};

  mho_lesson_predict(l, &r, &again);
  stats->nudged.steps += again.free.steps;
  stats->nudged.reads += again.free.reads;
  stats->nudged.unsettled += again.free.unsettled;
}

/* regret = the losses of a trial, or half of what its two sides differ by. */
static void try_perturbation(const mho_lesson *l, int trial, mho_rule_stats *stats) {
  const perturb *p = l->params;
  own *o = l->own;
  double *regret = o->regret + (size_t)trial * (size_t)l->n;
  if (p->of == OF_WEIGHTS)
    draw_weights(l, trial);

  set_perturbation(l, trial, 1);
  repeat(l, 2 * trial + 1, regret, stats);
  clear_perturbation(l, trial, 1);
  if (p->sides == ONE_SIDE)
    return;

  set_perturbation(l, trial, -1);
  repeat(l, 2 * trial + 2, o->loss, stats);
  clear_perturbation(l, trial, -1);
  for (int s = 0; s < l->n; s++)
    regret[s] = (regret[s] - o->loss[s]) / 2;
}

/* Regrets against the unperturbed loss, where no other side was tried; of a whole batch one. */
static void find_regrets(const mho_lesson *l) {
  const perturb *p = l->params;
  own *o = l->own;

  for (int trial = 0; trial < o->trials; trial++) {
    double *regret = o->regret + (size_t)trial * (size_t)l->n, mean = 0;
    for (int s = 0; s < l->n; s++) {
      regret[s] -= p->sides == ONE_SIDE ? o->loss[s] : 0;
      mean += regret[s] / l->n;
    }
    if (!is_each(p))
      for (int s = 0; s < l->n; s++)
        regret[s] = mean;
  }
}

/* ---------------------------------------------------------------- laws */

/* Take a value into the law's running mean. @return the mean. */
static double running_mean(const mho_lesson *l, double value) {
  double memory = ((const perturb *)l->params)->memory;
  double *mean = mho_vars_exact(l->vars, MEAN, 0, 0), *seen = mho_vars_exact(l->vars, SEEN, 0, 0);
  *mean = memory * *mean + (1 - memory) * value;
  *seen = memory * *seen + (1 - memory);
  return *mean / *seen;
}

/* 1 over the rms of the regrets over the size. */
static double rms_factor(const mho_lesson *l, const double *regret) {
  double size = ((const perturb *)l->params)->size, sum = 0;
  for (int s = 0; s < l->n; s++)
    sum += regret[s] * regret[s] / (size * size * l->n);

  double square = running_mean(l, sum);
  return square > 0 ? 1 / sqrt(square) : 0;
}

/* The gain, after a trial with these regrets. */
static double gain_factor(const mho_lesson *l, const double *regret) {
  const perturb *p = l->params;
  double *gain = mho_vars_exact(l->vars, GAIN, 0, 0), sum = 0, help = 0;
  for (int s = 0; s < l->n; s++)
    sum += fabs(regret[s]) / l->n;

  double mean = running_mean(l, sum);
  for (int s = 0; s < l->n && mean > 0; s++)
    help += tanh(-regret[s] / mean) / l->n;
  *gain = fmin(fmax(*gain + p->step * help, log(p->least)), log(p->most));
  return exp(*gain);
}

/* -1 for a perturbation that helped, 1 for one whose other side did, else 0. */
static double kept_side(const perturb *p, double regret) {
  if (regret < 0)
    return -1;
  return regret > 0 && p->sides == BOTH_SIDES;
}

/* Regrets become what the law makes of them, over the number of trials. */
static void apply_law(const mho_lesson *l) {
  const perturb *p = l->params;
  own *o = l->own;

  for (int trial = 0; trial < o->trials; trial++) {
    double *regret = o->regret + (size_t)trial * (size_t)l->n, factor = 1;
    if (p->law == LAW_RMS)
      factor = rms_factor(l, regret);
    else if (p->law == LAW_GAIN)
      factor = gain_factor(l, regret);

    for (int s = 0; s < l->n; s++) {
      double r = p->law == LAW_KEEP ? kept_side(p, regret[s]) : factor * regret[s];
      regret[s] = r / o->trials;
    }
  }
}

/* What a regret is multiplied with for a perturbation of that size. */
static double share_of(const perturb *p, double size) {
  return p->law == LAW_KEEP ? size : 1 / size;
}

/* ---------------------------------------------------------------- what is handed on */

/* Columns' signs times what the regrets have become: with the rows' signs they are the gradient. */
static void weigh_columns(const mho_lesson *l, int c) {
  own *o = l->own;
  const mho_perturbation *p = &o->p[c];
  double share = share_of(l->params, size_of(l, c)) / p->samples;

  for (int trial = 0; trial < o->trials; trial++)
    for (int s = 0; s < p->samples; s++) {
      size_t k = (size_t)trial * (size_t)p->samples + (size_t)s;
      mho_real factor = (mho_real)(share * o->regret[trial * l->n + s]);
      mho_real *col = o->col[c] + k * (size_t)p->cols;
      for (int j = 0; j < p->cols; j++)
        col[j] *= factor;
    }
}

/* error = sum over trials of R xi/size, xi drawn again. */
static void find_errors(const mho_lesson *l, int layer) {
  const perturb *p = l->params;
  const own *o = l->own;
  size_t width = (size_t)l->net->layer[layer].n, n = (size_t)l->n * width;
  mho_real *error = l->error[layer], *push = l->state[0]->push[layer];
  double share = share_of(p, p->size);
  memset(error, 0, n * sizeof *error);

  for (int trial = 0; trial < o->trials; trial++) {
    const double *regret = o->regret + (size_t)trial * (size_t)l->n;
    draw_neurons(l, trial, layer, push);
    for (size_t i = 0; i < n; i++)
      error[i] += (mho_real)(share * regret[i / width]) * push[i];
  }
  memset(push, 0, n * sizeof *push);
}

static mho_err trial(const mho_lesson *l, mho_rule_stats *stats, mho_errinfo *ei) {
  const perturb *p = l->params;
  own *o = l->own;
  o->lesson = *l;
  o->update = l->thread->update;

  for (int k = 0; k < o->trials; k++)
    try_perturbation(l, k, stats);

  /* The unperturbed batch comes last, so that its states are those that stay. */
  mho_lesson_predict(l, &(mho_repetition){.number = 0, .loss = o->loss}, stats);
  find_regrets(l);
  apply_law(l);

  for (int c = 0; c < o->n; c++)
    if (o->col[c])
      weigh_columns(l, c);
  for (int layer = 1; layer <= mho_network_output(l->net) && p->of == OF_NODES; layer++)
    find_errors(l, layer);
  return MHO_OK;
}

/* out += rows row0 .. row0+n-1 of the sum of R xi/size, xi drawn again. */
static void add_cells(const void *of, int c, int row0, int n, mho_real *out) {
  const own *o = of;
  const mho_lesson *l = &o->lesson;
  mho_perturbation p = o->p[c];
  size_t first = (size_t)row0 * (size_t)p.cols, count = (size_t)n * (size_t)p.cols;
  double share = share_of(l->params, size_of(l, c)) / p.samples;
  mho_real xi[DRAWN];

  for (int k = 0; k < o->trials; k++) {
    p.step = mho__step_perturb(o->update, k + 1);
    for (int s = 0; s < p.samples; s++) {
      mho_real factor = (mho_real)(share * o->regret[k * l->n + s]);
      for (size_t at = 0; at < count; at += DRAWN) {
        size_t m = mho_min_size(count - at, DRAWN);
        mho_perturbation_cells(&p, s, first + at, m, xi);
        for (size_t i = 0; i < m; i++)
          out[at + i] += factor * xi[i];
      }
    }
  }
}

static void change(const mho_lesson *l, int connection, mho_change *out) {
  const perturb *p = l->params;
  const own *o = l->own;
  if (p->of == OF_NODES) {
    mho_change_by_error(l, connection, out);
    return;
  }
  if (!o->row[connection]) {
    out->dense = add_cells;
    out->of = o;
    return;
  }

  mho_outer *term = mho_change_add(out);
  term->pre = o->row[connection];
  term->post = o->col[connection];
  term->n = o->trials * o->p[connection].samples;
  term->scale = 1;
  term->lines = true;
}

/* ---------------------------------------------------------------- combinations */

#define REFUSE(...) return mho_fail(ei, MHO_ECONFIG, __VA_ARGS__)

static mho_err check_nodes(const mho_experiment *e, const perturb *p, mho_errinfo *ei) {
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  if (strcmp(e->dynamics.entry->id, "rate") != 0)
    REFUSE("rule.of: dynamics %s takes no currents into its neurons: use weights, or dynamics rate",
           e->dynamics.entry->id);
  if (p->by != BY_AUTO)
    REFUSE("rule.by: it says how weights are perturbed, and rule.of is nodes: leave it out");
  if (p->shape == SHAPE_RANK1)
    REFUSE("rule.shape: rank1 is of a crossbar's lines, and rule.of is nodes: use signs or normal");
  if (p->samples == SAMPLES_BATCH)
    REFUSE("rule.samples: with rule.of nodes every sample has neurons of its own: use each");
  if (settler->in_time)
    REFUSE("rule.of: currents into neurons are not simulated in continuous time, which "
           "settle.method %s is: use weights, or another method",
           settler->entry.id);
  return MHO_OK;
}

static mho_err check_weights(const mho_experiment *e, const perturb *p, mho_errinfo *ei) {
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  if (by_line(p) && shape_of(p) != MHO_SHAPE_RANK1)
    REFUSE("rule.shape: lines cannot add another number to every cell: use rank1, or rule.by cell "
           "or ideal");
  if (p->by == BY_CELL && p->shape == SHAPE_RANK1)
    REFUSE("rule.shape: rank1 needs no element in every cell, as rule.by has it: use line");
  if (by_pulses(p) && shape_of(p) != MHO_SHAPE_SIGNS)
    REFUSE("rule.shape: rule.by gives every cell a pulse up or down: use signs");
  if (by_pulses(p) && p->samples == SAMPLES_EACH)
    REFUSE("rule.samples: rule.by writes the devices, once for all samples: use batch");
  if (scheme->draw && shape_of(p) != MHO_SHAPE_RANK1)
    REFUSE("rule.shape: update.scheme %s writes outer products of lines, and a number for every "
           "cell is none: use rank1, or another scheme",
           scheme->entry.id);
  if (scheme->draw && e->network.biases && e->update.bias_rate != 1)
    REFUSE("update.bias_rate: update.scheme %s pulses lines as they are perturbed, those of biases "
           "like the others: leave it at 1, or use another scheme",
           scheme->entry.id);
  return MHO_OK;
}

/* Whether a weight is a pair of devices that are pulsed both ways. */
static bool has_pairs(const mho_mapping *m) {
  bool two = m->n_banks == 2 && m->bank[1].kind == MHO_BANK_DEVICES;
  return two && m->bank[0].gain > 0 && m->bank[1].gain < 0 && !m->tend;
}

/* Pulses need devices that answer them, and a pair two of them. */
static mho_err check_pulses(const mho_experiment *e, const perturb *p, mho_errinfo *ei) {
  const mho_device_model *device = (const mho_device_model *)e->device.entry;
  if (!device->pulse)
    REFUSE("rule.by: pulses need a device that answers them, and '%s' knows none: use line, or set "
           "device.model (mho list devices)",
           device->entry.id);
  if (mho_experiment_only_writes(e))
    REFUSE("rule.by: pulses perturb, and what they do to these devices is not known "
           "(device.only_written): use line, or another device (mho device list)");
  if (p->by == BY_PAIR && !has_pairs((const mho_mapping *)e->mapping.entry))
    REFUSE("rule.by: pair pulses one of two devices, and device.mapping gives a weight no two that "
           "go both ways: use pulse, or mapping differential");
  if (mho_cell_devices(&e->device_config) > 1 && e->device_config.cells.write == MHO_CELL_IN_TURN)
    REFUSE("rule.by: a pulse is taken back by one the other way, which with device.cells.write "
           "in_turn another device gets: use line, or write all");
  return MHO_OK;
}

static mho_err check(const mho_experiment *e, mho_errinfo *ei) {
  const perturb *p = (const void *)e->rule.params;
  const mho_settler *settler = (const mho_settler *)e->settler.entry;
  const mho_scheme *scheme = (const mho_scheme *)e->scheme.entry;
  if (settler->unmetered)
    REFUSE("rule.name: perturb adds to what crossbars are read for, and settle.method %s reads "
           "none: use another method",
           settler->entry.id);
  if (scheme->draw && p->trials > 1)
    REFUSE("rule.trials: update.scheme %s pulses one perturbation a sample: use 1",
           scheme->entry.id);
  if (p->of == OF_NODES)
    return check_nodes(e, p, ei);

  mho_err err = check_weights(e, p, ei);
  return err || !by_pulses(p) ? err : check_pulses(e, p, ei);
}

/* ---------------------------------------------------------------- registration */

static int parts(const void *params) {
  return ((const perturb *)params)->of == OF_NODES ? MHO_STATE_PUSH : 0;
}

const mho_rule mho_rule_perturb = {
    .entry = {.abi = MHO_ABI,
              .id = "perturb",
              .title = "weight or node perturbation: the loss says what a change is worth",
              .equation = "grad W = (L(W + size xi) - L(W)) xi/size",
              .source = "Jabri & Flower, IEEE Trans. Neural Netw. 3:154 (1992); Dembo & Kailath, "
                        "IEEE Trans. Neural Netw. 1:58 (1990)",
              .params = MHO_PARAMS(perturb, table),
              MHO_DEFAULTS(defaults),
              .check = check},
    .parts = parts,
    .lines = true,
    .var = variables,
    .n_vars = MHO_COUNT(variables),
    .predict = mho__rule_predict,
    .own_new = own_new,
    .own_free = own_free,
    .trial = trial,
    .change = change,
};
