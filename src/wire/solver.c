/* solver.c - the solver of one array: its conductances, the choice of a method, blocks of inputs.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "wire/wire_impl.h"
#include "wire/relaxation.h"

static const double DEFAULT_TOLERANCE = 1e-9, ALLOWED = 1e-9, G_MAX = 1e6;
static const size_t FIELDS_BYTES = (size_t)512
                                   << 20; /* of a block of inputs: beyond, one after another */

const char *mho_wire_method_name(mho_wire_method m) {
  static const char *const names[] = {"auto", "direct", "iterative", "ladder"};
  return names[m];
}

mho_err mho_wire_new(const mho_wire_options *o, mho_wire **out, mho_errinfo *ei) {
  *out = NULL;
  if (o->rows < 1 || o->cols < 1)
    return mho_fail(ei, MHO_EINVAL, "an array of %d x %d: expected at least 1 x 1", o->rows,
                    o->cols);
  if (!(o->r_word >= 0 && o->r_word <= 1e12) || !(o->r_bit >= 0 && o->r_bit <= 1e12))
    return mho_fail(ei, MHO_EINVAL, "wire segments of %g and %g ohm: expected 0 to 1e12 ohm",
                    o->r_word, o->r_bit);
  mho_wire *w = mho_alloc(1, sizeof *w);
  if (!w)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array");
  w->o = *o;
  w->o.tolerance = o->tolerance > 0 ? o->tolerance : DEFAULT_TOLERANCE;
  w->cells = (size_t)o->rows * (size_t)o->cols;
  bool word = o->r_word > 0, bit = o->r_bit > 0, same = o->r_word == o->r_bit;
  if (!(w->g = mho_alloc(w->cells, sizeof *w->g)) ||
      (word && !(w->aw = mho_alloc(w->cells, sizeof *w->aw))) ||
      (word && !(w->cw = mho_alloc(w->cells, sizeof *w->cw))) ||
      (bit && !(w->ab = same ? w->aw : mho_alloc(w->cells, sizeof *w->ab))) ||
      (bit && !(w->cb = mho_alloc(w->cells, sizeof *w->cb)))) {
    mho_wire_free(w);
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array of %d x %d", o->rows, o->cols);
  }
  *out = w;
  return MHO_OK;
}

void mho_wire_free(mho_wire *w) {
  if (!w)
    return;
  mho_wire_direct_free(w->direct);
  mho_free(w->g);
  if (w->ab != w->aw)
    mho_free(w->ab);
  mho_free(w->aw);
  mho_free(w->cw);
  mho_free(w->cb);
  mho_free(w);
}

/* ---------------------------------------------------------------- conductances */

typedef struct lines { /* of a parallel region over rows or columns */
  mho_wire *w;
  int each;
  double *far,
      *sum; /* [tasks] smallest share of a drive that reaches a line's open end; largest conductance */
} lines;

static void word_task(void *arg, int t, int thread) {
  const lines *l = arg;
  mho_wire *w = l->w;
  size_t cols = (size_t)w->o.cols;
  int i1 = (t + 1) * l->each < w->o.rows ? (t + 1) * l->each : w->o.rows;
  l->far[t] = 1;
  for (int i = t * l->each; i < i1; i++) {
    size_t row = (size_t)i * cols;
    double far = 1, sum = 0;
    for (size_t k = row; k < row + cols; k++) {
      sum += w->g[k];
      if (w->aw)
        w->aw[k] = w->g[k] * w->o.r_word;
      if (w->ab && w->ab != w->aw)
        w->ab[k] = w->g[k] * w->o.r_bit;
    }
    if (w->aw) {
      mho_wire_chain(w->o.cols, -1, w->aw + row + cols - 1, w->cw + row + cols - 1);
      for (size_t k = row; k < row + cols; k++)
        far *= w->cw[k];
    }
    l->far[t] = fmin(l->far[t], far);
    l->sum[t] = fmax(l->sum[t], sum);
  }
}

/* A band of columns side by side, so that memory is read in order. */
static void bit_task(void *arg, int t, int thread) {
  enum { BAND = 64 };
  const lines *l = arg;
  mho_wire *w = l->w;
  size_t cols = (size_t)w->o.cols;
  int j0 = t * BAND, n = w->o.cols - j0 < BAND ? w->o.cols - j0 : BAND;
  double s[BAND] = {0}, far[BAND], sum[BAND] = {0};
  for (int j = 0; j < n; j++)
    far[j] = 1;
  for (size_t i = 0; i < (size_t)w->o.rows; i++)
    for (int j = 0; j < n; j++) {
      size_t k = i * cols + (size_t)(j0 + j);
      sum[j] += w->g[k];
      if (w->ab) {
        s[j] = w->ab[k] + s[j] / (1 + s[j]);
        w->cb[k] = 1 / (1 + s[j]);
        far[j] *= w->cb[k];
      }
    }
  l->far[t] = 1;
  for (int j = 0; j < n; j++) {
    l->far[t] = fmin(l->far[t], far[j]);
    l->sum[t] = fmax(l->sum[t], sum[j]);
  }
}

/* 1 - rho(T_b^-1 D T_w^-1 D). The matrices are not negative, so rho is at most the product of their
 * largest row sums, and those are 1 - what reaches the open end of a line whose devices are all
 * grounded. For long lines that is far too careful; there the value of an even array with the
 * densest line's mean takes over,
 *   rho = 1/((1 + g_b mu_b/G)(1 + g_w mu_w/G)),  mu the lowest eigenvalue of a chain, (pi/2n)^2
 *   (half of it is
 * left for unevenness). */
static void find_gap(mho_wire *w, double far_word, double far_bit, double mean_word,
                     double mean_bit) {
  double bound = 1 - (1 - far_word) * (1 - far_bit);
  double qw = 1.5707963267948966 / (w->o.cols + 0.5), qb = 1.5707963267948966 / (w->o.rows + 0.5);
  double lw = qw * qw / (w->o.r_word * mean_word), lb = qb * qb / (w->o.r_bit * mean_bit);
  double even = isfinite(lw) && isfinite(lb) ? (lw + lb + lw * lb) / ((1 + lw) * (1 + lb)) : 1;
  w->gap = fmin(1, fmax(bound, 0.5 * even));
  /* the current of an end is the drop over its segment, or, where that loses less, the sum over the
   * devices */
  w->end_factor = fmin(1, 2 * sqrt((double)w->o.rows) * w->o.r_bit * mean_bit * w->o.rows);
}

static double least(const double *x, int n) {
  double v = x[0];
  for (int i = 1; i < n; i++)
    v = fmin(v, x[i]);
  return v;
}

static double most(const double *x, int n) {
  double v = x[0];
  for (int i = 1; i < n; i++)
    v = fmax(v, x[i]);
  return v;
}

mho_err mho_wire_set(mho_wire *w, const double *g, mho_errinfo *ei) {
  w->set = false;
  for (size_t k = 0; k < w->cells; k++) {
    if (!(g[k] >= 0 && g[k] <= G_MAX)) {
      long row = (long)(k / (size_t)w->o.cols), col = (long)(k % (size_t)w->o.cols);
      mho_fail(ei, MHO_EINVAL, "the conductance is %g S at row %ld, column %ld: expected 0 to %g S",
               g[k], row, col, G_MAX);
      if (ei) {
        ei->row = row;
        ei->col = col;
      }
      return MHO_EINVAL;
    }
    w->g[k] = g[k];
  }
  lines l = {.w = w, .each = 16};
  int rows = (w->o.rows + 15) / 16, cols = (w->o.cols + 63) / 64, n = rows > cols ? rows : cols;
  l.far = mho_alloc(2 * (size_t)n, sizeof *l.far);
  if (!l.far)
    return mho_fail(ei, MHO_ENOMEM, "no memory for an array");
  l.sum = l.far + n;
  mho_pool_run(w->o.pool, rows, word_task, &l);
  double far_word = least(l.far, rows), mean_word = most(l.sum, rows) / w->o.cols;
  memset(l.sum, 0, (size_t)n * sizeof *l.sum);
  mho_pool_run(w->o.pool, cols, bit_task, &l);
  find_gap(w, far_word, least(l.far, cols), mean_word, most(l.sum, cols) / w->o.rows);
  mho_free(l.far);
  w->factored = false;
  w->set = true;
  return MHO_OK;
}

/* ---------------------------------------------------------------- solving */

/* From times measured on one core: an iteration takes 3 ns a node pair, a factorization 15 ns times
 * its number to the power 1.5, a solve with it 0.4 us a node pair. Factors of more than 4 million
 * cells would take tens of gigabytes. */
static mho_wire_method choose(const mho_wire *w, int n) {
  if (w->o.r_word == 0 || w->o.r_bit == 0)
    return MHO_WIRE_LADDER;
  if (w->o.method != MHO_WIRE_AUTO)
    return w->o.method;
  double cells = (double)w->cells, iterations = 4 + 12 * sqrt(1 / w->gap);
  double iterative = n * cells * iterations * 3e-9;
  double direct = 1.5e-8 * pow(cells, 1.5) + n * cells * 4e-7;
  return direct < iterative && cells < 4e6 ? MHO_WIRE_DIRECT : MHO_WIRE_ITERATIVE;
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
  double *coefficients;    /* of sweeps; NULL: conjugate gradients */
  mho_relax_plan plan;
  double *work; /* [threads][work_each] */
  size_t work_each;
} solve_job;

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
  return (f->x = mho_alloc(n, sizeof(double))) && (f->r = mho_alloc(n, sizeof(double))) &&
         (f->p = mho_alloc(n, sizeof(double))) && (f->s = mho_alloc(n, sizeof(double))) &&
         (f->z = mho_alloc(n, sizeof(double)));
}

static void iterate_block(const solve_job *s, int block, int thread, mho_pool *pool) {
  int v0 = block * s->lanes, n = s->read->n - v0 < s->lanes ? s->read->n - v0 : s->lanes;
  double error[MHO_WIRE_LANES];
  const mho_wire_fields *f = &s->fields[thread];
  int k = mho_wire_iterate(s->w, s->read, v0, n, f, pool, error);
  s->no_memory[v0] =
      k < 0 || mho_wire_report(s->w, s->read, v0, n, NULL, f->x, f->lanes, pool, &s->check[v0]);
  for (int l = 0; l < n; l++) {
    s->error[v0 + l] = error[l];
    s->iterations[v0 + l] = k;
  }
}

/* The same by sweeps whose number is known beforehand, with less traffic to memory. */
static void sweep_block(const solve_job *s, int block, int thread) {
  const mho_wire *w = s->w;
  int v0 = block * s->lanes, n = s->read->n - v0 < s->lanes ? s->read->n - v0 : s->lanes;
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  double *work = s->work + (size_t)thread * s->work_each, *drive = work,
         *end = drive + rows * MHO_WIRE_LANES;
  double *own = end + cols * MHO_WIRE_LANES;
  const double *x;
  memset(work, 0, (rows + cols) * MHO_WIRE_LANES * sizeof *work);
  for (size_t l = 0; l < (size_t)n; l++) {
    for (size_t i = 0; s->read->v_word && i < rows; i++)
      drive[i * MHO_WIRE_LANES + l] = s->read->v_word[((size_t)v0 + l) * rows + i];
    for (size_t j = 0; s->read->v_bit && j < cols; j++)
      end[j * MHO_WIRE_LANES + l] = s->read->v_bit[((size_t)v0 + l) * cols + j];
  }
  mho_relax_run_double(w->o.rows, w->o.cols, s->coefficients, &s->plan, drive, end, own, NULL, &x);
  s->no_memory[v0] =
      mho_wire_report(w, s->read, v0, n, NULL, x, MHO_WIRE_LANES, NULL, &s->check[v0]);
  for (int l = 0; l < n; l++) {
    s->error[v0 + l] = w->o.tolerance; /* what the number of sweeps was chosen for */
    s->iterations[v0 + l] = s->plan.n;
  }
}

static void block_task(void *arg, int block, int thread) {
  const solve_job *s = arg;
  if (s->coefficients)
    sweep_block(s, block, thread);
  else
    iterate_block(s, block, thread, NULL);
}

/* Sweeps, when several inputs share them and few enough do: an iteration of conjugate gradients
 * moves three times the memory, but finds outlying eigenvalues by itself. */
static bool plan_sweeps(solve_job *s) {
  const mho_wire *w = s->w;
  if (s->read->source || s->lanes == 1)
    return false;
  s->coefficients = mho_alloc(MHO_RELAX_COEFFICIENTS * w->cells, sizeof *s->coefficients);
  if (!s->coefficients)
    return false;
  double rho;
  mho_relax_prepare_double(w->o.rows, w->o.cols, w->aw, w->ab, s->coefficients, &rho);
  if (rho > 0.5)
    rho = mho_relax_bound(w->o.rows, w->o.cols, s->coefficients, rho);
  s->plan = mho_relax_plan_make(rho, w->o.tolerance * (1 - rho), false);
  s->work_each = mho_relax_work(w->o.rows, w->o.cols, MHO_WIRE_LANES, false) +
                 (size_t)(w->o.rows + w->o.cols) * MHO_WIRE_LANES;
  if (s->plan.n < 60)
    s->work = mho_alloc((size_t)mho_pool_threads(w->o.pool) * s->work_each, sizeof *s->work);
  if (s->work)
    return true;
  mho_free(s->coefficients);
  s->coefficients = NULL;
  return false;
}

static mho_err iterative(solve_job *s, mho_errinfo *ei) {
  const mho_wire *w = s->w;
  bool together = s->read->n > 1 && 5 * w->cells * MHO_WIRE_LANES * sizeof(double) <= FIELDS_BYTES;
  s->lanes = together ? MHO_WIRE_LANES : 1;
  int blocks = (s->read->n + s->lanes - 1) / s->lanes, threads = mho_pool_threads(w->o.pool);
  bool spread = together && blocks > 1;
  mho_err err = MHO_OK;
  if (together && plan_sweeps(s)) {
    mho_pool_run(w->o.pool, blocks, block_task, s);
    mho_free(s->coefficients);
    mho_free(s->work);
    s->coefficients = s->work = NULL;
    return MHO_OK;
  }
  int sets = spread ? threads : 1;
  s->fields = mho_alloc((size_t)sets, sizeof *s->fields);
  for (int t = 0; s->fields && t < sets && !err; t++)
    if (!new_fields(w, s->lanes, &s->fields[t]))
      err = MHO_ENOMEM;
  if (!s->fields || err) {
    err = mho_fail(ei, MHO_ENOMEM, "no memory to solve an array of %d x %d", w->o.rows, w->o.cols);
  } else if (spread) {
    mho_pool_run(w->o.pool, blocks, block_task, s);
  } else {
    for (int b = 0; b < blocks; b++)
      iterate_block(s, b, 0, w->o.pool);
  }
  for (int t = 0; s->fields && t < sets; t++)
    free_fields(&s->fields[t]);
  mho_free(s->fields);
  return err;
}

/* A side without resistance: its lines are at the drives, and every line of the other is a
 * chain. */
static void bit_chains(const mho_wire *w, const mho_wire_read *read, int v, double *x) {
  size_t rows = (size_t)w->o.rows, cols = (size_t)w->o.cols;
  const double *end = read->v_bit ? read->v_bit + (size_t)v * cols : NULL;
  if (w->o.r_bit == 0) {
    for (size_t k = 0; k < w->cells; k++)
      x[k] = end ? end[k % cols] : 0;
    return;
  }
  for (size_t i = 0; i < rows; i++) {
    double drive = read->v_word ? read->v_word[(size_t)v * rows + i] : 0;
    const double *source = read->source ? read->source + (size_t)v * w->cells + i * cols : NULL;
    for (size_t j = 0; j < cols; j++) {
      size_t k = i * cols + j;
      double f = w->ab[k] * drive + (source ? w->o.r_bit * source[j] : 0);
      x[k] = w->cb[k] * (f + (i ? x[k - cols] : 0));
    }
  }
  for (size_t i = rows; i-- > 0;)
    for (size_t j = 0; j < cols; j++) {
      size_t k = i * cols + j;
      x[k] += w->cb[k] * (i + 1 < rows ? x[k + cols] : end ? end[j] : 0);
    }
}

static mho_err ladder(solve_job *s, mho_errinfo *ei) {
  double *x = mho_alloc(s->w->cells, sizeof *x);
  mho_err err = x ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");
  for (int v = 0; v < s->read->n && !err; v++) {
    bit_chains(s->w, s->read, v, x);
    s->no_memory[v] = mho_wire_report(s->w, s->read, v, 1, NULL, x, 1, s->w->o.pool, &s->check[v]);
    s->error[v] = s->check[v].largest > 0 ? s->check[v].total / s->check[v].largest : 0;
  }
  mho_free(x);
  return err;
}

static mho_err direct(solve_job *s, mho_errinfo *ei) {
  mho_wire *w = s->w;
  double *nodes = mho_alloc(2 * w->cells, sizeof *nodes);
  mho_err err = nodes ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");
  if (!err && !w->factored)
    err = mho_wire_direct_factor(w, ei);
  w->factored = w->factored || !err;
  for (int v = 0; v < s->read->n && !err; v++) {
    err = mho_wire_direct_solve(w, s->read, v, nodes, nodes + w->cells, &s->iterations[v], ei);
    if (!err)
      s->no_memory[v] =
          mho_wire_report(w, s->read, v, 1, nodes, nodes + w->cells, 1, w->o.pool, &s->check[v]);
    s->error[v] = s->check[v].largest > 0 ? s->check[v].residual / s->check[v].largest : 0;
  }
  mho_free(nodes);
  return err;
}

static mho_err run(solve_job *s, mho_errinfo *ei) {
  return s->method == MHO_WIRE_LADDER   ? ladder(s, ei)
         : s->method == MHO_WIRE_DIRECT ? direct(s, ei)
                                        : iterative(s, ei);
}

/* Whether every vector's currents balance; what the statistics say. */
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
    stats->iterations = s->iterations[v] > stats->iterations ? s->iterations[v] : stats->iterations;
    stats->power_in += c->in;
    stats->power_lost += c->lost;
  }
  return good;
}

static mho_err check_inputs(const mho_wire *w, const mho_wire_read *r, mho_errinfo *ei) {
  if (!w->set)
    return mho_fail(ei, MHO_EINVAL, "the array has no conductances yet");
  if (r->n < 1)
    return mho_fail(ei, MHO_EINVAL, "%d input vectors: expected at least one", r->n);
  const struct {
    const double *v;
    size_t n;
    const char *what;
  } in[] = {{r->v_word, (size_t)w->o.rows, "voltage of word line"},
            {r->v_bit, (size_t)w->o.cols, "voltage of bit line"},
            {r->source, w->cells, "source of cell"}};
  for (int k = 0; k < MHO_COUNT(in); k++)
    for (size_t i = 0; in[k].v && i < (size_t)r->n * in[k].n; i++)
      if (!isfinite(in[k].v[i]) || fabs(in[k].v[i]) > 1e100) {
        mho_fail(ei, MHO_EINVAL, "the %s %zu is %g in vector %zu", in[k].what, i % in[k].n,
                 in[k].v[i], i / in[k].n);
        if (ei) {
          ei->row = (long)(i / in[k].n);
          ei->col = (long)(i % in[k].n);
        }
        return MHO_EINVAL;
      }
  return MHO_OK;
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
  int worst = 0;
  if (!s.check || !s.error || !s.iterations || !s.no_memory)
    err = mho_fail(ei, MHO_ENOMEM, "no memory to solve an array");
  if (!err)
    err = run(&s, ei);
  bool good = !err && balanced(&s, &own, &worst);
  if (!err && !good && s.method == MHO_WIRE_ITERATIVE && w->o.method == MHO_WIRE_AUTO &&
      w->cells < 4000000) {
    s.method = MHO_WIRE_DIRECT;
    err = run(&s, ei);
    good = !err && balanced(&s, &own, &worst);
  }
  for (size_t v = 0; v < n && !err; v++)
    if (s.no_memory[v])
      err =
          mho_fail(ei, MHO_ENOMEM, "no memory to solve an array of %d x %d", w->o.rows, w->o.cols);
  if (!err && !good)
    err = mho_fail(
        ei, MHO_ESINGULAR,
        "vector %d: the currents balance only to %.2g of the largest one (estimated error %.2g) after "
        "%d iterations%s",
        worst, s.check[worst].residual / fmax(s.check[worst].largest, 1e-300), s.error[worst],
        s.iterations[worst], s.method == MHO_WIRE_ITERATIVE ? ": use the direct method" : "");
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
