/* overlap.c - the waveforms of two lines over the device between them.
 *
 * With v_row and v_col the voltages of the lines since their spikes, at t_row and t_col, the device
 * sees
 *
 *   V(t) = v_row(t - t_row) - v_col(t - t_col),
 *
 * and its state moves as dx/dt = k(V) f(x), where f depends on the sign of V alone: so the models
 * that know voltages are (voltage.h). A stretch of V of one sign is then a number of whole pulses,
 *
 *   n = 1/T int k(V)/k(V_pulse) dt,
 *
 * with T and V_pulse of the model's own pulse, k(V)/k(V_pulse) its response, and is carried out in
 * parts of at most one pulse. Models that know no voltages answer by device.weak_pulse
 * (mho_device_response) and their pulses (mho_device_pulse_of). The integral is GSL's, over pieces
 * that are smooth but for the thresholds.
 *
 * Source: B. Linares-Barranco, T. Serrano-Gotarredona, Nature Precedings (2009),
 * doi:10.1038/npre.2009.3010.1, on the overlap of two waveforms beyond a threshold.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "device/overlap.h"

#include <gsl/gsl_integration.h>
#include <math.h>

#include "device/block.h"

/* ---------------------------------------------------------------- a device */

void mho__overlap_device(mho_overlap *o, const mho_device_model *model, const void *params,
                         const mho_device_config *config) {
  mho_device_config own = *config;
  o->model = model;
  o->params = params;
  o->config = config;
  if (model->response) /* which is in fractions of the pulse that the model is integrated with */
    for (int way = 0; way < 2; way++)
      own.pulse_volts[way] = own.pulse_width[way] = 0;

  mho_device_pulse pulse = mho_device_pulse_of(model, params, &own);
  for (int way = 0; way < 2; way++) {
    o->volts[way] = pulse.volts[way];
    o->width[way] = pulse.width[way];
  }
}

/* ---------------------------------------------------------------- voltages */

/* A moment in which both lines are as long past their spikes, and what follows. */
typedef struct course {
  const mho_overlap *o;
  double row, column; /* s since the spikes at t = 0; NAN: there was none */
} course;

static double volts_at(const course *c, double t) {
  return mho__wave_volts(&c->o->row, c->row + t) - mho__wave_volts(&c->o->column, c->column + t);
}

/* Pulses a second at t, of the polarity there. */
static double rate_at(double t, void *of) {
  const course *c = of;
  double v = volts_at(c, t);
  int way = v > 0 ? 0 : 1;
  double fraction = fabs(v) / c->o->volts[way];
  if (v == 0)
    return 0;
  return mho_device_response(c->o->model, c->o->params, c->o->config, v > 0, fraction) /
         c->o->width[way];
}

/* ---------------------------------------------------------------- where it is smooth */

enum { CUTS_MAX = 2 * MHO_WAVE_PIECES + 4, SCANNED = 32 };
static const double INSIDE = 1e-9; /* of a stretch, so far from its ends */

typedef struct cuts {
  int n;
  double t[CUTS_MAX];
} cuts;

static void cut_at(cuts *c, double t, double seconds) {
  if (!(t > 0) || t >= seconds)
    return;
  int i = c->n++;
  for (; i > 0 && c->t[i - 1] > t; i--)
    c->t[i] = c->t[i - 1];
  c->t[i] = t;
}

/* Where the pieces of a line begin and end. */
static void cut_line(cuts *c, const mho_wave *w, double since, double seconds) {
  for (int i = 0; i < w->n; i++) {
    if (i == 0)
      cut_at(c, w->piece[i].start - since, seconds);
    cut_at(c, w->piece[i].end - since, seconds);
  }
}

/* Where V is 0 between a and b, at which it has other signs. */
static double zero_between(const course *c, double a, double b) {
  bool sign = volts_at(c, a) > 0;
  for (int turn = 0; turn < 100; turn++) {
    double middle = 0.5 * (a + b);
    if ((volts_at(c, middle) > 0) == sign)
      a = middle;
    else
      b = middle;
  }
  return b;
}

/* ---------------------------------------------------------------- what a device feels */

/* Stretches under way. */
typedef struct feeling {
  const course *c;
  gsl_integration_cquad_workspace *work;
  mho_stretches *out;
  bool is_full;
} feeling;

static void add(feeling *f, bool set, double pulses) {
  mho_stretches *s = f->out;
  if (!(pulses > 0))
    return;
  if (s->n > 0 && s->of[s->n - 1].set == set) {
    s->of[s->n - 1].pulses += pulses;
    return;
  }
  if (s->n == MHO_STRETCHES) {
    f->is_full = true;
    return;
  }
  s->of[s->n].set = set;
  s->of[s->n++].pulses = pulses;
}

/* From a to b, where V has one sign: without the very ends, which may belong to the next piece. */
static void integrate(feeling *f, double a, double b) {
  gsl_function rate = {.function = rate_at, .params = (void *)(uintptr_t)f->c};
  double pulses = 0, end = INSIDE * (b - a);
  if (b > a)
    gsl_integration_cquad(&rate, a + end, b - end, 0, 1e-10, f->work, &pulses, NULL, NULL);
  add(f, volts_at(f->c, 0.5 * (a + b)) > 0, pulses);
}

/* From a to b, where no line has an edge: cut where V changes its sign. */
static void go_through(feeling *f, double a, double b) {
  double inside = INSIDE * (b - a), from = a, at = a + inside;
  for (int i = 1; i <= SCANNED; i++) {
    double next = i < SCANNED ? a + i * (b - a) / SCANNED : b - inside;
    bool turns = (volts_at(f->c, at) > 0) != (volts_at(f->c, next) > 0);
    if (turns) {
      double zero = zero_between(f->c, at, next);
      integrate(f, from, zero);
      from = zero;
    }
    at = next;
  }
  integrate(f, from, b);
}

mho_err mho__overlap_feel(const mho_overlap *o, double row, double column, double seconds,
                          mho_stretches *out, mho_errinfo *ei) {
  enum { INTERVALS = 200 };
  course c = {o, row, column};
  cuts t = {.n = 0};
  feeling f = {.c = &c, .work = gsl_integration_cquad_workspace_alloc(INTERVALS), .out = out};
  *out = (mho_stretches){0};
  if (!f.work)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the integral of a waveform");

  cut_line(&t, &o->row, row, seconds);
  cut_line(&t, &o->column, column, seconds);
  double from = 0;
  for (int i = 0; i < t.n; i++) {
    go_through(&f, from, t.t[i]);
    from = t.t[i];
  }
  go_through(&f, from, seconds);

  gsl_integration_cquad_workspace_free(f.work);
  if (f.is_full)
    return mho_fail(ei, MHO_EUNSUPPORTED, "the voltage of a device turns more than %d times",
                    MHO_STRETCHES);
  return MHO_OK;
}

mho_err mho__overlap_pair(const mho_overlap *o, double difference, mho_stretches *out,
                          mho_errinfo *ei) {
  double begin = fmin(0, difference);
  double end = fmax(mho__wave_end(&o->row), difference + mho__wave_end(&o->column));
  return mho__overlap_feel(o, begin, begin - difference, end - begin, out, ei);
}

/* ---------------------------------------------------------------- where that takes it */

/* The mean change of a cell at g by a part of a pulse. */
static double step_of(mho_cells *cell, double g, bool set, double part) {
  float at = (float)g, dir = set ? 1 : -1, amplitude = (float)part, out = 0;
  mho_device_block b;
  mho_cells_set(cell, 0, 1, &at);
  mho__block_in_place(cell, 0, 1, &dir, &out, &b);
  b.amplitude = cell->model->response ? &amplitude : NULL;
  cell->model->pulse(&b);
  return cell->model->response ? (double)out : part * (double)out;
}

double mho__overlap_move(mho_cells *cell, const mho_stretches *s, double g) {
  enum { PARTS_MAX = 1000000 };
  double low = (double)cell->low[0], high = (double)cell->high[0];
  for (int i = 0; i < s->n; i++) {
    double parts = fmin(ceil(s->of[i].pulses), PARTS_MAX);
    for (int k = 0; k < (int)parts; k++)
      g = fmin(fmax(g + step_of(cell, g, s->of[i].set, s->of[i].pulses / parts), low), high);
  }
  return g;
}
