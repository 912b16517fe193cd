/* solver.c - solving one array: the choice of a method, blocks of inputs, and what is checked.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/relaxation.h"
#include "wire/wire_impl.h"

static const double ALLOWED = 1e-9;
/* A block of inputs with more bytes of fields is solved one input after another. */
static const size_t FIELDS_BYTES = (size_t)512 << 20;
/* From so many node pairs on a factorization takes tens of gigabytes. */
enum { CELLS_TO_FACTOR = 4000000 };

const char *mho_wire_method_name(mho_wire_method m) {
  static const char *const names[] = {"auto", "direct", "iterative", "ladder"};
  return names[m];
}

/* From times measured on one core: an iteration takes 3 ns a node pair, a factorization 15 ns times
 * its number to the power 1.5, a solve with it 0.4 us a node pair. */
static mho_wire_method choose(const mho_wire *w, int n) {
  if (w->o.r_word == 0 || w->o.r_bit == 0)
    return MHO_WIRE_LADDER;
  if (w->word_node || w->bit_node)
    return MHO_WIRE_ITERATIVE;
  if (w->o.method != MHO_WIRE_AUTO)
    return w->o.method;

  double cells = (double)w->cells, iterations = 4 + 12 * sqrt(1 / w->gap);
  double iterative = n * cells * iterations * 3e-9;
  double direct = 1.5e-8 * pow(cells, 1.5) + n * cells * 4e-7;
  return direct < iterative && cells < CELLS_TO_FACTOR ? MHO_WIRE_DIRECT : MHO_WIRE_ITERATIVE;
}

typedef struct solve_job {
  mho_wire *w;
  const mho_wire_read *read;
  mho_wire_method method;
  int lanes;
  mho_wire_fields *fields; /* [threads] */
  mho_wire_check *check;   /* [n] */
  double *error;           /* [n] */
  int *iterations;         /* [n] */
  bool *no_memory;         /* [n] */
  double *coefficients;    /* of relaxation; NULL: conjugate gradients */
  mho_relax_plan plan;
  double *work; /* [threads][work_each] */
  size_t work_each;
} solve_job;

/* ---------------------------------------------------------------- iterations */

static void free_fields(mho_wire_fields *f) {
  mho_free(f->x);
  mho_free(f->r);
  mho_free(f->p);
  mho_free(f->s);
  mho_free(f->z);
}

static bool new_fields(const mho_wire *w, int lanes, mho_wire_fields *f) {
  size_t n = w->cells * (size_t)lanes;
  f->lanes = lanes;
  f->x = mho_alloc(n, sizeof *f->x);
  f->r = mho_alloc(n, sizeof *f->r);
  f->p = mho_alloc(n, sizeof *f->p);
  f->s = mho_alloc(n, sizeof *f->s);
  f->z = mho_alloc(n, sizeof *f->z);
  return f->x && f->r && f->p && f->s && f->z;
}

/* Vectors of a block, from *v0 on. */
static int block_vectors(const solve_job *s, int block, int *v0) {
  *v0 = block * s->lanes;
  return mho_min(s->read->n - *v0, s->lanes);
}

/* A block by conjugate gradients. */
static void iterate_block(const solve_job *s, int block, int thread, mho_pool *pool) {
  int v0, n = block_vectors(s, block, &v0);
  double error[MHO_WIRE_LANES];
  const mho_wire_fields *f = &s->fields[thread];

  int k = mho__wire_iterate(s->w, s->read, v0, n, f, pool, error);
  s->no_memory[v0] =
      k < 0 || mho__wire_report(s->w, s->read, v0, n, NULL, f->x, f->lanes, pool, &s->check[v0]);
  for (int l = 0; l < n; l++) {
    s->error[v0 + l] = error[l];
    s->iterations[v0 + l] = k;
  }
}

/* The voltages of lines' ends, vector after vector, into lane l of lines side by side. */
static void into_lane(const double *inputs, size_t n, size_t l, double *out) {
  for (size_t i = 0; i < n; i++)
    out[i * MHO_WIRE_LANES + l] = mho__wire_input(inputs, i);
}

/* A block by relaxation, whose number is known beforehand, with less traffic to memory. */
static void relax_block(const solve_job *s, int block, int thread) {
  const mho_wire *w = s->w;
  int v0, n = block_vectors(s, block, &v0);
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  double *v_word = s->work + (size_t)thread * s->work_each, *end = v_word + rows * MHO_WIRE_LANES;
  double *own = end + cols * MHO_WIRE_LANES;
  const double *x;

  memset(v_word, 0, (rows + cols) * MHO_WIRE_LANES * sizeof *v_word);
  for (int l = 0; l < n; l++) {
    into_lane(mho__wire_word_voltages(w, s->read, v0 + l), rows, (size_t)l, v_word);
    into_lane(mho__wire_bit_voltages(w, s->read, v0 + l), cols, (size_t)l, end);
  }

  mho__relax_run_double(w->o.rows, w->o.cols, s->coefficients, &s->plan, v_word, end, own, NULL,
                        &x);

  s->no_memory[v0] =
      mho__wire_report(w, s->read, v0, n, NULL, x, MHO_WIRE_LANES, NULL, &s->check[v0]);
  for (int l = 0; l < n; l++) {
    s->error[v0 + l] = w->o.tolerance; /* what the plan was made for */
    s->iterations[v0 + l] = s->plan.n;
  }
}

static void block_task(void *arg, int block, int thread) {
  const solve_job *s = arg;
  if (mho_stopped(s->w->o.ctx))
    return;
  if (s->coefficients)
    relax_block(s, block, thread);
  else
    iterate_block(s, block, thread, NULL);
}

/* Whether a few relaxations do, which several inputs share, and which know no resistance of the
 * ends: an iteration of conjugate gradients moves three times the memory, but finds outlying
 * eigenvalues by itself. */
static bool plan_relaxation(solve_job *s) {
  const mho_wire *w = s->w;
  bool ends = w->word_share < 1 || w->bit_share < 1;
  if (s->read->source || s->lanes == 1 || ends)
    return false;

  s->coefficients = mho_alloc(MHO_RELAX_COEFFICIENTS * w->cells, sizeof *s->coefficients);
  if (!s->coefficients)
    return false;

  double rho;
  mho__relax_prepare_double(w->o.rows, w->o.cols, w->aw, w->ab, s->coefficients, &rho);
  if (rho > 0.5)
    rho = mho__relax_bound(w->o.rows, w->o.cols, s->coefficients, rho);
  s->plan = mho__relax_plan_make(rho, w->o.tolerance * (1 - rho), false);
  s->work_each = mho__relax_work(w->o.rows, w->o.cols, MHO_WIRE_LANES, false) +
                 (size_t)(w->o.rows + w->o.cols) * MHO_WIRE_LANES;
  if (s->plan.n < 60)
    s->work = mho_alloc((size_t)mho_pool_threads(w->o.pool) * s->work_each, sizeof *s->work);
  if (s->work)
    return true;

  mho_free(s->coefficients);
  s->coefficients = NULL;
  return false;
}

/* Conjugate gradients for all blocks: blocks side by side, or all threads on one after another. */
static mho_err by_gradients(solve_job *s, int blocks, mho_errinfo *ei) {
  const mho_wire *w = s->w;
  bool spread = s->lanes > 1 && blocks > 1, made = true;
  int sets = spread ? mho_pool_threads(w->o.pool) : 1;

  s->fields = mho_alloc((size_t)sets, sizeof *s->fields);
  if (!s->fields)
    return mho_fail(ei, MHO_ENOMEM, "no memory to solve an array of %d x %d", w->o.rows, w->o.cols);
  for (int t = 0; t < sets; t++)
    made = made && new_fields(w, s->lanes, &s->fields[t]);

  mho_err err = MHO_OK;
  if (!made) {
    err = mho_fail(ei, MHO_ENOMEM, "no memory to solve an array of %d x %d", w->o.rows, w->o.cols);
  } else if (spread) {
    mho_pool_run(w->o.pool, blocks, block_task, s);
  } else {
    for (int b = 0; b < blocks; b++)
      if (!mho_stopped(w->o.ctx))
        iterate_block(s, b, 0, w->o.pool);
  }

  for (int t = 0; t < sets; t++)
    free_fields(&s->fields[t]);
  mho_free(s->fields);
  s->fields = NULL;
  return err;
}

static mho_err iterative(solve_job *s, mho_errinfo *ei) {
  const mho_wire *w = s->w;
  bool together = s->read->n > 1 && 5 * w->cells * MHO_WIRE_LANES * sizeof(double) <= FIELDS_BYTES;

  s->lanes = together ? MHO_WIRE_LANES : 1;
  int blocks = (s->read->n + s->lanes - 1) / s->lanes;
  if (!plan_relaxation(s))
    return by_gradients(s, blocks, ei);

  mho_pool_run(w->o.pool, blocks, block_task, s);
  mho_free(s->coefficients);
  mho_free(s->work);
  s->coefficients = s->work = NULL;
  return MHO_OK;
}

/* ---------------------------------------------------------------- methods without iterations */

/* Without resistance a side's lines are at one voltage each, and every line of the other side is a
 * chain of its own. */
static void bit_chains(const mho_wire *w, const mho_wire_read *read, int v, double *x) {
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  const double *v_word = mho__wire_word_voltages(w, read, v);
  const double *ends = mho__wire_bit_voltages(w, read, v);
  const double *source = mho__wire_sources(w, read, v);

  if (w->o.r_bit == 0) {
    for (size_t k = 0; k < w->cells; k++)
      x[k] = mho__wire_input(ends, k % cols);
    return;
  }

  /* from the open ends at the top to the bottom, and back */
  for (size_t i = 0; i < rows; i++) {
    double word = mho__wire_input(v_word, i);
    for (size_t j = 0; j < cols; j++) {
      size_t k = i * cols + j;
      double f = w->ab[k] * word + (source ? w->o.r_bit * source[k] : 0);
      x[k] = w->cb[k] * (f + (i ? x[k - cols] : 0));
    }
  }

  for (size_t i = rows; i-- > 0;)
    for (size_t j = 0; j < cols; j++) {
      size_t k = i * cols + j;
      double below = i + 1 < rows ? x[k + cols] : w->bit_share * mho__wire_input(ends, j);
      x[k] += w->cb[k] * below;
    }
}

static double relative(double current, double largest) {
  return largest > 0 ? current / largest : 0;
}

static mho_err ladder(solve_job *s, mho_errinfo *ei) {
  double *x = mho_alloc(s->w->cells, sizeof *x);
  if (!x)
    return mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");

  for (int v = 0; v < s->read->n; v++) {
    if (mho_stopped(s->w->o.ctx))
      break;
    bit_chains(s->w, s->read, v, x);
    s->no_memory[v] = mho__wire_report(s->w, s->read, v, 1, NULL, x, 1, s->w->o.pool, &s->check[v]);
    s->error[v] = relative(s->check[v].total, s->check[v].largest);
  }
  mho_free(x);
  return MHO_OK;
}

/* All vectors with the factors that there are. nodes: [2 cells]. */
static mho_err with_factors(solve_job *s, double *nodes, mho_errinfo *ei) {
  mho_wire *w = s->w;
  double *bits = nodes + w->cells;

  for (int v = 0; v < s->read->n; v++) {
    if (mho_stopped(w->o.ctx))
      break;
    mho_err err = mho__wire_direct_solve(w, s->read, v, nodes, bits, &s->iterations[v], ei);
    if (err)
      return err;
    s->no_memory[v] = mho__wire_report(w, s->read, v, 1, nodes, bits, 1, w->o.pool, &s->check[v]);
    s->error[v] = relative(s->check[v].residual, s->check[v].largest);
  }
  return MHO_OK;
}

static mho_err direct(solve_job *s, mho_errinfo *ei) {
  mho_wire *w = s->w;
  double *nodes = mho_alloc(2 * w->cells, sizeof *nodes);
  if (!nodes)
    return mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");

  mho_err err = w->factored ? MHO_OK : mho__wire_direct_factor(w, ei);
  if (!err) {
    w->factored = true;
    err = with_factors(s, nodes, ei);
  }
  mho_free(nodes);
  return err;
}

/* ---------------------------------------------------------------- a solve */

static mho_err by_method(solve_job *s, mho_errinfo *ei) {
  switch (s->method) {
  case MHO_WIRE_LADDER:
    return ladder(s, ei);
  case MHO_WIRE_DIRECT:
    return direct(s, ei);
  default:
    return iterative(s, ei);
  }
}

/* Vectors are left out as soon as the caller wants an end, so that there is no result then. */
static mho_err run(solve_job *s, mho_errinfo *ei) {
  const mho_wire *w = s->w;
  mho_err err = by_method(s, ei);
  if (!err && mho_stopped(w->o.ctx))
    err = mho_fail(ei, MHO_EINTERRUPTED, "interrupted while an array of %d x %d was solved",
                   w->o.rows, w->o.cols);
  return err;
}

/* Whether every vector's currents balance; what the statistics say. *worst: the first vector whose
 * currents do not. */
static bool balanced(const solve_job *s, mho_wire_stats *stats, int *worst) {
  bool good = true;
  *stats = (mho_wire_stats){.method = s->method};
  *worst = 0;
  for (int v = 0; v < s->read->n; v++) {
    const mho_wire_check *c = &s->check[v];
    double scale = c->largest > 0 ? c->largest : 1;
    bool ok = c->residual <= ALLOWED * c->largest + 16 * c->rounding && isfinite(c->largest) &&
              (s->error[v] <= ALLOWED || s->method != MHO_WIRE_ITERATIVE);
    if (good && !ok)
      *worst = v;
    good = good && ok;

    stats->residual = fmax(stats->residual, c->residual / scale);
    stats->error = fmax(stats->error, s->error[v]);
    stats->iterations = mho_max(s->iterations[v], stats->iterations);
    stats->power_in += c->in;
    stats->power_lost += c->lost;
  }
  return good;
}

/* Fails with the vector and the line of an input that is not finite; a vector has `each` inputs. */
static mho_err check_finite(const double *inputs, int n, size_t each, const char *what,
                            mho_errinfo *ei) {
  if (!inputs)
    return MHO_OK;

  size_t i = 0, all = (size_t)n * each;
  while (i < all && isfinite(inputs[i]) && fabs(inputs[i]) <= 1e100)
    i++;
  if (i == all)
    return MHO_OK;

  mho_fail(ei, MHO_EINVAL, "the %s %zu is %g in vector %zu", what, i % each, inputs[i], i / each);
  if (ei) {
    ei->row = (long)(i / each);
    ei->col = (long)(i % each);
  }
  return MHO_EINVAL;
}

static mho_err check_inputs(const mho_wire *w, const mho_wire_read *r, mho_errinfo *ei) {
  if (!w->set)
    return mho_fail(ei, MHO_EINVAL, "the array has no conductances yet");
  if (r->n < 1)
    return mho_fail(ei, MHO_EINVAL, "%d input vectors: expected at least one", r->n);

  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  mho_err err = check_finite(r->v_word, r->n, rows, "voltage of word line", ei);
  if (!err)
    err = check_finite(r->v_bit, r->n, cols, "voltage of bit line", ei);
  if (!err)
    err = check_finite(r->source, r->n, w->cells, "source of cell", ei);
  return err;
}

static bool lacks_memory(const solve_job *s) {
  for (int v = 0; v < s->read->n; v++)
    if (s->no_memory[v])
      return true;
  return false;
}

static mho_err unbalanced(const solve_job *s, int worst, mho_errinfo *ei) {
  const mho_wire_check *c = &s->check[worst];
  const char *cure = s->method == MHO_WIRE_ITERATIVE ? ": use the direct method" : "";
  if (s->w->word_node || s->w->bit_node)
    cure = ": the ends of the lines have too much resistance";
  return mho_fail(ei, MHO_ESINGULAR,
                  "vector %d: the currents balance only to %.2g of the largest one (estimated "
                  "error %.2g) after %d iterations%s",
                  worst, c->residual / fmax(c->largest, 1e-300), s->error[worst],
                  s->iterations[worst], cure);
}

/* By the method chosen, and by the direct one where the iterations are not exact enough. */
static mho_err solve(solve_job *s, mho_wire_stats *stats, mho_errinfo *ei) {
  const mho_wire *w = s->w;
  int worst;
  mho_err err = run(s, ei);
  if (err)
    return err;

  bool good = balanced(s, stats, &worst);
  bool can_factor = !w->word_node && !w->bit_node && w->cells < CELLS_TO_FACTOR;
  bool again = s->method == MHO_WIRE_ITERATIVE && w->o.method == MHO_WIRE_AUTO && can_factor;
  if (!good && again) {
    s->method = MHO_WIRE_DIRECT;
    err = run(s, ei);
    if (err)
      return err;
    good = balanced(s, stats, &worst);
  }

  if (lacks_memory(s))
    return mho_fail(ei, MHO_ENOMEM, "no memory to solve an array of %d x %d", w->o.rows, w->o.cols);
  return good ? MHO_OK : unbalanced(s, worst, ei);
}

mho_err mho_wire_solve(mho_wire *w, const mho_wire_read *r, mho_wire_stats *stats,
                       mho_errinfo *ei) {
  mho_err err = check_inputs(w, r, ei);
  if (err)
    return err;

  size_t n = (size_t)r->n;
  mho_wire_stats own;
  solve_job s = {.w = w, .read = r, .method = choose(w, r->n)};
  s.check = mho_alloc(n, sizeof *s.check);
  s.error = mho_alloc(n, sizeof *s.error);
  s.iterations = mho_alloc(n, sizeof *s.iterations);
  s.no_memory = mho_alloc(n, sizeof *s.no_memory);
  if (s.check && s.error && s.iterations && s.no_memory)
    err = solve(&s, &own, ei);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");

  if (!err && stats)
    *stats = own;
  mho_free(s.check);
  mho_free(s.error);
  mho_free(s.iterations);
  mho_free(s.no_memory);
  return err;
}

void mho_wire_devices(size_t n, const double *g, const double *node_word, const double *node_bit,
                      double *voltage, double *current) {
  for (size_t k = 0; k < n; k++) {
    voltage[k] = node_word[k] - node_bit[k];
    current[k] = g[k] * voltage[k];
  }
}
